import { Button, FileInput, Modal, TextInput } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "../api/client";
import { useAddText } from "../api/pool";
import type { DatasetView } from "../api/types";
import { fileSize, plural } from "../model/format";
import { Problem } from "./Notices";

interface Props {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onAdded: (dataset: DatasetView) => void;
}

/** Makes a dataset of files from the reader's machine. */
export function AddText({ opened, onClose, onAdded }: Props) {
  const [files, setFiles] = useState<readonly File[]>([]);
  const [name, setName] = useState("");
  const [license, setLicense] = useState("");
  const add = useAddText();
  const wrong = new Map(add.error instanceof ApiError ? add.error.errors.map((e) => [e.field, e.message]) : []);
  const choose = (chosen: readonly File[]) => {
    setFiles(chosen);
    setName(chosen[0] === undefined ? name : datasetName(chosen[0].name));
  };
  const submit = () => {
    if (files.length > 0) {
      add.mutate({ files, name, license }, { onSuccess: (dataset) => { onAdded(dataset); onClose(); } });
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Add a text" size={460} closeButtonProps={{ "aria-label": "Close" }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); submit(); }}>
        <p className="soft">Texts, one document each; a single text is cut into documents at its blank lines. Or a .jsonl file with one document a line. Workers fetch it from the coordinator.</p>
        <FileInput label="Files" size="xs" multiple placeholder="Choose files" accept=".txt,.md,.rst,.jsonl,text/*" leftSection={<IconFileText size={14} stroke={1.6} />} value={[...files]} onChange={choose} error={wrong.get("files")}
          description={files.length === 0 ? "Of any length." : `${plural(files.length, "file")}, ${fileSize(files.reduce((sum, f) => sum + f.size, 0))}`} inputWrapperOrder={["label", "input", "error", "description"]} />
        <TextInput label="Name" value={name} error={wrong.get("name")} onChange={(e) => setName(e.currentTarget.value)} />
        <TextInput label="Licence" placeholder="CC-BY-4.0, or my own notes" value={license} error={wrong.get("license")} onChange={(e) => setLicense(e.currentTarget.value)} />
        {add.error && wrong.size === 0 && <Problem title="It was not added" words={add.error.message} />}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" variant="filled" loading={add.isPending} disabled={files.length === 0}>Add it</Button>
        </div>
      </form>
    </Modal>
  );
}

/** "My notes.txt" → "My-notes": what the API takes as a name. */
function datasetName(file: string): string {
  return file.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64);
}
