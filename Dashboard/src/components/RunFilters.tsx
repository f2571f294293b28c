import { Menu } from "@mantine/core";
import { IconPlus, IconSearch, IconX } from "@tabler/icons-react";
import type { RefObject } from "react";
import type { RunState } from "../api/types";
import { stateWord } from "../model/runs";

interface Props {
  readonly text: string;
  readonly states: readonly RunState[];
  readonly family: string;
  readonly families: readonly string[];
  readonly search: RefObject<HTMLInputElement | null>;
  readonly onText: (text: string) => void;
  readonly onStates: (states: readonly RunState[]) => void;
  readonly onFamily: (family: string) => void;
}

const STATES: readonly RunState[] = ["running", "starting", "queued", "paused", "succeeded", "failed", "cancelled"];

/** Text, state and model filters; all of them live in the address. */
export function RunFilters({ text, states, family, families, search, onText, onStates, onFamily }: Props) {
  const toggle = (state: RunState) => onStates(states.includes(state) ? states.filter((s) => s !== state) : [...states, state]);
  return (
    <div className="toolbar" role="search">
      <div className="search">
        <IconSearch size={15} stroke={1.6} aria-hidden />
        <input ref={search} value={text} aria-label="Find runs" placeholder="Name, tag or model" onChange={(e) => onText(e.currentTarget.value)}
          onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()} />
        <span className="kbd" aria-hidden>/</span>
      </div>
      <Menu shadow="md" closeOnItemClick={false} position="bottom-start">
        <Menu.Target>
          <Chip name="State" value={states.map(stateWord).join(", ")} onClear={() => onStates([])} />
        </Menu.Target>
        <Menu.Dropdown>
          {STATES.map((state) => <Menu.Item key={state} onClick={() => toggle(state)} role="menuitemcheckbox" aria-checked={states.includes(state)}
            rightSection={states.includes(state) ? "✓" : ""}>{stateWord(state)}</Menu.Item>)}
        </Menu.Dropdown>
      </Menu>
      {families.length > 1 || family !== "" ? (
        <Menu shadow="md" position="bottom-start">
          <Menu.Target><Chip name="Model" value={family} onClear={() => onFamily("")} /></Menu.Target>
          <Menu.Dropdown>{families.map((name) => <Menu.Item key={name} onClick={() => onFamily(name)}>{name}</Menu.Item>)}</Menu.Dropdown>
        </Menu>
      ) : null}
    </div>
  );
}

function Chip({ name, value, onClear, ...rest }: { name: string; value: string; onClear: () => void }) {
  if (value === "") {
    return <button type="button" {...rest} className="chip"><IconPlus size={14} stroke={1.6} aria-hidden />{name}</button>;
  }
  return (
    <span className="row" style={{ gap: 0 }}>
      <button type="button" {...rest} className="chip set">{name} <b>{value}</b></button>
      <button type="button" className="icon-button" aria-label={`Clear the ${name.toLowerCase()} filter`} onClick={onClear}><IconX size={14} /></button>
    </span>
  );
}
