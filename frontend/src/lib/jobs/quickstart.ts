import { send } from "@/lib/api/client";
import type { Job } from "@/lib/api/types";
import { uploadFile } from "@/lib/files/uploading";
import { createJob } from "./acting";

/** The small model that comes with MistralTune. */
export const QUICKSTART = "quickstart";

const TRAIN = "tickets-train.jsonl";
const VALIDATION = "tickets-validation.jsonl";
const TEST = "tickets-test.jsonl";

/** Uploads the example data and starts a training that labels support tickets; two minutes' work for two CPU cores. */
export async function startQuickstart(): Promise<Job> {
  const [train, validation] = [await uploadExample(TRAIN), await uploadExample(VALIDATION)];
  await uploadExample(TEST); // to compare on afterwards
  return createJob({
    model: QUICKSTART,
    training_files: [{ file_id: train }],
    validation_files: [validation],
    suffix: "tickets",
    hyperparameters: { training_steps: 50, learning_rate: 1e-3, seq_len: 256 },
  });
}

async function uploadExample(name: string): Promise<string> {
  const answer = await send("get", `/example/${name}`);
  return (await uploadFile(new File([await answer.blob()], name))).id; // the same name and content again is the same file
}
