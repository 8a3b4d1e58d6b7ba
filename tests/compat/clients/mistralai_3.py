"""What the present mistralai still does here: files, chats, models."""

import asyncio
import os
import sys

from mistralai.client import Mistral

client = Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ["MISTRAL_ENDPOINT"])
with open(sys.argv[1], "rb") as f:
    file = client.files.upload(file={"file_name": "third.jsonl", "content": f}, purpose="fine-tune")
assert client.files.retrieve(file_id=file.id).num_lines > 1
assert client.files.delete(file_id=file.id).deleted
names = [model.id for model in client.models.list().data]
assert client.models.retrieve(model_id="open-mistral-7b").id == "open-mistral-7b"
messages = [{"role": "user", "content": "Label this ticket."}]
for name in ("open-mistral-7b", *[name for name in names if name.startswith("ft:")][:1]):
    answer = client.chat.complete(model=name, messages=messages, max_tokens=8, temperature=0)
    events = client.chat.stream(model=name, messages=messages, max_tokens=8, temperature=0)
    streamed = "".join(event.data.choices[0].delta.content or "" for event in events)
    assert streamed.strip() == answer.choices[0].message.content.strip()


async def ask_again() -> None:
    again = await client.chat.complete_async(model="open-mistral-7b", messages=messages, max_tokens=8)
    assert again.choices[0].finish_reason in ("stop", "length")


asyncio.run(ask_again())
