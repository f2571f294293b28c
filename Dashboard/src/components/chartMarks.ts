import type uPlot from "uplot";
import type { ChartState } from "./chartOptions";
import { token } from "./chartOptions";

/** Grounds of attempts, hatched gaps and the dotted line of each move; under the lines. */
export function drawBehind(u: uPlot, state: ChartState): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = token("alternate");
  for (const [from, to] of state.marks.grounds) {
    const a = u.valToPos(from, "x", true);
    ctx.fillRect(a, top, u.valToPos(to, "x", true) - a, height);
  }
  for (const [from, to] of state.marks.gaps) {
    const a = u.valToPos(from, "x", true);
    hatch(ctx, a, top, u.valToPos(to, "x", true) - a, height);
  }
  ctx.strokeStyle = token("owner");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const move of state.marks.moves) {
    const x = Math.round(u.valToPos(move.x, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.restore();
}

function hatch(ctx: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = token("sunken");
  ctx.fillRect(x, y, width, height);
  ctx.strokeStyle = token("line-2");
  ctx.lineWidth = devicePixelRatio;
  const step = 8 * devicePixelRatio;
  ctx.beginPath();
  for (let at = x - height; at < x + width; at += step) {
    ctx.moveTo(at, y + height);
    ctx.lineTo(at + height, y);
  }
  ctx.stroke();
  ctx.restore();
}

/** Words of moves, checkpoint diamonds on the axis and the head dot; over the lines. */
export function drawFront(u: uPlot, state: ChartState): void {
  const { ctx } = u;
  const big = state.model.id === "loss";
  ctx.save();
  if (big) {
    moveWords(u, state);
    state.marks.checkpoints.forEach((mark) => diamond(u, mark.x, mark.kept));
  }
  if (state.live) {
    headDot(u, state);
  }
  ctx.restore();
}

function moveWords(u: uPlot, state: ChartState): void {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  const right = u.bbox.left + u.bbox.width;
  let free = -Infinity;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const move of state.marks.moves) {
    const x = u.valToPos(move.x, "x", true);
    if (x < u.bbox.left || x > right) {
      continue;
    }
    const y = u.bbox.top + 5 * ratio;
    ctx.beginPath();
    ctx.arc(x, y, 3.5 * ratio, 0, Math.PI * 2);
    ctx.fillStyle = token("surface");
    ctx.fill();
    ctx.strokeStyle = token("owner");
    ctx.lineWidth = 1.5 * ratio;
    ctx.stroke();
    ctx.font = `${11 * ratio}px "Inter Variable", sans-serif`;
    const width = Math.max(ctx.measureText(move.label).width, ctx.measureText(move.sub).width);
    if (x < free || x + width + 10 * ratio > right) {
      continue;
    }
    free = x + width + 16 * ratio;
    ctx.fillStyle = token("text");
    ctx.fillText(move.label, x + 8 * ratio, y);
    ctx.fillStyle = token("text-2");
    ctx.fillText(move.sub, x + 8 * ratio, y + 13 * ratio);
  }
}

function diamond(u: uPlot, at: number, kept: boolean): void {
  const { ctx } = u;
  const x = u.valToPos(at, "x", true);
  if (x < u.bbox.left - 1 || x > u.bbox.left + u.bbox.width + 1) {
    return;
  }
  const y = u.bbox.top + u.bbox.height;
  const r = 4 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
  ctx.fillStyle = token(kept ? "text-2" : "surface");
  ctx.fill();
  ctx.strokeStyle = token("text-2");
  ctx.lineWidth = 1.2 * devicePixelRatio;
  ctx.stroke();
}

function headDot(u: uPlot, state: ChartState): void {
  const { ctx } = u;
  const line = state.model.lines[0];
  if (line === undefined) {
    return;
  }
  let i = line.values.length - 1;
  while (i >= 0 && typeof line.values[i] !== "number") {
    i--;
  }
  const value = line.values[i];
  if (typeof value !== "number" || value > state.range.high || value < state.range.low) {
    return;
  }
  const x = u.valToPos(state.model.x[i]!, "x", true);
  if (x > u.bbox.left + u.bbox.width + 2 || x < u.bbox.left) {
    return;
  }
  const y = u.valToPos(value, "y", true);
  const color = token(`s${line.color}`);
  for (const [radius, alpha] of [[6, 0.22], [3, 1]] as const) {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = color;
    ctx.beginPath();
    ctx.arc(x, y, radius * devicePixelRatio, 0, Math.PI * 2);
    ctx.fill();
  }
  ctx.globalAlpha = 1;
}
