import "../theme/run.css";
import { Button, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { useCreateToken, useRevokeToken, useTokens } from "../api/session";
import type { Token } from "../api/types";
import { Confirm } from "../components/Confirm";
import { Problem } from "../components/Notices";
import { clock } from "../model/format";

const ROLES = [
  { value: "view", label: "view: look only" },
  { value: "submit", label: "submit: look and run" },
  { value: "admin", label: "admin: everything" },
];
const VALID = [
  { value: "30", label: "30 days" },
  { value: "365", label: "1 year" },
  { value: "", label: "no end" },
];

/** `/settings/tokens`: make and revoke access tokens. */
export function TokensRoute() {
  const tokens = useTokens();
  const create = useCreateToken();
  const revoke = useRevokeToken();
  const [name, setName] = useState("");
  const [role, setRole] = useState("submit");
  const [days, setDays] = useState("365");
  const error = tokens.error ?? create.error ?? revoke.error;
  const submit = () => create.mutate({ name: name.trim(), role, days_valid: days === "" ? null : Number(days) }, { onSuccess: () => setName("") });
  return (
    <>
      <div className="page-head"><h1>Tokens</h1><span className="small soft">one per person or script; the secret is shown once</span></div>
      {error && <Problem title="That was not done" words={error.message} />}
      <form className="panel row" style={{ padding: 14, marginBottom: 10, alignItems: "flex-end", flexWrap: "wrap" }} onSubmit={(e) => { e.preventDefault(); submit(); }}>
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} placeholder="laptop" required withAsterisk={false} />
        <Select label="Role" data={ROLES} value={role} onChange={(value) => setRole(value ?? "view")} />
        <Select label="Valid" data={VALID} value={days} onChange={(value) => setDays(value ?? "")} />
        <Button type="submit" variant="filled" style={{ height: 32 }} loading={create.isPending}>Make a token</Button>
      </form>
      {create.data?.secret && (
        <div className="notice warn" role="status" style={{ marginBottom: 10 }}>
          <div><b className="strong">Copy it now, it is not shown again.</b><p><code style={{ overflowWrap: "anywhere" }}>{create.data.secret}</code></p></div>
        </div>
      )}
      {tokens.data && <TokenTable tokens={tokens.data} onRevoke={(id) => revoke.mutate(id)} />}
    </>
  );
}

function TokenTable({ tokens, onRevoke }: { tokens: readonly Token[]; onRevoke: (id: string) => void }) {
  const now = Date.now();
  const [ending, setEnding] = useState<Token | null>(null);
  return (
    <div className="panel scroll-x">
      <Confirm opened={ending !== null} title={`Revoke ${ending?.name ?? ""}?`} onKeep={() => setEnding(null)} act="Revoke token" onAct={() => { onRevoke(ending!.id); setEnding(null); }}>
        Whoever uses it is signed out at once and cannot sign in with it again. Their runs go on.
      </Confirm>
      <table className="plain-table">
        <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Made</th><th scope="col">Ends</th><th scope="col"><span className="visually-hidden">Revoke</span></th></tr></thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.id}>
              <td className="strong">{token.name}</td><td>{token.role}</td><td>{clock(Date.parse(token.created_at), now)}</td>
              <td>{token.expires_at ? clock(Date.parse(token.expires_at), now) : "no end"}</td>
              <td className="right"><button className="link small" aria-label={`Revoke ${token.name}`} onClick={() => setEnding(token)}>Revoke…</button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
