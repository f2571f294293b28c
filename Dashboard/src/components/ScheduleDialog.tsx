import { Button, Modal, Select, Switch, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../api/client";
import { useCreateSchedule } from "../api/jobs";
import { useRun, useRunPages } from "../api/runs";
import { CRONS, ownZone, wrongField, ZONES } from "../model/schedules";
import { Problem } from "./Notices";

interface Props {
  /** Id of the run that is taken as a pattern at first; "" = none yet. */
  readonly like: string;
  readonly onClose: () => void;
}

const ALL = { states: [], family: "", text: "" } as const;
const FIELDS = ["name", "cron", "zone"] as const;

/** A run like one that was submitted before, again by the clock. What is wrong with it stands beside its field, in the API's words. */
export function ScheduleDialog({ like, onClose }: Props) {
  const recent = useRunPages(ALL);
  const [chosen, setChosen] = useState(like);
  const pattern = useRun(chosen);
  const create = useCreateSchedule();
  const [name, setName] = useState("");
  const [cron, setCron] = useState<string>(CRONS[0].cron);
  const [zone, setZone] = useState(ownZone);
  const [skip, setSkip] = useState(true);
  const runs = (recent.data?.pages[0]?.items ?? []).map((run) => ({ value: run.id, label: `${run.name}, r-${run.number}` }));
  if (chosen !== "" && pattern.data && runs.every((run) => run.value !== chosen)) {
    runs.unshift({ value: chosen, label: `${pattern.data.summary.name}, r-${pattern.data.summary.number}` });
  }
  const errors = create.error instanceof ApiError ? create.error.errors : [];
  const rest = errors.filter((e) => !FIELDS.some((field) => field === e.field));
  const save = () => create.mutate({ name: name.trim(), spec: pattern.data!.spec, cron, zone, skip_while_running: skip, enabled: true }, { onSuccess: onClose });
  return (
    <Modal opened onClose={onClose} title="New schedule" size={480} closeButtonProps={{ "aria-label": "Close" }}>
      <form style={{ display: "grid", gap: 12 }} onSubmit={(e) => { e.preventDefault(); save(); }}>
        {create.error && errors.length === 0 && <Problem title="It was not made" words={create.error.message} />}
        {rest.length > 0 && <Problem title="Its run would be refused" words={rest.map((e) => e.message).join(" ")} />}
        {pattern.error && <Problem title="The run did not arrive" words={pattern.error.message} onRetry={() => void pattern.refetch()} />}
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} placeholder="nightly" required withAsterisk={false} error={wrongField(errors, "name")} data-autofocus />
        <Select label="Submits a run like" data={runs} value={chosen === "" ? null : chosen} onChange={(value) => setChosen(value ?? "")} searchable required withAsterisk={false}
          placeholder={recent.isPending ? "Reading the runs…" : "one that was submitted before"} nothingFoundMessage="No run is called so" />
        <div>
          <TextInput label="When (cron)" description="minute, hour, day of month, month, day of week" value={cron} onChange={(e) => setCron(e.currentTarget.value)} required withAsterisk={false} error={wrongField(errors, "cron")} />
          <div className="row small" style={{ marginTop: 6, flexWrap: "wrap" }}>
            {CRONS.map((one) => <button key={one.cron} type="button" className="link" aria-pressed={cron === one.cron} onClick={() => setCron(one.cron)}>{one.words}</button>)}
          </div>
        </div>
        <Select label="Time zone" data={ZONES} value={zone} onChange={(value) => setZone(value ?? "UTC")} searchable error={wrongField(errors, "zone")} />
        <Switch label="Skip a time while the last run still runs" checked={skip} onChange={(e) => setSkip(e.currentTarget.checked)} />
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" variant="filled" loading={create.isPending} disabled={pattern.data === undefined}>Make the schedule</Button>
        </div>
      </form>
    </Modal>
  );
}
