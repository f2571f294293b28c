import { Button, FileInput, Modal, TextInput } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { useState } from "react";
import { ApiError } from "../api/client";
import { useAddData } from "../api/datasets";
import type { AddProgress } from "../api/datasets";
import type { DatasetView } from "../api/types";
import { datasetName, importShare, importWords } from "../model/datasets";
import { fileSize, plural } from "../model/format";
import { Meter } from "./Meter";
import { Problem } from "./Notices";

interface Props {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onAdded: (dataset: DatasetView) => void;
  /** Files that were dropped on the page. */
  readonly dropped?: readonly File[];
}

/** Makes a dataset of files from the reader's machine, or of an address. */
export function AddText({ opened, onClose, onAdded, dropped = [] }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title="Add data" size={480} closeButtonProps={{ "aria-label": "Close" }}>
      <AddForm key={dropped.map((f) => f.name).join("/")} dropped={dropped} onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function AddForm({ dropped, onClose, onAdded }: { dropped: readonly File[]; onClose: () => void; onAdded: (dataset: DatasetView) => void }) {
  const [files, setFiles] = useState<readonly File[]>(dropped);
  const [url, setUrl] = useState("");
  const [name, setName] = useState(dropped[0] === undefined ? "" : datasetName(dropped[0].name));
  const [license, setLicense] = useState("");
  const [progress, setProgress] = useState<AddProgress | null>(null);
  const add = useAddData(setProgress);
  const wrong = new Map(add.error instanceof ApiError ? add.error.errors.map((e) => [e.field, e.message]) : []);
  const shown = ["files", "url", "name", "license"].some((field) => wrong.has(field));
  const choose = (chosen: readonly File[]) => {
    setFiles(chosen);
    setName(chosen[0] === undefined ? name : datasetName(chosen[0].name));
  };
  const submit = () => {
    setProgress(null);
    add.mutate({ files, url, name, license }, { onSuccess: (dataset) => { onAdded(dataset); onClose(); } });
  };
  return (
    <form className="stack" onSubmit={(e) => { e.preventDefault(); submit(); }}>
      <p className="soft">Text, Markdown, JSONL, conversations, Parquet; packed as gzip, Zstandard, tar or zip too. One document a file or a line; a single text is cut into documents at its blank lines.</p>
      <FileInput label="Files" size="xs" multiple placeholder="Choose files, or drop them on the page" leftSection={<IconFileText size={14} stroke={1.6} />} value={[...files]} onChange={choose} error={wrong.get("files")} disabled={add.isPending}
        description={files.length === 0 ? "Of any length." : `${plural(files.length, "file")}, ${fileSize(files.reduce((sum, f) => sum + f.size, 0))}`} inputWrapperOrder={["label", "input", "error", "description"]} />
      {files.length === 0 && <TextInput label="Or an address" placeholder="https://example.org/corpus.jsonl.gz" value={url} error={wrong.get("url")} disabled={add.isPending} onChange={(e) => setUrl(e.currentTarget.value)} />}
      <TextInput label="Name" value={name} error={wrong.get("name")} disabled={add.isPending} onChange={(e) => setName(e.currentTarget.value)} />
      <TextInput label="Licence" placeholder="CC-BY-4.0, or my own notes" value={license} error={wrong.get("license")} disabled={add.isPending} onChange={(e) => setLicense(e.currentTarget.value)} />
      {add.isPending && progress && <Progress progress={progress} />}
      {add.error && !shown && <Problem title="It was not added" words={add.error.message} />}
      <div className="row" style={{ justifyContent: "flex-end" }}>
        <Button onClick={onClose}>Close</Button>
        <Button type="submit" variant="filled" loading={add.isPending} disabled={files.length === 0 && url === ""}>Add it</Button>
      </div>
    </form>
  );
}

function Progress({ progress }: { progress: AddProgress }) {
  const sending = "sent" in progress;
  const share = sending ? progress.sent / progress.of : importShare(progress);
  return (
    <div className="stack" style={{ gap: 5 }} role="status">
      <span className="small soft">{sending ? `Sending: ${fileSize(progress.sent)} of ${fileSize(progress.of)}` : importWords(progress)}</span>
      <Meter value={share ?? 0} starting={share === null} label={sending ? "Sent" : "Imported"} height={6} />
    </div>
  );
}
