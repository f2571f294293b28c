import { Modal } from "@mantine/core";

const KEYS: readonly (readonly [string, string])[] = [
  ["N", "New run"],
  ["G then R, P, Y", "Runs, Pool, Playground"],
  ["/", "Find runs, find in the log"],
  ["J, K", "Next, previous run in the list"],
  ["X", "Select the run"],
  ["Enter", "Open the run"],
  ["1 to 5", "Tabs of a run"],
  ["L", "Log scale of the charts"],
  ["D", "Data table of the charts"],
  ["0 or double-click", "All of a zoomed chart"],
  ["Ctrl Enter", "Submit the run"],
  ["Esc", "Close the top layer"],
];

/** All keys that work. */
export function KeysDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" size={420} closeButtonProps={{ "aria-label": "Close" }}>
      <dl style={{ display: "grid", gridTemplateColumns: "150px 1fr", gap: "7px 12px", marginTop: 8 }}>
        {KEYS.map(([key, words]) => [
          <dt key={`${key} key`}><span className="kbd">{key}</span></dt>,
          <dd key={key} className="soft">{words}</dd>,
        ])}
      </dl>
    </Modal>
  );
}
