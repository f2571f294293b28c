// Remakes docs/images from a real pool: node scripts/shots.mjs URL TOKEN [OUT]
// The pool needs a dataset (./hearth datasets import). It trains a few small runs, two of them to the end, moves one through a
// pause and a resume by the page's own buttons, and takes every picture at desktop and phone size. With --axe each page is
// also checked for accessibility, and what is found ends the script with 1.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [url, token, out = fileURLToPath(new URL("../../docs/images", import.meta.url))] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
if (token === undefined) {
  console.error("Usage: node scripts/shots.mjs URL TOKEN [OUT] [--axe]");
  process.exit(2);
}
const axe = process.argv.includes("--axe") ? readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8") : null;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const problems = [];

async function api(path, body) {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`${url}/api/v1${path}`, { ...init, headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } });
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }
  return answer.json();
}

async function until(what, condition) {
  for (const end = Date.now() + 300_000; Date.now() < end; await new Promise((go) => setTimeout(go, 500))) {
    const found = await condition();
    if (found) {
      return found;
    }
  }
  throw new Error(`${what}: not within five minutes`);
}

const dataset = (await api("/datasets"))[0]?.name;
if (dataset === undefined) {
  console.error("The pool has no dataset. Import one: ./hearth datasets import NAME FILE... --license NOTE");
  process.exit(2);
}

const submit = (name, family, steps, priority, extra = {}) => api("/runs", { spec: {
  name, model: { family, size: "nano", ...extra }, data: { dataset, seq_len: 128 }, train: { steps, batch_tokens: 1024 },
  optimizer: { lr: 3e-3, warmup_steps: Math.min(50, steps / 4) }, eval: { every_steps: Math.max(10, steps / 40), rows: 16 },
  sample: { every_steps: Math.max(20, steps / 10) }, checkpoint: { every_steps: Math.max(20, steps / 20) }, run: { priority, tags: steps > 1000 ? ["baseline"] : [] },
} });
const step = async (id) => (await api(`/runs/${id}`)).summary;

async function train() {
  for (const [name, family, extra] of [["qovaryx-short", "qovaryx"], ["hybrid-short", "hybrid", { vocab_size: 512 }]]) {
    const { id } = await submit(name, family, 120, "high", extra);
    await until(`${name} to finish`, async () => (await step(id)).state === "succeeded");
  }
  const { id } = await submit("qovaryx-docs", "qovaryx", 3000, "high");
  for (const [name, family] of [["moa-docs", "moa"], ["positronic-docs", "positronic"], ["vuaf-docs", "vuaf"]]) {
    await submit(name, family, 600, "normal");
  }
  await until("qovaryx-docs to reach step 400", async () => (await step(id)).step >= 400);
  return id;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});

async function signedIn(viewport, colorScheme = "light") {
  const page = await (await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" })).newPage();
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  page.on("response", (answer) => { if (answer.status() >= 400 && !answer.url().endsWith("/me")) problems.push(`${answer.status()} ${answer.url()}`); });
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  return page;
}

async function shoot(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(900);
  await page.screenshot({ path: join(out, `${name}.png`) });
  if (axe !== null) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa"] }));
    violations.forEach((v) => problems.push(`${name}: ${v.id} (${v.nodes.length}) ${v.nodes[0].target.join(" ")}`));
  }
  console.log(name);
}

async function pauseAndResume(page, id) {
  await page.goto(`${url}/runs/${id}/overview`);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).click({ timeout: 60_000 });
  const paused = (await step(id)).step;
  await until("the run to go on", async () => (await step(id)).step > paused + 200);
}

async function tour(page, id, suffix) {
  await page.goto(`${url}/runs`);
  await page.getByText("qovaryx-docs").first().waitFor();
  await shoot(page, `runs${suffix}`);
  await page.goto(`${url}/runs/${id}/overview`);
  await page.locator(".chart-host canvas").first().waitFor();
  await shoot(page, `run${suffix}`);
  await page.goto(`${url}/runs/new?preset=qovaryx-nano`);
  await page.locator("#field-data-seq_len").fill("512");
  await page.locator(".field-error").first().waitFor();
  await page.locator("#field-data-seq_len").scrollIntoViewIfNeeded();
  await shoot(page, `submit${suffix}`);
  await page.goto(`${url}/pool`);
  await page.getByRole("article").first().waitFor();
  await shoot(page, `pool${suffix}`);
}

mkdirSync(out, { recursive: true });
const desktop = await signedIn(DESKTOP);
const id = await train();
await pauseAndResume(desktop, id);
await tour(desktop, id, "");
await tour(await signedIn(PHONE), id, "-phone");
const dark = await signedIn(DESKTOP, "dark");
await dark.goto(`${url}/runs/${id}/overview`);
await dark.locator(".chart-host canvas").first().waitFor();
await shoot(dark, "run-dark");
await browser.close();
if (problems.length > 0) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}
