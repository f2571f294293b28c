import "../theme/run.css";
import "../theme/runs.css";
import "../theme/sweeps.css";
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { Link } from "react-router";
import { maySubmit, useMe } from "../api/session";
import { useSweeps } from "../api/sweeps";
import type { SweepSummary } from "../api/types";
import { Problem } from "../components/Notices";
import { StateGlyph } from "../components/StateGlyph";
import type { Glyph } from "../components/StateGlyph";
import { clock, plain, plural } from "../model/format";
import { metricWords } from "../model/sweeps";
import { useNow } from "./time";

const GLYPHS: Readonly<Record<SweepSummary["state"], Glyph>> = { running: "running", done: "succeeded", cancelled: "cancelled" };
const WORDS: Readonly<Record<SweepSummary["state"], string>> = { running: "Running", done: "Done", cancelled: "Cancelled" };

/** `/sweeps`: many runs that differ in a few fields. */
export function SweepsRoute() {
  const me = useMe();
  const sweeps = useSweeps();
  const now = useNow(5_000);
  return (
    <>
      <div className="page-head"><h1>Sweeps</h1>{sweeps.data && <span className="small soft grow">{plural(sweeps.data.length, "sweep")}</span>}
        {maySubmit(me.data) && <Button component={Link} to="/sweeps/new" leftSection={<IconPlus size={14} stroke={1.6} />}>New sweep</Button>}
      </div>
      {sweeps.error && <Problem title="The sweeps did not arrive" words={sweeps.error.message} onRetry={() => void sweeps.refetch()} />}
      {sweeps.data?.length === 0 && (
        <div className="panel nothing">
          <b className="strong" style={{ fontSize: 14 }}>No sweep yet</b>
          <span className="soft">A sweep trains variants of a run, stops those that fall behind, and tells which is best. From a file:</span>
          <code>./hearth sweeps submit sweep.yaml</code>
        </div>
      )}
      {sweeps.data && sweeps.data.length > 0 && (
        <div className="panel scroll-x">
          <table className="plain-table">
            <thead><tr><th scope="col">Sweep</th><th scope="col">State</th><th scope="col" className="right">Trials</th><th scope="col">Best</th><th scope="col">By</th><th scope="col">Began</th></tr></thead>
            <tbody>
              {sweeps.data.map((sweep) => (
                <tr key={sweep.id}>
                  <td><Link className="strong" to={`/sweeps/${sweep.id}`}>{sweep.name}</Link> <span className="dim">s-{sweep.number}</span></td>
                  <td className="one-line"><span className="row"><StateGlyph state={GLYPHS[sweep.state]} progress={sweep.started / sweep.trials} title={WORDS[sweep.state]} />{WORDS[sweep.state]}{sweep.training > 0 && <span className="soft">{sweep.training} training</span>}</span></td>
                  <td className="right one-line">{sweep.started} of {sweep.trials}</td>
                  <td className="one-line">{sweep.best_trial === null || sweep.best_trial === undefined ? <span className="dim">–</span> : <>trial {sweep.best_trial}, {metricWords(sweep.metric)} {plain(sweep.best_value)}</>}</td>
                  <td>{sweep.created_by}</td>
                  <td className="one-line">{clock(Date.parse(sweep.created_at), now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
