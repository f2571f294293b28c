// Takes pictures of every page: node scripts/shots.mjs URL TOKEN OUTDIR
// With --axe it also checks each page for accessibility and fails on what it finds.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, token, out] = process.argv.slice(2);
if (out === undefined) {
  console.error("Usage: node scripts/shots.mjs URL TOKEN OUTDIR [--axe]");
  process.exit(2);
}
const axe = process.argv.includes("--axe") ? readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8") : null;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const SEQ_LEN_TOO_LONG = "8192";

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
const problems = [];

async function signedIn(viewport, scheme) {
  const context = await browser.newContext({ viewport, colorScheme: scheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  page.on("console", (line) => { if (line.type() === "error" && !line.text().includes("401")) problems.push(`console: ${line.text()}`); });
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  return page;
}

async function shoot(page, name) {
  await page.waitForLoadState("domcontentloaded");
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(900);
  await page.screenshot({ path: join(out, `${name}.png`) });
  if (axe !== null) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa"] }));
    violations.forEach((v) => problems.push(`${name}: ${v.id} (${v.nodes.length}) ${v.nodes[0].target.join(" ")} ${v.nodes[0].failureSummary?.split("\n")[1] ?? ""}`));
  }
  console.log(name);
}

async function firstRun(page) {
  const link = page.locator("[data-run] a, a.run-card").first();
  await link.waitFor({ timeout: 4000 }).catch(() => undefined);
  return (await link.count()) > 0 ? (await link.getAttribute("href")).split("/")[2] : null;
}

for (const scheme of ["light", "dark"]) {
  const page = await signedIn(DESKTOP, scheme);
  const id = await firstRun(page);
  await shoot(page, `runs-${scheme}`);
  if (id !== null) {
    for (const tab of ["overview", "overview?axis=time", "logs", "samples", "checkpoints", "config"]) {
      await page.goto(`${url}/runs/${id}/${tab}`);
      if (tab === "overview") {
        await page.locator(".chart-host canvas").first().waitFor({ timeout: 5000 }).catch(() => undefined);
      }
      await shoot(page, `run-${tab.replace("?axis=", "-")}-${scheme}`);
    }
  }
  await page.goto(`${url}/runs/new`);
  await page.getByLabel("Sequence length").waitFor();
  await shoot(page, `submit-${scheme}`);
  await page.getByLabel("Sequence length").fill(SEQ_LEN_TOO_LONG);
  await page.locator(".cm-wrong-words").first().waitFor({ timeout: 5000 }).catch(() => problems.push("submit: the wrong field showed no words"));
  await shoot(page, `submit-error-${scheme}`);
  await page.goto(`${url}/pool`);
  await shoot(page, `pool-${scheme}`);
  await page.goto(`${url}/settings/tokens`);
  await shoot(page, `tokens-${scheme}`);
  if (scheme === "light") {
    await page.goto(`${url}/pool?join=1`);
    await shoot(page, "pool-join-light");
  }
  await page.context().close();
}
const phone = await signedIn(PHONE, "light");
const id = await firstRun(phone);
await shoot(phone, "runs-phone");
if (id !== null) {
  await phone.goto(`${url}/runs/${id}/overview`);
  await shoot(phone, "run-phone");
}
await phone.goto(`${url}/pool`);
await shoot(phone, "pool-phone");
await phone.goto(`${url}/runs/new`);
await shoot(phone, "submit-phone");
await browser.close();
if (problems.length > 0) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}
