import { Select, TextInput } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { FieldView } from "../model/formLayout";
import { fromInput, toInput } from "../model/specForm";

interface Props {
  readonly field: FieldView;
  readonly value: unknown;
  readonly error: string;
  readonly locked: boolean;
  readonly onValue: (path: string, value: unknown) => void;
}

/** One field of the form; the error is the API's sentence. */
export function SpecField({ field, value, error, locked, onValue }: Props) {
  const shown = toInput(value, field.kind);
  const [typed, setTyped] = useState<string | null>(null);
  useEffect(() => setTyped(null), [shown]);
  const words = error === "" ? undefined : <span className="field-error"><IconAlertTriangle size={13} stroke={1.6} aria-hidden />{error}</span>;
  const common = { label: field.label, description: field.help, error: words, disabled: locked, inputWrapperOrder: ["label", "input", "error", "description"] as ("label" | "input" | "error" | "description")[], id: fieldId(field.path), ...(field.wide ? { className: "wide" } : {}) };
  if (field.choices !== null) {
    const known = field.choices.some((choice) => choice.value === shown) || shown === "";
    const data = known ? [...field.choices] : [...field.choices, { value: shown, label: shown }];
    return <Select {...common} data={data} value={shown === "" ? field.fallback ?? null : shown} searchable={data.length > 8} onChange={(next) => next !== null && onValue(field.path, fromInput(field.kind, next))} />;
  }
  const commit = (text: string) => onValue(field.path, fromInput(field.kind, text));
  return (
    <TextInput {...common} value={typed ?? shown} placeholder={field.fallback ?? ""} rightSection={field.unit ? <span style={{ whiteSpace: "nowrap" }}>{field.unit}</span> : undefined}
      rightSectionWidth={field.unit ? field.unit.length * 6.5 + 16 : undefined} rightSectionPointerEvents="none" spellCheck={false} autoComplete="off"
      onChange={(e) => { setTyped(e.currentTarget.value); commit(e.currentTarget.value); }} onBlur={() => setTyped(null)} />
  );
}

export function fieldId(path: string): string {
  return `field-${path.replaceAll(".", "-")}`;
}
