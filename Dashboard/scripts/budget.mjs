// Fails when the scripts that the first page loads weigh more than the budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 350;
const root = new URL("../../Coordinator/wwwroot/", import.meta.url);
const html = readFileSync(new URL("index.html", root), "utf8");
const scripts = [...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((m) => m[1]);
const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, root))).length, 0);
console.log(`first page: ${(bytes / 1000).toFixed(0)} kB of ${BUDGET_KB} kB gzip in ${scripts.length} scripts`);
process.exit(bytes > BUDGET_KB * 1000 ? 1 : 0);
