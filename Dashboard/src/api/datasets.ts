import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { toTar } from "../model/tar";
import { ApiError, query, request } from "./client";
import type { DatasetRows, DatasetView, ImportView, UploadView } from "./types";

const LOOK_MS = 1_000;
const REST_MS = 15_000;
const TRIES = 8;

export function useDatasets() {
  return useQuery({ queryKey: ["datasets"], queryFn: ({ signal }) => request<DatasetView[]>("/datasets", { signal }), staleTime: 30_000 });
}

/** One dataset with its manifest. */
export function useDataset(id: string) {
  return useQuery({ queryKey: ["datasets", id], queryFn: ({ signal }) => request<DatasetView>(`/datasets/${id}`, { signal }) });
}

/** Its documents, a page at a time. */
export function useDatasetRows(id: string) {
  return useInfiniteQuery({
    queryKey: ["datasets", id, "rows"],
    queryFn: ({ pageParam, signal }) => request<DatasetRows>(`/datasets/${id}/rows${query({ cursor: pageParam })}`, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? null,
  });
}

export function useRemoveDataset() {
  const client = useQueryClient();
  return useMutation({ mutationFn: (id: string) => request<unknown>(`/datasets/${id}`, { method: "DELETE" }), onSuccess: () => client.invalidateQueries({ queryKey: ["datasets"] }) });
}

const isOpen = (view: ImportView) => view.state === "queued" || view.state === "running";

/** The newest imports; read again often while one is at work. */
export function useImports() {
  return useQuery({
    queryKey: ["imports"], queryFn: ({ signal }) => request<ImportView[]>("/datasets/imports", { signal }),
    refetchInterval: (q) => (q.state.data?.some(isOpen) ? LOOK_MS : REST_MS),
  });
}

export function useCancelImport() {
  const client = useQueryClient();
  return useMutation({ mutationFn: (id: string) => request<ImportView>(`/datasets/imports/${id}/cancel`, { method: "POST" }), onSettled: () => client.invalidateQueries({ queryKey: ["imports"] }) });
}

/** What is to become a dataset: files of this machine, or an address. */
export interface Addition {
  readonly files: readonly File[];
  readonly url: string;
  readonly name: string;
  readonly license: string;
}

/** How far an addition is: the sending first, then the import. */
export type AddProgress = { readonly sent: number; readonly of: number } | ImportView;

/** Sends files in parts, has them imported, and waits for the dataset. */
export function useAddData(tell: (progress: AddProgress) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ files, url, name, license }: Addition) => {
      const source = files.length === 0 ? { url } : { upload_id: await upload(files, name, tell) };
      let view = await request<ImportView>("/datasets/imports", { method: "POST", body: { name, license, ...source } });
      void client.invalidateQueries({ queryKey: ["imports"] });
      for (tell(view); isOpen(view); tell(view)) {
        await pause(LOOK_MS);
        view = await patiently(() => request<ImportView>(`/datasets/imports/${view.id}`));
      }
      if (!view.dataset_id) {
        throw new ApiError(422, view.error?.message ?? "The import was cancelled.", view.error ? [view.error] : []);
      }
      return request<DatasetView>(`/datasets/${view.dataset_id}`);
    },
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: ["datasets"] }), client.invalidateQueries({ queryKey: ["imports"] })]),
  });
}

/** A single file goes as it is, several as one tar. A part that did not arrive is sent again from where the coordinator has the upload. */
async function upload(files: readonly File[], name: string, tell: (progress: AddProgress) => void): Promise<string> {
  const [fileName, content] = files.length === 1 ? [files[0]!.name, files[0]!] : [`${name}.tar`, toTar(files)];
  let there = await request<UploadView>("/datasets/uploads", { method: "POST", body: { file_name: fileName, bytes: content.size } });
  while (there.offset < content.size) {
    tell({ sent: there.offset, of: content.size });
    const { id, offset, part_bytes } = there;
    there = await patiently(() => request<UploadView>(`/datasets/uploads/${id}?offset=${offset}`, { method: "PUT", file: content.slice(offset, offset + part_bytes) }))
      .catch((cause: unknown) => {
        if (cause instanceof ApiError && cause.status === 409) {
          return request<UploadView>(`/datasets/uploads/${id}`);
        }
        throw cause;
      });
  }
  return there.id;
}

/** Asks again, later and later, while the coordinator does not answer at all. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof ApiError) || (cause.status !== 0 && cause.status < 500) || attempt === TRIES) {
        throw cause;
      }
      await pause(LOOK_MS * attempt);
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((go) => window.setTimeout(go, milliseconds));
}
