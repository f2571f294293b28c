import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Navigate, Outlet, useLocation, useNavigate } from "react-router";
import { ApiError } from "../api/client";
import { live, useLive } from "../api/live";
import { useWorkers } from "../api/pool";
import { useRunPages } from "../api/runs";
import { signOut, useMe } from "../api/session";
import type { Me } from "../api/types";
import { KeysDialog } from "../components/KeysDialog";
import { LostBanner, Problem } from "../components/Notices";
import { Shell } from "../components/Shell";
import { poolCounts } from "../model/pool";
import { intoSections, SECTION_STATES } from "../model/runs";
import { useKeys } from "./keys";

const TRAINING = { states: SECTION_STATES.training, family: "", text: "" };

/** Everything around a page: who is signed in, the stream, the sidebar and the keys that work everywhere. */
export function Frame() {
  const me = useMe();
  const location = useLocation();
  if (me.error instanceof ApiError && me.error.status === 401) {
    const back = location.pathname + location.search;
    return <Navigate to={`/sign-in?to=${encodeURIComponent(back)}`} replace />;
  }
  if (me.error) {
    return <div className="centre"><Problem title="The coordinator did not answer" words="Runs go on training; this page comes back when it does." onRetry={() => void me.refetch()} /></div>;
  }
  return me.data === undefined ? null : <SignedIn me={me.data} />;
}

function SignedIn({ me }: { me: Me }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const [keysShown, setKeysShown] = useState(false);
  const { state, connection, seenAt } = useLive();
  useEffect(() => live.start(client), [client]);
  useKeys({
    n: () => void navigate("/runs/new"),
    "?": () => setKeysShown(true),
    "g r": () => void navigate("/runs"),
    "g p": () => void navigate("/pool"),
    "g y": () => void navigate("/playground"),
  });
  const workers = useWorkers();
  const pages = useRunPages(TRAINING);
  const training = intoSections(pages.data?.pages.flatMap((p) => p.items) ?? [], state.runs, TRAINING).training.length;
  const pool = poolCounts(workers.data ?? []);
  const leave = () => void signOut().finally(() => { client.clear(); void navigate("/sign-in"); });
  return (
    <Shell pool={me.pool} user={me.name} admin={me.role === "admin"} training={training} cards={pool.cards === 0 ? "" : `${pool.busy} of ${pool.cards}`}
      connection={connection} dark={dark} onScheme={() => setColorScheme(dark ? "light" : "dark")} onSignOut={leave}
      banner={connection === "lost" ? <LostBanner seenAt={seenAt} /> : null}>
      <Outlet />
      <KeysDialog opened={keysShown} onClose={() => setKeysShown(false)} />
    </Shell>
  );
}
