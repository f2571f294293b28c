import { IconAdjustmentsSearch, IconCalendarTime, IconCpu, IconDatabase, IconKey, IconLayoutList, IconLogout, IconMessageChatbot, IconMoon, IconPlus, IconSun } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link, NavLink } from "react-router";
import type { Connection } from "../model/live";
import { Brand } from "./Brand";

interface Props {
  readonly pool: string;
  readonly user: string;
  readonly admin: boolean;
  readonly training: number;
  readonly cards: string;
  readonly connection: Connection;
  readonly dark: boolean;
  readonly onScheme: () => void;
  readonly onSignOut: () => void;
  readonly banner: ReactNode;
  readonly children: ReactNode;
}

const LIGHT: Readonly<Record<Connection, string>> = { live: "Live", reconnecting: "Reconnecting", lost: "Reconnecting" };

/** Sidebar, bottom bar on phones, and the page. */
export function Shell(props: Props) {
  const { pool, user, admin, training, cards, connection, dark, onScheme, onSignOut, banner, children } = props;
  return (
    <div className="shell">
      <nav className="side" aria-label="Pages">
        <Link to="/runs" className="brand" aria-label="Hearth"><Brand /><span className="label">Hearth</span><span className="dim">{pool}</span></Link>
        <Link to="/runs/new" className="new-run" aria-label="New run">
          <IconPlus size={16} stroke={1.6} aria-hidden /><span className="label">New run</span><span className="kbd" aria-hidden>N</span>
        </Link>
        <Item to="/runs" icon={<IconLayoutList size={16} stroke={1.6} aria-hidden />} label="Runs" count={training > 0 ? String(training) : ""} live />
        <Item to="/sweeps" icon={<IconAdjustmentsSearch size={16} stroke={1.6} aria-hidden />} label="Sweeps" />
        <Item to="/pool" icon={<IconCpu size={16} stroke={1.6} aria-hidden />} label="Pool" count={cards} />
        <Item to="/datasets" icon={<IconDatabase size={16} stroke={1.6} aria-hidden />} label="Datasets" />
        <Item to="/playground" icon={<IconMessageChatbot size={16} stroke={1.6} aria-hidden />} label="Playground" />
        <Item to="/schedules" icon={<IconCalendarTime size={16} stroke={1.6} aria-hidden />} label="Schedules" />
        {admin && <Item to="/settings/tokens" icon={<IconKey size={16} stroke={1.6} aria-hidden />} label="Tokens" />}
        <div className="side-foot">
          <span className="avatar" aria-hidden>{user.charAt(0).toUpperCase()}</span>
          <span className="who cut">{user}</span>
          <span className={`light ${connection}`} role="status" title={LIGHT[connection]}><span>{LIGHT[connection]}</span></span>
          <SchemeButton dark={dark} onScheme={onScheme} />
          <button className="icon-button" aria-label="Sign out" title="Sign out" onClick={onSignOut}><IconLogout size={16} stroke={1.6} /></button>
        </div>
      </nav>
      <main className="main" id="main">
        {banner}
        {children}
      </main>
      <nav className="bottom" aria-label="Pages, phone">
        <NavLink to="/runs" end><IconLayoutList size={20} stroke={1.6} aria-hidden />Runs</NavLink>
        <NavLink to="/pool"><IconCpu size={20} stroke={1.6} aria-hidden />Pool</NavLink>
        <NavLink to="/runs/new" className="plus" aria-label="New run"><IconPlus size={22} stroke={1.6} aria-hidden /></NavLink>
        <NavLink to="/sweeps"><IconAdjustmentsSearch size={20} stroke={1.6} aria-hidden />Sweeps</NavLink>
        <NavLink to="/playground"><IconMessageChatbot size={20} stroke={1.6} aria-hidden />Play</NavLink>
      </nav>
    </div>
  );
}

function Item({ to, icon, label, count = "", live = false }: { to: string; icon: ReactNode; label: string; count?: string; live?: boolean }) {
  return (
    <NavLink to={to} className={({ isActive }) => (isActive ? "nav active" : "nav")} aria-label={label} title={label}>
      {icon}<span className="label">{label}</span>{count !== "" && <span className={live ? "count live" : "count"}>{count}</span>}
    </NavLink>
  );
}

function SchemeButton({ dark, onScheme }: { dark: boolean; onScheme: () => void }) {
  const words = dark ? "Use the light theme" : "Use the dark theme";
  return (
    <button className="icon-button" aria-label={words} title={words} onClick={onScheme}>
      {dark ? <IconSun size={16} stroke={1.6} /> : <IconMoon size={16} stroke={1.6} />}
    </button>
  );
}
