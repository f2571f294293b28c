import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { request } from "./client";
import type { Me, Token } from "./types";

/** Who is signed in; a 401 means nobody is. */
export function useMe() {
  return useQuery({ queryKey: ["me"], queryFn: ({ signal }) => request<Me>("/me", { signal }), retry: false, staleTime: 300_000 });
}

/** Whether somebody may submit runs and change them. */
export function maySubmit(me: Me | undefined): boolean {
  return me?.role === "admin" || me?.role === "submit";
}

/** Trades a token for a cookie that scripts cannot read. */
export function signIn(token: string): Promise<unknown> {
  return request("/session", { method: "POST", body: { token } });
}

export function signOut(): Promise<unknown> {
  return request("/session", { method: "DELETE" });
}

export function useTokens() {
  return useQuery({ queryKey: ["tokens"], queryFn: ({ signal }) => request<Token[]>("/tokens", { signal }) });
}

export function useCreateToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { name: string; role: string; days_valid: number | null }) => request<Token>("/tokens", { method: "POST", body }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
}

export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => request(`/tokens/${id}`, { method: "DELETE" }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["tokens"] }),
  });
}
