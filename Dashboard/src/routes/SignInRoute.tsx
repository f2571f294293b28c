import { Button, PasswordInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { ApiError } from "../api/client";
import { signIn } from "../api/session";
import { Brand } from "../components/Brand";

/** Trades a token for a session cookie. */
export function SignInRoute() {
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();

  const submit = async () => {
    if (token.trim() === "") {
      setError("Paste a token first.");
      return;
    }
    setBusy(true);
    try {
      await signIn(token.trim());
      client.clear();
      const to = params.get("to") ?? "/runs";
      void navigate(to.startsWith("/") && !to.startsWith("//") ? to : "/runs", { replace: true });
    } catch (cause) {
      const refused = cause instanceof ApiError && cause.status === 401;
      setError(refused ? "This token is not known here, or has expired." : (cause as Error).message);
      setBusy(false);
    }
  };

  return (
    <main className="centre">
      <form className="panel" style={{ width: "min(400px, 100%)", padding: 26 }} onSubmit={(e) => { e.preventDefault(); void submit(); }}>
        <div className="row" style={{ marginBottom: 14 }}><Brand size={26} /><h1>Hearth</h1></div>
        <PasswordInput label="Token" size="xs" autoFocus autoComplete="current-password" value={token} error={error === "" ? undefined : error}
          description="The coordinator printed the first one when it started." inputWrapperOrder={["label", "input", "error", "description"]}
          onChange={(e) => { setToken(e.currentTarget.value); setError(""); }} />
        <Button type="submit" variant="filled" fullWidth style={{ marginTop: 16, height: 32 }} loading={busy}>Sign in</Button>
      </form>
    </main>
  );
}
