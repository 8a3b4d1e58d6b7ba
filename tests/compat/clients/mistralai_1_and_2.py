"""What scripts for mistralai 1.x and 2.0 to 2.5 do; the jobs, files, chats and models of the whole client."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime

try:
    from mistralai import Mistral
    from mistralai.models import SDKError
except ImportError:  # since 2.0
    from mistralai.client import Mistral
    from mistralai.client.errors import SDKError

client = Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ["MISTRAL_ENDPOINT"])
training_file, steps = sys.argv[1], int(sys.argv[2])
began = datetime.fromtimestamp(time.time() - 5, tz=UTC)

with open(training_file, "rb") as f:
    file = client.files.upload(file={"file_name": "training_file.jsonl", "content": f}, purpose="fine-tune")
assert client.files.retrieve(file_id=file.id).size_bytes == os.path.getsize(training_file)
assert file.id in {each.id for each in client.files.list(page_size=100).data}
with open(training_file, "rb") as f:
    assert client.files.download(file_id=file.id).read() == f.read()
assert client.files.get_signed_url(file_id=file.id).url.startswith("http")

wanted = {
    "model": "open-mistral-7b",
    "training_files": [{"file_id": file.id, "weight": 1}],
    "hyperparameters": {"training_steps": steps, "learning_rate": 0.0001},
    "suffix": "newer",
}
created = client.fine_tuning.jobs.create(**wanted, auto_start=False)
try:
    client.fine_tuning.jobs.create(**wanted, auto_start=False)
except SDKError as error:
    assert error.status_code == 409
else:
    raise AssertionError("a second job like the first was made")
job = created
while job.status in ("QUEUED", "VALIDATING"):
    time.sleep(0.2)
    job = client.fine_tuning.jobs.get(job_id=created.id)
assert job.status == "VALIDATED", job
assert job.metadata.train_tokens == job.metadata.train_tokens_per_step * steps
assert job.metadata.cost == 0
client.fine_tuning.jobs.start(job_id=created.id)
while job.status not in ("SUCCESS", "FAILED"):
    time.sleep(0.2)
    job = client.fine_tuning.jobs.get(job_id=created.id)
assert job.status == "SUCCESS", job
assert job.checkpoints[0].step_number == steps
assert job.checkpoints[0].metrics.train_loss > 0
assert [event.data["status"] for event in job.events if event.name == "status-updated"][-1] == "SUCCESS"
listed = client.fine_tuning.jobs.list(suffix="newer", status="SUCCESS", created_after=began)
assert created.id in {each.id for each in listed.data}
assert listed.total >= 1

name = job.fine_tuned_model
messages = [{"role": "user", "content": "Label this ticket."}]
answer = client.chat.complete(model=name, messages=messages, max_tokens=8)
streamed = "".join(
    event.data.choices[0].delta.content or ""
    for event in client.chat.stream(model=name, messages=messages, max_tokens=8)
)
assert streamed.strip() == answer.choices[0].message.content.strip()
assert client.models.retrieve(model_id=name).root == "open-mistral-7b"
assert client.models.update(model_id=name, name="mine", description="of a test").name == "mine"
assert client.models.archive(model_id=name).archived
assert not client.models.unarchive(model_id=name).archived
assert name in {model.id for model in client.models.list().data}

other = client.fine_tuning.jobs.create(**{**wanted, "hyperparameters": {"training_steps": 5000}}, auto_start=True)
while client.fine_tuning.jobs.get(job_id=other.id).status != "RUNNING":
    time.sleep(0.2)
assert client.fine_tuning.jobs.cancel(job_id=other.id).status == "CANCELLATION_REQUESTED"
while client.fine_tuning.jobs.get(job_id=other.id).status != "CANCELLED":
    time.sleep(0.2)


async def ask_again() -> None:
    again = await client.chat.complete_async(model=name, messages=messages, max_tokens=8)
    assert again.choices[0].message.content == answer.choices[0].message.content
    assert (await client.fine_tuning.jobs.get_async(job_id=created.id)).status == "SUCCESS"


asyncio.run(ask_again())
assert client.files.delete(file_id=file.id).deleted
print(name)
