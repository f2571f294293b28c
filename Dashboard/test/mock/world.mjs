// One invented world: a household with a few machines, its runs, and metrics that go on while the server lives.
const HOUR = 3_600_000;
const start = Date.now();
const uuid = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const iso = (at) => new Date(at).toISOString();
const noise = (n) => { const x = Math.sin(n * 127.1) * 43758.5453; return x - Math.floor(x) - 0.5; };

export const lossAt = (step) => 3.35 + 6.5 * Math.exp(-step / 420) + 1.35 * Math.exp(-step / 2600) + noise(step) * 0.12;

const spec = (name, dataset = "python-docs") => ({
  name, model: { family: "qovaryx", size: "50m", ffn_kind: "swiglu" }, task: "pretrain",
  data: { dataset, seq_len: 1024, tokenizer: "byte_bpe", validation_fraction: 0.02 },
  train: { steps: 20000, batch_tokens: 65536, micro_batch: 0, precision: "bf16", seed: 1337 },
  optimizer: { name: "adamw", lr: 6e-4, schedule: "cosine", warmup_steps: 400, weight_decay: 0.1 },
  eval: { every_steps: 250, rows: 64 }, checkpoint: { every_steps: 500, keep_last: 3 }, run: { priority: "normal", devices: "any", tags: ["baseline"] },
});

function run(n, name, state, more = {}) {
  const step = more.step ?? 0;
  const spark = Array.from({ length: 60 }, (_, i) => lossAt((step * i) / 59));
  return {
    id: uuid(n), number: n, name, state, family: "qovaryx", size: "50m", task: "pretrain", dataset: "python-docs", priority: "normal", tags: [],
    created_by: "mara", created_at: iso(start - 5 * HOUR + n * 1000), step, total_steps: 20000, tokens: step * 65536, sparkline: step > 0 ? spark : [], ...more,
  };
}

export const runs = [
  run(1187, "qvx50-fineweb-cosine", "running", { step: 6412, loss: 3.631, validation_loss: 3.664, tokens_per_second: 38213, seconds_left: 23340, device: "studio/0", device_model: "NVIDIA GeForce RTX 3090", tags: ["baseline"], started_at: iso(start - 3.7 * HOUR) }),
  run(1188, "qvx50-pydocs-wd", "running", { step: 17230, total_steps: 40000, loss: 3.512, tokens_per_second: 14100, seconds_left: 26400, device: "attic/0", device_model: "NVIDIA GeForce RTX 4070 Ti", started_at: iso(start - 5 * HOUR) }),
  run(1192, "qvx-nano-first", "starting", { starting_what: "Loading weights", starting_fraction: 0.71, size: "nano", device: "attic/1", device_model: "NVIDIA GeForce RTX 3060", created_by: "lea" }),
  run(1190, "qvx350-tinystories", "queued", { size: "350m", reason: "Needs 13.4 GB, and only studio/0 has that much. qvx50-fineweb-cosine holds it; this run is next." }),
  run(1189, "qvx50-gutenberg", "paused", { step: 9100, reason: "", created_by: "lea" }),
  ...Array.from({ length: 404 }, (_, i) => {
    const failed = i % 17 === 2;
    const cancelled = i % 23 === 4;
    return run(1186 - i, `qvx50-${["wsd", "naive-control", "smoke-lr2e-3", "tiny-en", "wiki-lr3e-4", "int6-export", "loops"][i % 7]}-${404 - i}`, failed ? "failed" : cancelled ? "cancelled" : "succeeded", {
      step: failed ? 815 : cancelled ? 4410 : 20000, loss: failed ? "NaN" : 3.3 + (i % 9) / 10, validation_loss: failed ? null : 3.291 + (i % 9) / 10, tokens_per_second: 38000 - (i % 11) * 900,
      device: "studio/0", device_model: "NVIDIA GeForce RTX 3090", reason: failed ? "The loss was NaN twice. Rolled back to 800 once. Try at most 6e-4." : null,
      started_at: iso(start - (10 + i) * HOUR), ended_at: iso(start - (2 + i) * HOUR), created_by: ["mara", "jonas", "lea"][i % 3],
    });
  }),
];

const files = [{ name: "model.safetensors", sha256: "ab", bytes: 186_000_000 }, { name: "optimizer.safetensors", sha256: "cd", bytes: 372_000_000 }, { name: "state.json", sha256: "ef", bytes: 2100 }];
const t0 = start - 3.7 * HOUR;
const attempts = [
  { id: uuid(1), number: 1, state: "stopped", epoch: 3, device: "jonas-pc/0", device_model: "NVIDIA GeForce RTX 3080", assigned_at: iso(t0), first_step_at: iso(t0 + 20_000), ended_at: iso(t0 + 1.14 * HOUR), first_step: 0, last_step: 1850, message: null },
  { id: uuid(2), number: 2, state: "lost", epoch: 4, device: "studio/0", device_model: "NVIDIA GeForce RTX 3090", assigned_at: iso(t0 + 1.142 * HOUR), first_step_at: iso(t0 + 1.145 * HOUR), ended_at: iso(t0 + 2.26 * HOUR), first_step: 1850, last_step: 4200, message: null },
  { id: uuid(3), number: 3, state: "running", epoch: 5, device: "studio/0", device_model: "NVIDIA GeForce RTX 3090", assigned_at: iso(t0 + 2.63 * HOUR), first_step_at: iso(t0 + 2.64 * HOUR), ended_at: null, first_step: 4200, last_step: 6412, message: null },
];
const timeOf = (step) => (step < 1850 ? t0 + 20_000 + (step / 1850) * 1.13 * HOUR : step < 4200 ? t0 + 1.145 * HOUR + ((step - 1850) / 2350) * 1.11 * HOUR : t0 + 2.64 * HOUR + ((step - 4200) / 2212) * 1.06 * HOUR);

const notes = [
  { id: 1, at: iso(t0 + 1.145 * HOUR), kind: "moved", text: "Moved from jonas-pc/0 to studio/0 at step 1,850 in 11 s. Other card model, so not bitwise: loss differs by 0.0004.", step: 1850 },
  { id: 2, at: iso(t0 + 2.26 * HOUR), kind: "lost", text: "Lost on studio/0 at step 4,236. Its lease ran out; step 4,200 is safe.", step: 4200 },
  { id: 3, at: iso(t0 + 2.64 * HOUR), kind: "resumed", text: "Resumed on studio/0 at step 4,200 in 8 s, trace equal. 36 steps repeated.", step: 4200 },
];
export const checkpoints = Array.from({ length: 13 }, (_, i) => (i + 1) * 500).concat([1850, 4200]).filter((s) => s <= 6412).map((step, i) => ({
  id: uuid(900 + i), step, created_at: iso(timeOf(step)), bytes: 280_000_000, trace: `9c41e07a55d2${String(1000 + step).slice(-4)}`, pause_seconds: 0.019 + (i % 4) / 1000,
  status: step === 2500 ? "corrupt" : step % 1500 === 0 || step > 4800 || [1850, 4200].includes(step) ? "kept" : "removed", note: step === 2500 ? "SHA-256 differs, not used" : null, files,
}));

export function detail(summary) {
  const main = summary.number === 1187;
  const dated = attempts.map((a) => ({ ...a, last_step: a.number === 3 ? summary.step : a.last_step }));
  return { summary, spec: spec(summary.name), attempts: main ? dated : [], checkpoints: main ? checkpoints : [], notes: main ? notes : [], trace: main ? "9c41e07a55d203bf" : null, parameters: 46_557_184 };
}

export function metrics(summary, from, points) {
  const last = summary.step;
  const every = Math.max(1, Math.ceil(last / points));
  const column = (key, step, make) => {
    const steps = [];
    for (let s = Math.ceil(Math.max(from, 1) / step) * step; s <= last; s += step) steps.push(s);
    const mean = steps.map(make);
    const spread = key === "loss" ? 0.09 : key === "tokens_per_second" ? 1400 : 0;
    return { key, bucket_steps: every, steps, unix_milliseconds: steps.map((s) => Math.round(timeOf(s))), mean, min: mean.map((v, i) => v - spread * (0.6 + Math.abs(noise(steps[i] + 7)))), max: mean.map((v, i) => v + (key === "loss" ? spread * (0.6 + Math.abs(noise(steps[i] + 3))) : 0)) };
  };
  return { series: [
    column("loss", every, lossAt), { ...column("validation_loss", 250, (s) => lossAt(s) - noise(s) * 0.12 + 0.06), bucket_steps: 1 },
    column("lr", every, (s) => (s < 400 ? (6e-4 * s) / 400 : 6e-5 + 2.7e-4 * (1 + Math.cos((Math.PI * (s - 400)) / 19600)))),
    column("tokens_per_second", every, (s) => (s < 1850 ? 29_300 : 38_000) + noise(s) * 500), column("grad_norm", every, (s) => 0.4 + 2 * Math.exp(-s / 300) + Math.abs(noise(s)) * 0.2),
    column("memory_bytes", every, (s) => (s < 1850 ? 9.1 : 17.6) * 2 ** 30),
  ] };
}

export function logs(summary) {
  const lines = [[1, 0, "info", "attempt 1 placed on jonas-pc/0, epoch 3"], [1, 1, "info", "qovaryx 50m swiglu: 46,557,184 parameters, bf16, AdamW"]];
  for (let s = 10; s <= summary.step; s += 10) {
    if (s === 1860) lines.push([2, s, "info", "resumed at step 1,850 on another card model: loss 4.2711 against 4.2715 recorded"]);
    if (s === 2600) lines.push([2, s, "warning", "step 2,600  loss 4.31, 5.1 sd above trend; kept going"]);
    if (s === 4210) lines.push([3, s, "info", "resumed at step 4,200, trace 9c41e07a55d203bf equals the recorded one; 0 steps repeated"]);
    lines.push([s < 1850 ? 1 : s < 4200 ? 2 : 3, s, "info", `step ${s.toLocaleString("en-US")}  loss ${lossAt(s).toFixed(4)}  gnorm 0.42  38,190 tok/s  17.6 GB`]);
  }
  return lines.map(([attempt, step, level, text], i) => ({ id: i + 1, attempt, at: iso(timeOf(step)), level, text }));
}

const GB = 2 ** 30;
const device = (name, index, model, total, reading, more = {}) => ({ name: `${name}/${index}`, info: { index, kind: "cuda", model, uuid: name, memory_bytes: total * GB, capability: "8.6" }, reading: reading && { index, ...reading }, ...more });
const worker = (n, name, devices, online = true) => ({ id: uuid(n), name, agent_version: "0.1.0", online, joined_at: iso(start - 90 * HOUR), seen_at: iso(online ? start : start - HOUR / 4), draining: false, devices });
export const workers = [
  worker(50, "studio", [device("studio", 0, "NVIDIA GeForce RTX 3090", 24, { memory_used_bytes: 18.2 * GB, utilization_percent: 97, power_watts: 279, power_cap_watts: 280, temperature_celsius: 67 }, { run_id: uuid(1187), run_name: "qvx50-fineweb-cosine", progress: 0.32, tokens_per_second: 38213 })]),
  worker(51, "attic", [device("attic", 0, "NVIDIA GeForce RTX 4070 Ti", 12, { memory_used_bytes: 11.1 * GB, utilization_percent: 99, power_watts: 231, power_cap_watts: 240, temperature_celsius: 64 }, { run_id: uuid(1188), run_name: "qvx50-pydocs-wd", progress: 0.43, tokens_per_second: 14100 }), device("attic", 1, "NVIDIA GeForce RTX 3060", 12, { memory_used_bytes: 0.3 * GB, utilization_percent: 0, power_watts: 11, power_cap_watts: 150, temperature_celsius: 38 })]),
  worker(52, "lea-laptop", [device("lea-laptop", 0, "NVIDIA GeForce RTX 4060 Laptop", 8, null)], false),
];
export const samples = [500, 1000, 6000].map((step) => ({ step, at: iso(timeOf(step)), prompt: "The ", text: `The ${step < 900 ? "of the of a the value is" : "list of arguments is passed to the function when it is called.\n\nReturn a new iterator over"}` }));
export const datasets = [{ id: uuid(70), name: "python-docs", kind: "text", license: "PSF-2.0", bytes: 12_400_000, files: 497, created_at: iso(start), tokens: {} }];
const rule = (path, kind, help, allowed = "", more = {}) => ({ path, kind, help, allowed, ...more });
export const models = {
  families: [{ name: "qovaryx", title: "Qovaryx", summary: "Predicts several tokens ahead.", sizes: [{ name: "nano", parameters: 158_592, max_seq_len: 256, vocab_size: 512 }, { name: "50m", parameters: 46_557_184, max_seq_len: 4096, vocab_size: 20242 }, { name: "350m", parameters: 351_000_000, max_seq_len: 8192, vocab_size: 32000 }], fields: [{ name: "ffn_kind", kind: "choice", help: "Feed-forward network.", allowed: "swiglu", choices: ["swiglu", "block_untied"] }] }],
  fields: [
    rule("name", "text", "Letters, digits, dots and dashes. Shown everywhere."), rule("model.family", "text", "Model family."), rule("model.size", "text", "One of the family's sizes."), rule("task", "choice", "What the run does.", "pretrain", { choices: ["pretrain"], default: "pretrain" }),
    rule("data.dataset", "text", "A dataset of the pool."), rule("data.seq_len", "integer", "Tokens per row.", "8 to 1,048,576", { default: 256 }), rule("train.steps", "integer", "Optimizer steps.", "", { default: 1000 }), rule("train.batch_tokens", "integer", "Tokens a step; stays the same on every card.", "", { default: 4096 }),
    rule("train.precision", "choice", "Of the matrix products; masters stay fp32.", "", { choices: ["fp32", "bf16", "fp64"], default: "fp32" }), rule("optimizer.lr", "number", "Peak learning rate, after warm-up.", "", { default: 3e-4 }), rule("optimizer.schedule", "choice", "Course of the learning rate.", "", { choices: ["cosine", "constant"], default: "cosine" }),
    rule("optimizer.warmup_steps", "integer", "Steps of linear rise to the peak.", "", { default: 100 }), rule("run.priority", "choice", "High goes before normal, normal before low.", "", { choices: ["low", "normal", "high"], default: "normal" }), rule("run.devices", "text", "any, gpu, cpu, or names such as studio/0.", "", { default: "any" }), rule("run.tags", "text_list", "Words to find the run by."),
  ],
  presets: [
    { name: "nano", title: "Qovaryx nano", summary: "A first run on the Python docs", spec: { name: "qvx-nano-first", model: { family: "qovaryx", size: "nano" }, data: { dataset: "python-docs", seq_len: 256 }, train: { steps: 1200, batch_tokens: 4096 } } },
    { name: "50m", title: "Qovaryx 50M", summary: "Predicts 4 tokens ahead", spec: spec("qvx50-pydocs") },
  ],
};
