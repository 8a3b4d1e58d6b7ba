"""Fine-tune and ask: written for Mistral's API, served by `mistraltune serve`."""

import os
import sys
import time
from pathlib import Path

from mistralai.client import Mistral

client = Mistral(api_key=os.environ["MISTRALTUNE_SERVER_KEY"], server_url="http://127.0.0.1:8000")

path = Path(sys.argv[1])
rows = client.files.upload(file={"file_name": path.name, "content": path.read_bytes()}, purpose="fine-tune")
job = client.fine_tuning.jobs.create(
    model="open-mistral-7b",
    training_files=[{"file_id": rows.id, "weight": 1}],
    hyperparameters={"training_steps": 30, "learning_rate": 5e-4},
    suffix="triage",
    auto_start=True,
)

while job.status not in ("SUCCESS", "FAILED", "FAILED_VALIDATION", "CANCELLED"):
    time.sleep(5)
    job = client.fine_tuning.jobs.get(job_id=job.id)
    losses = [f"step {each.step_number}: loss {each.metrics.train_loss:.3f}" for each in job.checkpoints[:1]]
    print(job.status, *losses)

if job.status != "SUCCESS":
    sys.exit(str([event.data for event in job.events]))

question = {"role": "user", "content": "Label this ticket: my parcel never came, and I need it today."}
print(client.chat.complete(model=job.fine_tuned_model, messages=[question]).choices[0].message.content)
