// A stand-in for the coordinator that serves the built app and an invented world: node test/mock/server.mjs PORT [--empty]
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as world from "./world.mjs";

const root = fileURLToPath(new URL("../../../Coordinator/wwwroot", import.meta.url));
const port = Number(process.argv[2] ?? 7780);
const empty = process.argv.includes("--empty");
const runs = empty ? [] : world.runs;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
const streams = new Set();
let serial = 0;

function send(response, status, body, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body === undefined ? "" : JSON.stringify(body));
}

function validate(spec) {
  const errors = [];
  const size = world.models.families[0].sizes.find((s) => s.name === spec.model?.size);
  if (spec.data?.seq_len > size?.max_seq_len) {
    const shown = spec.data.seq_len.toLocaleString("en-US");
    errors.push({ field: "data.seq_len", value: shown, allowed: `16 to ${size.max_seq_len}`, message: `${shown} is over Qovaryx ${size.name}'s longest, ${size.max_seq_len.toLocaleString("en-US")}. Allowed: 16 to ${size.max_seq_len.toLocaleString("en-US")}.` });
  }
  for (const key of Object.keys(spec.train ?? {})) {
    if (!["steps", "batch_tokens", "micro_batch", "precision", "seed"].includes(key)) errors.push({ field: `train.${key}`, value: "", allowed: "", message: `No field is called train.${key}. Nearest: train.steps.` });
  }
  if (errors.length > 0) return { errors, fits: [] };
  const fits = world.workers.flatMap((w) => w.devices.map((d) => ({ device: d.name, device_model: d.info.model, fits: w.online && d.info.memory_bytes > 10 * 2 ** 30, needed_bytes: Math.min(d.info.memory_bytes * 0.9, 11.2 * 2 ** 30), total_bytes: d.info.memory_bytes, micro_batch: 2, accumulation: 8, reason: w.online ? "" : "Would fit; not reachable now." })));
  return { errors, resolved: spec, cost: { parameters: size?.parameters ?? 0, flops_per_token: 2.8e8, tokens: (spec.train?.steps ?? 1000) * (spec.train?.batch_tokens ?? 4096), minimum_bytes: 2.1 * 2 ** 30 }, fits };
}

function list(url) {
  const states = (url.searchParams.get("state") ?? "").split(",").filter(Boolean);
  const text = (url.searchParams.get("q") ?? "").toLowerCase();
  const found = runs.filter((r) => (states.length === 0 || states.includes(r.state)) && r.name.includes(text));
  const at = Number(url.searchParams.get("cursor") ?? 0);
  const limit = Number(url.searchParams.get("limit") ?? 100);
  return { items: found.slice(at, at + limit), next: at + limit < found.length ? String(at + limit) : null, total: found.length };
}

function api(request, response, url, body) {
  const path = url.pathname.replace("/api/v1", "");
  const [, kind, id, part] = path.split("/");
  const run = runs.find((r) => r.id === id);
  if (path === "/session") return send(response, 204, undefined, { "set-cookie": request.method === "DELETE" ? "s=; Max-Age=0; Path=/" : "s=1; HttpOnly; Path=/" });
  if (!(request.headers.cookie ?? "").includes("s=1")) return send(response, 401, { title: "Sign in first." });
  if (path === "/me") return send(response, 200, { name: "mara", role: "admin", pool: "home", version: "0.1.0" });
  if (path === "/events") return stream(response);
  if (path === "/models") return send(response, 200, world.models);
  if (path === "/datasets") return send(response, 200, world.datasets);
  if (path === "/workers") return send(response, 200, empty ? world.workers.slice(0, 1).map((w) => ({ ...w, devices: w.devices.map((d) => ({ ...d, run_id: null })) })) : world.workers);
  if (path === "/workers/join-codes") return send(response, 200, { code: "K7QF-29MX", expires_at: new Date(Date.now() + 892_000).toISOString(), command: "./hearth join http://192.168.1.20:7770 K7QF-29MX" });
  if (path === "/tokens") return send(response, 200, [{ id: "1", name: "mara", role: "admin", created_at: new Date().toISOString() }]);
  if (path === "/runs/validate") return send(response, 200, validate(body.spec));
  if (path === "/runs") return send(response, 200, request.method === "POST" ? runs[0] : list(url));
  if (kind !== "runs" || run === undefined) return send(response, 404, { title: "Not found" });
  if (part === undefined) return send(response, 200, world.detail(run));
  if (part === "metrics") return send(response, 200, world.metrics(run, Number(url.searchParams.get("from") ?? 0), Number(url.searchParams.get("points") ?? 2000)));
  if (part === "logs") {
    const after = Number(url.searchParams.get("after") ?? 0);
    const lines = world.logs(run).filter((l) => l.id > after).slice(0, 1000);
    return send(response, 200, { lines, next: lines.length === 1000 ? lines.at(-1).id : null });
  }
  if (part === "samples") return send(response, 200, world.samples);
  return send(response, 202, { id, state: run.state });
}

function stream(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write(":\n\n");
  streams.add(response);
  response.on("close", () => streams.delete(response));
}

const tick = setInterval(() => {
  const run = runs[0];
  if (run !== undefined) {
    run.step += 1;
    run.tokens += 65536;
    run.loss = world.lossAt(run.step);
    serial += 1;
  }
  for (const response of streams) {
    response.write(run === undefined ? "event: ping\ndata: {}\n\n" : `id: ${serial}\nevent: progress\ndata: ${JSON.stringify(run)}\n\n`);
  }
}, 700);

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.startsWith("/api/")) {
    let text = "";
    request.on("data", (part) => { text += part; });
    request.on("end", () => api(request, response, url, text === "" ? {} : JSON.parse(text)));
    return;
  }
  const wanted = join(root, normalize(url.pathname));
  const file = extname(wanted) !== "" && existsSync(wanted) ? wanted : join(root, "index.html");
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}`));
process.on("SIGTERM", () => { clearInterval(tick); server.close(); server.closeAllConnections(); });
