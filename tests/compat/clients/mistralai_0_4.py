"""What a script for mistralai 0.4.2 did, word for word; only the endpoint is another."""

import asyncio
import os
import sys
import time

from mistralai.async_client import MistralAsyncClient
from mistralai.client import MistralClient
from mistralai.models.chat_completion import ChatMessage
from mistralai.models.jobs import JobMetadata, TrainingParameters

client = MistralClient(api_key=os.environ["MISTRAL_API_KEY"], endpoint=os.environ["MISTRAL_ENDPOINT"])
training_file, steps = sys.argv[1], int(sys.argv[2])

with open(training_file, "rb") as f:
    training_data = client.files.create(file=("training_file.jsonl", f))
with open(training_file, "rb") as f:
    nameless = client.files.create(file=f.read())
assert client.files.retrieve(training_data.id).bytes == os.path.getsize(training_file)
assert {training_data.id, nameless.id} <= {file.id for file in client.files.list().data}
assert client.files.delete(nameless.id).deleted

parameters = TrainingParameters(training_steps=steps, learning_rate=0.0001)
plan = client.jobs.create(
    model="open-mistral-7b", training_files=[training_data.id], hyperparameters=parameters, dry_run=True
)
assert isinstance(plan, JobMetadata)
assert plan.training_steps == steps
created = client.jobs.create(
    model="open-mistral-7b", training_files=[training_data.id], hyperparameters=parameters, suffix="old"
)
seen = {created.status}
while created.status in ["QUEUED", "STARTED", "RUNNING"]:
    time.sleep(0.2)
    created = client.jobs.retrieve(created.id)
    seen.add(created.status)
assert created.status == "SUCCESS", created
assert "RUNNING" in seen
assert created.checkpoints[0].metrics.train_loss > 0
assert created.id in {job.id for job in client.jobs.list(suffix="old", status="SUCCESS").data}

messages = [ChatMessage(role="user", content="Label this ticket.")]
answer = client.chat(model=created.fine_tuned_model, messages=messages, max_tokens=8)
streamed = "".join(
    chunk.choices[0].delta.content or ""
    for chunk in client.chat_stream(model=created.fine_tuned_model, messages=messages, max_tokens=8)
)
assert streamed.strip() == answer.choices[0].message.content.strip()
assert answer.usage.completion_tokens > 0
assert created.fine_tuned_model in {model.id for model in client.list_models().data}

other = client.jobs.create(
    model="open-mistral-7b",
    training_files=[training_data.id],
    hyperparameters=TrainingParameters(training_steps=5000, learning_rate=0.0001),
)
while client.jobs.retrieve(other.id).status != "RUNNING":
    time.sleep(0.2)
assert client.jobs.cancel(other.id).status == "CANCELLATION_REQUESTED"
while client.jobs.retrieve(other.id).status != "CANCELLED":
    time.sleep(0.2)


async def ask_again() -> None:
    asynchronous = MistralAsyncClient(api_key=os.environ["MISTRAL_API_KEY"], endpoint=os.environ["MISTRAL_ENDPOINT"])
    again = await asynchronous.chat(model=created.fine_tuned_model, messages=messages, max_tokens=8)
    assert again.choices[0].message.content == answer.choices[0].message.content
    assert (await asynchronous.jobs.retrieve(created.id)).status == "SUCCESS"
    await asynchronous.close()


asyncio.run(ask_again())
print(created.fine_tuned_model)
