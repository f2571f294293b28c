import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import type { Text } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers, MatchDecorator, ViewPlugin, WidgetType } from "@codemirror/view";
import type { DecorationSet, ViewUpdate } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { minimalSetup } from "codemirror";
import { useEffect, useRef } from "react";
import type { LineError } from "../model/specForm";

interface Props {
  readonly text: string;
  readonly errors: readonly LineError[];
  readonly onText: (text: string) => void;
  readonly onSubmit: () => void;
  /** What the text is, for readers. */
  readonly label?: string;
}

const setErrors = StateEffect.define<readonly LineError[]>();

class Words extends WidgetType {
  constructor(readonly message: string) {
    super();
  }

  override eq(other: Words): boolean {
    return other.message === this.message;
  }

  override toDOM(): HTMLElement {
    const element = document.createElement("div");
    element.className = "cm-wrong-words";
    element.textContent = this.message;
    return element;
  }
}

/** The wrong line tinted, its value underlined, the words below it. */
function decorate(doc: Text, errors: readonly LineError[]): DecorationSet {
  const marks = new RangeSetBuilder<Decoration>();
  const byLine = new Map<number, string[]>();
  errors.forEach((error) => byLine.set(error.line, [...(byLine.get(error.line) ?? []), error.message]));
  for (const [number, messages] of [...byLine].sort(([a], [b]) => a - b)) {
    if (number > doc.lines) {
      continue;
    }
    const line = doc.line(number);
    marks.add(line.from, line.from, Decoration.line({ class: "cm-wrong" }));
    const value = /^(\s*[^:#]+:\s*)([^#]*[^#\s])/.exec(line.text);
    if (value) {
      marks.add(line.from + value[1]!.length, line.from + value[0].length, Decoration.mark({ class: "cm-wrong-value" }));
    }
    marks.add(line.to, line.to, Decoration.widget({ widget: new Words(messages.join(" ")), block: true, side: 1 }));
  }
  return marks.finish();
}

const errorField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(old, transaction) {
    const told = transaction.effects.find((effect) => effect.is(setErrors));
    return told ? decorate(transaction.state.doc, told.value as readonly LineError[]) : old.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

const colors = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--s2)" },
  { tag: [tags.string, tags.content], color: "var(--good)" },
  { tag: tags.comment, color: "var(--text-3)" },
]);

/** YAML's grammar has one tag for all plain values; numbers get their own look here. */
const numberMatcher = new MatchDecorator({
  regexp: /(?<=:\s+)-?\d[\d.]*(?:e[+-]?\d+)?(?=\s*(?:#|$))/g,
  decoration: Decoration.mark({ class: "cm-number" }),
});

const numbers = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;

    constructor(view: EditorView) {
      this.decorations = numberMatcher.createDeco(view);
    }

    update(update: ViewUpdate): void {
      this.decorations = numberMatcher.updateDeco(update, this.decorations);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

/** The run as YAML. Text that comes from the form replaces only what differs, so that the cursor stays. */
export function YamlEditor({ text, errors, onText, onSubmit, label = "Run as YAML" }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onText, onSubmit });
  useEffect(() => { latest.current = { onText, onSubmit }; });

  useEffect(() => {
    const made = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([{ key: "Mod-Enter", run: () => { latest.current.onSubmit(); return true; } }]),
          minimalSetup,
          lineNumbers(),
          yaml(),
          syntaxHighlighting(colors),
          numbers,
          errorField,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((t) => t.isUserEvent("form"))) {
              latest.current.onText(update.state.doc.toString());
            }
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
    // Made once; later texts come through the effect below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const editor = view.current;
    const old = editor?.state.doc.toString();
    if (!editor || old === undefined || old === text) {
      return;
    }
    let from = 0;
    while (from < old.length && from < text.length && old[from] === text[from]) {
      from++;
    }
    let tail = 0;
    while (tail < old.length - from && tail < text.length - from && old[old.length - 1 - tail] === text[text.length - 1 - tail]) {
      tail++;
    }
    editor.dispatch({ changes: { from, to: old.length - tail, insert: text.slice(from, text.length - tail) }, userEvent: "form" });
  }, [text]);

  useEffect(() => {
    view.current?.dispatch({ effects: setErrors.of(errors) });
  }, [errors]);

  return <div ref={host} className="yaml" />;
}
