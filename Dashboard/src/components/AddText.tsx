import { Button, FileInput, Modal, TextInput } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "../api/client";
import { useAddText } from "../api/pool";
import type { DatasetView } from "../api/types";
import { fileSize } from "../model/format";
import { Problem } from "./Notices";

interface Props {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onAdded: (dataset: DatasetView) => void;
}

/** Makes a dataset of one file from the reader's machine. */
export function AddText({ opened, onClose, onAdded }: Props) {
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState("");
  const [license, setLicense] = useState("");
  const add = useAddText();
  const wrong = new Map(add.error instanceof ApiError ? add.error.errors.map((e) => [e.field, e.message]) : []);
  const choose = (chosen: File | null) => {
    setFile(chosen);
    setName(chosen === null ? name : datasetName(chosen.name));
  };
  const submit = () => {
    if (file !== null) {
      add.mutate({ file, name, license }, { onSuccess: (dataset) => { onAdded(dataset); onClose(); } });
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Add a text" size={460} closeButtonProps={{ "aria-label": "Close" }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); submit(); }}>
        <p className="soft">A plain text, or a .jsonl file with one document a line. It goes to the coordinator; workers fetch it from there and tokenise it once.</p>
        <FileInput label="File" size="xs" placeholder="Choose a file" accept=".txt,.md,.rst,.jsonl,text/*" leftSection={<IconFileText size={14} stroke={1.6} />} value={file} onChange={choose}
          description={file === null ? "Of any length." : fileSize(file.size)} inputWrapperOrder={["label", "input", "error", "description"]} />
        <TextInput label="Name" value={name} error={wrong.get("name")} onChange={(e) => setName(e.currentTarget.value)} />
        <TextInput label="Licence" placeholder="CC-BY-4.0, or my own notes" value={license} error={wrong.get("license")} onChange={(e) => setLicense(e.currentTarget.value)} />
        {add.error && wrong.size === 0 && <Problem title="It was not added" words={add.error.message} />}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" variant="filled" loading={add.isPending} disabled={file === null}>Add it</Button>
        </div>
      </form>
    </Modal>
  );
}

/** "My notes.txt" → "My-notes": what the API takes as a name. */
function datasetName(file: string): string {
  return file.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64);
}
