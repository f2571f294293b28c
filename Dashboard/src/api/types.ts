// The wire types of the API under the names that the rest of the app uses.
export type RunState = "queued" | "starting" | "running" | "preempting" | "pausing" | "paused" | "succeeded" | "failed" | "cancelled";
export type AttemptState = "assigned" | "starting" | "running" | "stopping" | "succeeded" | "failed" | "stopped" | "lost";
export type Priority = "low" | "normal" | "high";
export type LogLevel = "debug" | "info" | "warning" | "error";
export type FieldKind = "text" | "integer" | "number" | "choice" | "text_list";
export type DeviceKind = "cpu" | "cuda" | "rocm" | "simulated";
export type Spec = Record<string, unknown>;

export interface Page<T> { items: T[]; next?: string | null; total: number }
export interface FieldError { field: string; value: string; allowed: string; message: string }
export interface ModelCost { parameters: number; flops_per_token: number; tokens: number; minimum_bytes: number }
export interface DeviceFit {
  device: string; device_model: string; fits: boolean; needed_bytes: number; total_bytes: number;
  micro_batch: number; accumulation: number; reason: string;
}
export interface Validation { errors: FieldError[]; resolved?: Spec | null; cost?: ModelCost | null; fits: DeviceFit[] }

export interface RunSummary {
  id: string; number: number; name: string; state: RunState; family: string; size: string; task: string; dataset: string;
  priority: Priority; tags: string[]; created_by: string; created_at: string; started_at?: string | null; ended_at?: string | null;
  step: number; total_steps: number; tokens: number; loss?: number | string | null; validation_loss?: number | string | null;
  tokens_per_second?: number | null; seconds_left?: number | null; device?: string | null; device_model?: string | null;
  starting_what?: string | null; starting_fraction?: number | null; reason?: string | null; sparkline: (number | string)[];
}
export interface FileRef { name: string; sha256: string; bytes: number }
export interface AttemptView {
  id: string; number: number; state: AttemptState; epoch: number; device: string; device_model: string; assigned_at: string;
  first_heartbeat_at?: string | null; first_step_at?: string | null; ended_at?: string | null; first_step: number; last_step: number;
  trace?: string | null; message?: string | null;
}
export interface CheckpointView {
  id: string; step: number; created_at: string; bytes: number; trace: string; pause_seconds: number; status: string;
  note?: string | null; files: FileRef[];
}
export interface RunNote { id: number; at: string; kind: string; text: string; step?: number | null }
export interface RunDetail {
  summary: RunSummary; spec: Spec; attempts: AttemptView[]; checkpoints: CheckpointView[]; notes: RunNote[];
  trace?: string | null; parameters?: number | null;
}
export interface MetricSeries {
  key: string; bucket_steps: number; steps: number[]; unix_milliseconds: number[];
  mean: (number | string)[]; min: (number | string)[]; max: (number | string)[];
}
export interface LogEntry { id: number; attempt: number; at: string; level: LogLevel; text: string }
export interface LogsResponse { lines: LogEntry[]; next?: number | null }
export interface SampleView { step: number; at: string; prompt: string; text: string }

export interface DeviceInfo { index: number; kind: DeviceKind; model: string; uuid: string; memory_bytes: number; capability?: string }
export interface DeviceReading {
  index: number; memory_used_bytes?: number | null; utilization_percent?: number | null; power_watts?: number | null;
  power_cap_watts?: number | null; temperature_celsius?: number | null;
}
export interface DeviceView {
  name: string; info: DeviceInfo; reading?: DeviceReading | null; run_id?: string | null; run_name?: string | null;
  tokens_per_second?: number | null; progress?: number | null;
}
export interface WorkerView {
  id: string; name: string; agent_version: string; online: boolean; joined_at: string; seen_at: string; draining: boolean; devices: DeviceView[];
}
export interface JoinCode { code: string; expires_at: string; command: string }
export interface DatasetView {
  id: string; name: string; kind: string; license: string; bytes: number; files: number; created_at: string; tokens: Record<string, number>;
}
export interface SizeView { name: string; parameters: number; max_seq_len: number; vocab_size: number }
export interface ModelField { name: string; kind: string; help: string; allowed: string; choices?: string[] | null }
export interface FamilyView { name: string; title: string; summary: string; sizes: SizeView[]; fields: ModelField[] }
export interface FieldRule { path: string; kind: FieldKind; help: string; allowed: string; choices?: string[] | null; default?: unknown }
export interface PresetView { name: string; title: string; summary: string; spec: Spec }
export interface ModelsResponse { families: FamilyView[]; fields: FieldRule[]; presets: PresetView[] }
export interface Me { name: string; role: string; pool: string; version: string }
export interface Token { id: string; name: string; role: string; created_at: string; expires_at?: string | null; secret?: string | null }
export interface StreamEvent { id: number; kind: string; run_id?: string | null; data: unknown }
