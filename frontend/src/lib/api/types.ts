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
