import { IconCopy } from "@tabler/icons-react";
import { useState } from "react";
import type { Spec } from "../api/types";
import { toYaml } from "../model/specForm";

/** The run as a file, as the form and the CLI take it. */
export function ConfigView({ spec }: { spec: Spec }) {
  const text = toYaml(spec);
  const [copied, setCopied] = useState(false);
  return (
    <section className="panel" aria-label="Config">
      <header className="chart-head" style={{ padding: "10px 16px", borderBottom: "1px solid var(--line)" }}>
        <h2>YAML <span className="small dim" style={{ fontWeight: 400 }}>same run, for files and the CLI</span></h2>
        <button className="icon-button" style={{ marginLeft: "auto" }} aria-label="Copy" title="Copy"
          onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}><IconCopy size={16} stroke={1.6} /></button>
        <span role="status" className="small good">{copied ? "Copied" : ""}</span>
      </header>
      <pre className="config">{text.split("\n").map((line, i) => <Line key={i} line={line} />)}</pre>
    </section>
  );
}

function Line({ line }: { line: string }) {
  const parts = /^(\s*(?:- )?)([\w.]+)(:)(.*)$/.exec(line);
  if (parts === null) {
    return <span>{line}{"\n"}</span>;
  }
  const value = parts[4]!;
  const number = /^\s*-?[\d.]+(e[+-]?\d+)?$/.test(value);
  return <span>{parts[1]}<span className="key">{parts[2]}</span>{parts[3]}<span className={number ? "number" : "word"}>{value}</span>{"\n"}</span>;
}
