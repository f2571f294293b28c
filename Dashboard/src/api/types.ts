// The wire types of the API under the names that the rest of the app uses. All come from Coordinator/openapi.json by
// way of `npm run gen-api`; what JSON schema cannot say is narrowed here and nowhere else.
import type { components } from "./generated/schema";

type Schemas = components["schemas"];
type NotFinite = "NaN" | "Infinity" | "-Infinity";

/** JSON has no NaN, so any double may come as a word. In truth only losses and series do: everything but `Kept` is a plain number. */
type Finite<T, Kept extends keyof T = never> = { [K in keyof T]: K extends Kept ? T[K] : Exclude<T[K], NotFinite> };

/** A run's spec as data; its form is the API's table of fields, not a type of this app. */
export type Spec = Record<string, unknown>;

export type RunState = Schemas["RunState"];
export type AttemptState = Schemas["AttemptState"];
export type LogLevel = Schemas["LogLevel"];
export type FieldKind = Schemas["FieldKind"];

export type Page<T> = Omit<Schemas["PageOfRunSummary"], "items"> & { items: T[] };
export type FieldError = Schemas["FieldError"];
export type ModelCost = Finite<Schemas["ModelCost"]>;
export type DeviceFit = Schemas["DeviceFit"];
export type Validation = Omit<Schemas["Validation"], "cost" | "resolved"> & { cost?: ModelCost | null; resolved?: Spec | null };

export type RunSummary = Finite<Schemas["RunSummary"], "loss" | "validation_loss" | "validation_bits_per_byte" | "sparkline">;
export type AttemptView = Schemas["AttemptView"];
export type CheckpointView = Finite<Schemas["CheckpointView"]>;
export type RunNote = Schemas["RunNote"];
export type RunDetail = Omit<Schemas["RunDetail"], "summary" | "spec" | "checkpoints"> & { summary: RunSummary; spec: Spec; checkpoints: CheckpointView[] };
export type Comparison = Schemas["Comparison"];
export type ComparedRun = Schemas["ComparedRun"];
export type CompareAxis = Schemas["CompareAxis"];
export type MetricSeries = Schemas["MetricSeries"];
export type LogEntry = Schemas["LogEntry"];
export type LogsResponse = Schemas["LogsResponse"];
export type SampleView = Schemas["SampleView"];

export type DeviceReading = Finite<Schemas["DeviceReading"]>;
export type DeviceView = Finite<Omit<Schemas["DeviceView"], "reading">> & { reading?: DeviceReading | null };
export type WorkerView = Omit<Schemas["WorkerView"], "devices"> & { devices: DeviceView[] };
export type JoinCode = Schemas["JoinCodeView"];
export type DatasetView = Schemas["DatasetView"];
export type DatasetManifest = Schemas["DatasetManifest"];
export type DatasetRow = Schemas["DatasetRow"];
export type DatasetRows = Schemas["DatasetRows"];
export type ImportView = Schemas["ImportView"];
export type UploadView = Schemas["UploadView"];
export type FieldRule = Schemas["FieldRuleView"];
export type PresetView = Omit<Schemas["PresetView"], "spec"> & { spec: Spec };
export type SizeView = Omit<Schemas["SizeView"], "values"> & { values: Readonly<Record<string, unknown>> };
export type FamilyView = Omit<Schemas["FamilyView"], "sizes"> & { sizes: SizeView[] };
export type ModelsResponse = Omit<Schemas["ModelsResponse"], "families" | "presets"> & { families: FamilyView[]; presets: PresetView[] };
export type Me = Schemas["MeView"];
export type CreateToken = Schemas["CreateToken"];
export type Token = Schemas["TokenView"];
export type JobView = Finite<Schemas["JobView"]>;
export type SaveSchedule = Omit<Schemas["SaveSchedule"], "spec"> & { spec: Spec };
export type ScheduleView = Omit<Schemas["ScheduleView"], "spec"> & { spec: Spec };

export type SweepField = Finite<Omit<Schemas["SweepField"], "values" | "when">> & { values?: unknown[] | null };
export type SweepRequest = { name: string; spec: Spec; space: SweepField[]; search?: Schemas["SweepSearch"] | null; limits?: Finite<Schemas["SweepLimits"]> | null };
export type SweepSummary = Finite<Schemas["SweepSummary"]>;
export type RungResult = Finite<Schemas["RungResult"]>;
export type TrialView = Omit<Schemas["TrialView"], "setting" | "results"> & { setting: Readonly<Record<string, unknown>>; results: RungResult[] };
export type SweepDecision = Schemas["DecisionView"];
export type SweepDetail = Finite<Omit<Schemas["SweepDetail"], "summary" | "request" | "trials">> & { summary: SweepSummary; request: SweepRequest; trials: TrialView[] };
export type SweepValidation = Schemas["SweepValidation"];

export type CheckpointChoice = Schemas["CheckpointChoice"];
export type ChatTurn = Schemas["ChatTurn"];
export type StartGeneration = Finite<Schemas["StartGeneration"]>;
export type GenerationView = Schemas["GenerationView"];
export type GenerationStatistics = Finite<Schemas["GenerationStatistics"]>;
export type TokenChance = Finite<Schemas["TokenChance"]>;
export type TokenEvent = Omit<Schemas["GenerationEventGenerationToken"], "event" | "halting" | "chances"> & { event: "token"; halting?: number[] | null; chances?: TokenChance[] | null };
export type GenerationEvent =
  | TokenEvent
  | (Finite<Schemas["GenerationEventGenerationLoading"]> & { event: "loading" })
  | (Omit<Schemas["GenerationEventGenerationDone"], "statistics"> & { event: "done"; statistics: GenerationStatistics })
  | (Schemas["GenerationEventGenerationStopped"] & { event: "stopped" })
  | (Schemas["GenerationEventGenerationFailed"] & { event: "failed" });
