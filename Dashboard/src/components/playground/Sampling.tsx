import { Checkbox, Select, TextInput } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { CheckpointChoice, FieldError } from "../../api/types";
import type { Knobs, NumberKnob, PlayMode } from "../../model/playground";

interface Props {
  readonly mode: PlayMode;
  readonly choices: readonly CheckpointChoice[];
  readonly knobs: Knobs;
  readonly errors: readonly FieldError[];
  readonly onKnob: (name: keyof Knobs, value: string | boolean) => void;
}

const TEMPLATES = [
  { value: "auto", label: "auto: the tokenizer's own" },
  { value: "plain", label: "plain" },
  { value: "chatml", label: "ChatML" },
  { value: "vuaf", label: "VUAF" },
];

/** How tokens are drawn, for all panes alike; a knob that no shown model has is not there. */
export function Sampling({ mode, choices, knobs, errors, onKnob }: Props) {
  const wrong = new Map(errors.map((error) => [error.field, error.message]));
  const number = (name: NumberKnob, label: string, locked = false) => (
    <TextInput label={label} value={locked ? "0" : knobs[name]} disabled={locked} inputMode="decimal" autoComplete="off" spellCheck={false}
      error={wrong.has(name) && <span className="field-error"><IconAlertTriangle size={13} stroke={1.6} aria-hidden />{wrong.get(name)}</span>} onChange={(e) => onKnob(name, e.currentTarget.value)} />
  );
  const loops = choices.some((choice) => choice.loops > 1);
  const drafts = choices.some((choice) => choice.drafts > 0);
  const memory = choices.some((choice) => choice.memory);
  return (
    <div className="play-part" role="group" aria-label="Sampling">
      <h2>Sampling</h2>
      <div className="knobs">
        {number("temperature", "Temperature", knobs.speculative)}
        {number("top_p", "Top p")}
        {number("top_k", "Top k")}
        {number("max_tokens", "Most tokens")}
        {number("seed", "Seed")}
        {loops && number("halt_threshold", "Halt threshold")}
      </div>
      {mode === "chat" && <Select label="Chat template" data={TEMPLATES} value={knobs.template} allowDeselect={false} error={wrong.get("template")} onChange={(value) => onKnob("template", value ?? "auto")} />}
      {drafts && <Checkbox size="xs" label="Draft ahead and verify (greedy)" checked={knobs.speculative} onChange={(e) => onKnob("speculative", e.currentTarget.checked)} />}
      {memory && <Checkbox size="xs" label="Keep the ring memory between questions" checked={knobs.keep_memory} onChange={(e) => onKnob("keep_memory", e.currentTarget.checked)} />}
    </div>
  );
}
