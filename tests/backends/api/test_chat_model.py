"""Models behind an API: how they are asked, and what their answers are made into."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from faulty_api import KEY, chat_chunk, chat_reply
from remote_jobs import Call, Fault, FaultyApi

from mistraltune.backends.api import ApiBackend
from mistraltune.backends.api.chat_model import ApiChatModel
from mistraltune.backends.api.endpoints import find_endpoint
from mistraltune.backends.api.retrying import Retrier
from mistraltune.data.conversation import Conversation, Message, ToolCall, ask
from mistraltune.errors import ApiError, TemporaryError
from mistraltune.interfaces import Completion, Sampling
from mistraltune.results import ModelRef

TOOL = {"type": "function", "function": {"name": "find", "description": "", "parameters": {"type": "object"}}}


@pytest.fixture
def api(api: FaultyApi) -> FaultyApi:
    api.schedule = echo
    return api


@pytest.fixture
def model(api: FaultyApi) -> Iterator[ApiChatModel]:
    ref = ModelRef(backend="api", model="a-model", endpoint="lab")
    opened = ApiChatModel(ref, find_endpoint("lab"), retry=Retrier(api.clock))
    yield opened
    opened.close()


def echo(call: Call) -> Fault:
    return Fault("body", body=chat_reply(json.loads(call.body)["messages"][-1]["content"].upper()))


def sent(api: FaultyApi) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in api.calls]


def test_answers_come_in_the_order_of_the_prompts_and_their_tokens_are_counted(
    api: FaultyApi, model: ApiChatModel
) -> None:
    texts = [f"prompt {number}" for number in range(30)]
    answers = list(model.generate([ask(text) for text in texts], Sampling(batch_size=5)))
    assert [answer.text for answer in answers] == [text.upper() for text in texts]
    assert {(answer.num_tokens, answer.finish_reason) for answer in answers} == {(3, "stop")}
    assert model.usage == {"prompt_tokens": 210, "completion_tokens": 90}
    assert {call.key for call in api.calls} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(("batch_size", "expected"), [(1, 1), (3, 3), (None, 8)])
def test_so_many_prompts_are_asked_at_a_time_and_never_more(
    api: FaultyApi, model: ApiChatModel, batch_size: int | None, expected: int
) -> None:
    barrier = threading.Barrier(expected)

    def together(call: Call) -> Fault:
        api.lock.release()  # so that others can come meanwhile
        try:
            barrier.wait(20)  # fails where fewer come
        finally:
            api.lock.acquire()
        return echo(call)

    api.schedule = together
    answers = list(model.generate([ask(f"p{n}") for n in range(expected * 3)], Sampling(batch_size=batch_size)))
    assert [answer.text for answer in answers] == [f"P{n}" for n in range(expected * 3)]


def test_prompts_that_nobody_waits_for_any_more_are_not_asked(api: FaultyApi, model: ApiChatModel) -> None:
    answers = model.generate([ask(f"p{n}") for n in range(1000)], Sampling(batch_size=2))
    assert next(answers).text == "P0"
    answers.close()  # type: ignore[attr-defined]
    assert len(api.calls) <= 4


def test_a_busy_api_is_asked_again_and_the_order_is_kept(api: FaultyApi, model: ApiChatModel) -> None:
    refused: set[bytes] = set()

    def busy_once(call: Call) -> Fault:
        if call.body not in refused:
            refused.add(call.body)
            return Fault("status", 503 if len(refused) % 2 else 429, retry_after="2")
        return echo(call)

    api.schedule = busy_once
    answers = list(model.generate([ask(f"p{n}") for n in range(10)], Sampling(batch_size=3)))
    assert [answer.text for answer in answers] == [f"P{n}" for n in range(10)]
    assert len(api.calls) == 20
    assert model.usage["completion_tokens"] == 30  # each answer once


def test_a_refused_prompt_ends_the_answers_with_the_servers_words(api: FaultyApi, model: ApiChatModel) -> None:
    api.schedule = lambda call: Fault("status", 400, body=b'{"object": "error", "message": "prompt is too long"}')
    with pytest.raises(ApiError, match="answers 400: prompt is too long"):
        list(model.generate([ask("x"), ask("y")], Sampling()))


def test_greedy_unless_a_temperature_is_given(api: FaultyApi, model: ApiChatModel) -> None:
    list(model.generate([ask("x")], Sampling(max_new_tokens=9, top_p=0.5, seed=3)))
    list(model.generate([ask("x")], Sampling(max_new_tokens=9, temperature=0.7, top_p=0.5, seed=3)))
    greedy, sampled = sent(api)
    assert (greedy["model"], greedy["max_tokens"], greedy["temperature"], greedy["top_p"]) == ("a-model", 9, 0, 1)
    assert "seed" not in greedy
    assert (sampled["temperature"], sampled["top_p"], sampled["seed"]) == (0.7, 0.5, 3)  # as OpenAI's servers name it
    assert "random_seed" not in sampled
    assert "stop" not in sampled


def test_stops_are_left_to_the_api(api: FaultyApi, model: ApiChatModel) -> None:
    list(model.generate([ask("x")], Sampling(stop=("\n", "END"))))
    assert sent(api)[0]["stop"] == ["\n", "END"]


def test_a_whole_conversation_with_tools_is_sent_as_it_is(api: FaultyApi, model: ApiChatModel) -> None:
    call = ToolCall("abcdefghi", "find", '{"id": 1}')
    conversation = Conversation(
        (
            Message("system", "Be brief."),
            Message("user", "Find it."),
            Message("assistant", tool_calls=(call,)),
            Message("tool", "found", tool_call_id="abcdefghi", name="find"),
        ),
        tools=(TOOL,),
    )
    list(model.generate([conversation], Sampling()))
    (body,) = sent(api)
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"id": 1}'}
    assert body["messages"][3]["tool_call_id"] == "abcdefghi"
    assert body["tools"][0]["function"]["name"] == "find"


def completion(api: FaultyApi, model: ApiChatModel, body: bytes) -> Completion:
    api.schedule = lambda call: Fault("body", body=body)
    (answer,) = model.generate([ask("x")], Sampling())
    return answer


@pytest.mark.parametrize("arguments", ['{"id": 1}', {"id": 1}])
def test_tool_calls_are_read_whether_their_arguments_are_text_or_an_object(
    api: FaultyApi, model: ApiChatModel, arguments: Any
) -> None:
    calls = [{"id": "abcdefghi", "type": "function", "index": 0, "function": {"name": "find", "arguments": arguments}}]
    answer = completion(api, model, chat_reply(None, reason="tool_calls", tool_calls=calls))
    assert answer == Completion("", 3, "stop", (ToolCall("abcdefghi", "find", '{"id": 1}'),))


@pytest.mark.parametrize(
    ("reason", "expected"), [("length", "length"), ("model_length", "length"), ("stop", "stop"), ("abort", "stop")]
)
def test_a_cut_answer_says_so(api: FaultyApi, model: ApiChatModel, reason: str, expected: str) -> None:
    assert completion(api, model, chat_reply("a", reason=reason)).finish_reason == expected


def test_thoughts_are_no_part_of_an_answer(api: FaultyApi, model: ApiChatModel) -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    assert completion(api, model, chat_reply(content)).text == "yes"


def test_an_answer_without_a_choice_is_a_bad_response(api: FaultyApi, model: ApiChatModel) -> None:
    body = json.loads(chat_reply("x")) | {"choices": []}
    with pytest.raises(ApiError, match="without a choice"):
        completion(api, model, json.dumps(body).encode())


def test_a_stream_is_told_piece_by_piece(api: FaultyApi, model: ApiChatModel) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    pieces = (
        chat_chunk({"role": "assistant", "content": ""}),
        chat_chunk({"content": "Hel"}),
        chat_chunk({"content": "lo"}),
    )
    body = b"".join(pieces) + chat_chunk({}, reason="stop", usage=usage) + b"data: [DONE]\n\n"
    api.schedule = lambda call: Fault("body", body=body, headers={"content-type": "text/event-stream"})
    assert list(model.stream(ask("x"), Sampling())) == ["Hel", "lo"]
    assert model.usage == {"prompt_tokens": 7, "completion_tokens": 3}
    assert sent(api)[0]["stream"] is True


def test_a_stream_begins_again_where_its_beginning_failed(api: FaultyApi, model: ApiChatModel) -> None:
    body = chat_chunk({"content": "Hello"}, reason="stop") + b"data: [DONE]\n\n"

    def schedule(call: Call) -> Fault:
        if call.number < 2:
            return Fault("status", 503)
        return Fault("body", body=body, headers={"content-type": "text/event-stream"})

    api.schedule = schedule
    assert list(model.stream(ask("x"), Sampling())) == ["Hello"]


def test_a_stream_that_breaks_is_an_error_and_nothing_is_said_twice(api: FaultyApi, model: ApiChatModel) -> None:
    content = {"content-type": "text/event-stream", "content-length": "9999"}
    api.schedule = lambda call: Fault("body", body=chat_chunk({"content": "Hel"}), headers=content)
    pieces = model.stream(ask("x"), Sampling())
    assert next(pieces) == "Hel"
    with pytest.raises(TemporaryError):
        list(pieces)
    assert len(api.calls) == 1


def test_the_backend_opens_a_model_where_its_reference_says() -> None:
    assert ApiBackend().revision(ModelRef(backend="api", model="m")) == "https://api.mistral.ai"
    assert ApiBackend().renderer(ModelRef(backend="api", model="m")) is None
