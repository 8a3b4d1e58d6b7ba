"""OpenAI's client: chats, streams and models."""

import os

import openai

client = openai.OpenAI(api_key=os.environ["MISTRAL_API_KEY"], base_url=os.environ["MISTRAL_ENDPOINT"] + "/v1")
names = [model.id for model in client.models.list()]
assert client.models.retrieve("open-mistral-7b").id == "open-mistral-7b"
messages = [{"role": "user", "content": "Label this ticket."}]
for name in ("open-mistral-7b", *[name for name in names if name.startswith("ft:")][:1]):
    answer = client.chat.completions.create(model=name, messages=messages, max_tokens=8, temperature=0, seed=1)
    chunks = client.chat.completions.create(
        model=name, messages=messages, max_tokens=8, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert streamed.strip() == answer.choices[0].message.content.strip()
    said = [*messages, answer.choices[0].message.model_dump(), {"role": "user", "content": "Again."}]
    assert client.chat.completions.create(model=name, messages=said, max_completion_tokens=4).usage.total_tokens > 8
try:
    client.chat.completions.create(model="gpt-5", messages=messages)
except openai.NotFoundError as error:
    assert "open-mistral-7b" in str(error)
else:
    raise AssertionError("an unknown model answered")
several = client.chat.completions.create(model="open-mistral-7b", messages=messages, n=2, seed=1, max_tokens=4)
assert [choice.index for choice in several.choices] == [0, 1]
try:
    client.chat.completions.create(model="open-mistral-7b", messages=messages, response_format={"type": "json_object"})
except openai.UnprocessableEntityError as error:
    assert "response_format" in str(error)
else:
    raise AssertionError("response_format was passed over")
