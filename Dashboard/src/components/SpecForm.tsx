import { useState } from "react";
import type { FieldError, Spec } from "../api/types";
import type { FormSection } from "../model/formLayout";
import { getField } from "../model/specForm";
import { SpecField } from "./SpecField";

interface Props {
  readonly sections: readonly FormSection[];
  readonly spec: Spec | null;
  readonly errors: readonly FieldError[];
  /** True while the YAML cannot be read: the form shows what held before. */
  readonly locked: boolean;
  readonly onValue: (path: string, value: unknown) => void;
  readonly onAddText: () => void;
}

/** The form half of the editor. */
export function SpecForm({ sections, spec, errors, locked, onValue, onAddText }: Props) {
  return (
    <section className="panel form" aria-label="Form">
      {locked && <p className="small bad" role="status">The YAML cannot be read; the form shows what held before.</p>}
      {sections.map((section) => <Section key={section.title} section={section} spec={spec} errors={errors} locked={locked} onValue={onValue} onAddText={onAddText} />)}
    </section>
  );
}

function Section({ section, spec, errors, locked, onValue, onAddText }: Omit<Props, "sections"> & { section: FormSection }) {
  const [open, setOpen] = useState(false);
  const wrong = new Map(errors.map((error) => [error.field, error.message]));
  const all = open || section.more.some((field) => wrong.has(field.path));
  const fields = all ? [...section.fields, ...section.more] : section.fields;
  return (
    <div className="form-section" role="group" aria-label={section.title}>
      <header>
        <h2>{section.title}</h2>
        {section.title === "Data" && <button type="button" className="link small" style={{ marginLeft: "auto" }} onClick={onAddText}>Add a text…</button>}
        {section.more.length > 0 && <button type="button" className="link small" aria-expanded={all} onClick={() => setOpen(!all)}>{all ? "Fewer settings" : `${section.more.length} more settings`}</button>}
      </header>
      {fields.map((field) => (
        <SpecField key={field.path} field={field} value={getField(spec, field.path)} error={wrong.get(field.path) ?? ""} locked={locked} onValue={onValue} />
      ))}
    </div>
  );
}
