import type { ChartLine, ChartModel, Column } from "../model/charts";

/** Values at the cursor, else the last ones; nothing moves when they change. */
export function ChartLegend({ model, cursor }: { model: ChartModel; cursor: number | null }) {
  return (
    <header className="chart-head">
      <h2>{model.title} {model.unit !== "" && <span className="tiny dim">{model.unit}</span>}</h2>
      <div className="chart-legend">
        {model.lines.map((line) => (
          <span key={line.label}>
            <i style={{ background: `var(--s${line.color})` }} aria-hidden />{line.label} <b>{valueOf(model, line.values, cursor)}</b>
            {line.raw && model.id === "loss" && <span className="dim raw"> raw {valueOf(model, line.raw, cursor)}</span>}
          </span>
        ))}
      </div>
    </header>
  );
}

/** The value at the place, or the nearest one before it. */
function valueOf(model: ChartModel, column: Column, cursor: number | null): string {
  for (let i = Math.min(cursor ?? column.length - 1, column.length - 1); i >= 0; i--) {
    const value = column[i];
    if (typeof value === "number") {
      return model.format(value);
    }
  }
  return "–";
}

/** Every value that is drawn, for readers and for those who want numbers. */
export function ChartTable({ model, axis }: { model: ChartModel; axis: string }) {
  const rows = tableRows(model, model.lines);
  return (
    <section className="panel chart" aria-label={`${model.title}, data`}>
      <header className="chart-head"><h2>{model.title} <span className="tiny dim">{model.unit}</span></h2></header>
      <div className="chart-table" tabIndex={0}>
        <table>
          <thead><tr><th scope="col">{axis}</th>{model.lines.map((line) => <th key={line.label} scope="col">{line.label}</th>)}</tr></thead>
          <tbody>{rows.map((i) => <tr key={i}><td>{axis === "step" ? model.x[i] : new Date(model.x[i]! * 1000).toLocaleTimeString("en-GB")}</td>
            {model.lines.map((line) => <td key={line.label}>{typeof line.values[i] === "number" ? model.format(line.values[i]) : ""}</td>)}</tr>)}</tbody>
        </table>
      </div>
    </section>
  );
}

const MOST_ROWS = 200;

/** Rows with a value, evenly thinned to at most 200, the last one always among them. */
function tableRows(model: ChartModel, lines: readonly ChartLine[]): number[] {
  const rows = model.x.map((_, i) => i).filter((i) => lines.some((line) => typeof line.values[i] === "number"));
  const every = Math.ceil(rows.length / MOST_ROWS);
  return rows.filter((_, i) => (rows.length - 1 - i) % Math.max(1, every) === 0);
}
