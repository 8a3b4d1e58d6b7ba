import type { components } from "./schema";

type Schemas = components["schemas"];

export type Job = Schemas["JobReply"];
export type JobDetails = Schemas["JobDetails"];
export type JobRequest = Schemas["JobRequest"];
export type JobStatus = Schemas["Status"];
export type DryRun = Schemas["DryRunReply"];
export type Checkpoint = Schemas["CheckpointReply"];
export type DataFile = Schemas["FileReply"];
export type Model = Schemas["ModelCard"];
export type ChatPiece = Schemas["ChatPiece"];
export type ServerFacts = Schemas["ServerReply"];
export type Report = Schemas["ReportReply"];
export type Statistics = Schemas["StatisticsReply"];
export type Row = Schemas["RowReply"];
export type FileUse = Schemas["FileUse"];
export type SplitRequest = Schemas["SplitRequest"];
export type Run = Schemas["RunReply"];
export type RunDetails = Schemas["RunDetails"];
export type RunSeries = Schemas["SeriesReply"];
export type Evaluation = Schemas["EvaluationReply"];
export type EvaluationRow = Schemas["EvaluationRow"];
export type Comparison = Schemas["ComparisonReply"];
export type ComparisonRow = Schemas["ComparisonRow"];
export type ComparisonRequest = Schemas["ComparisonRequest"];
export type ModelAnswer = Schemas["ModelAnswer"];
