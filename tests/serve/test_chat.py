"""Chats: many at once over several adapters answer as one after the other; what cannot be honoured is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import Serving, rows, serving, wait_until

CHAT = "/v1/chat/completions"
NAMES = ("open-mistral-7b", "one", "two", "three")


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Three fine-tuned models over one base."""
    folder = tmp_path_factory.mktemp("chat")
    with serving(folder / "data", "--model", f"open-mistral-7b={tiny_model}") as running:
        jobs = [
            running.create(
                training_files=[running.upload(rows(16, word=word))],
                hyperparameters={"training_steps": 12, "learning_rate": 0.02, "warmup_fraction": 0},
                suffix=word,
            )["id"]
            for word in NAMES[1:]
        ]
        for job_id in jobs:
            assert running.wait_for(job_id)["status"] == "SUCCESS"
        yield running


def tuned(server: Serving, suffix: str) -> str:
    names = [model["id"] for model in server.ok("GET", "/v1/models")["data"]]
    return next(name for name in names if name == suffix or f":{suffix}:" in name)


def ask(server: Serving, model: str, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, **more}
    return dict(server.ok("POST", CHAT, json=body)["choices"][0])


def test_fifty_chats_at_once_over_three_adapters_say_what_they_say_alone(server: Serving) -> None:
    models = [tuned(server, name) for name in NAMES]
    questions = [(models[number % 4], f"Say {number} {'please ' * (number % 7)}") for number in range(52)]
    alone = [ask(server, *question) for question in questions]
    with ThreadPoolExecutor(52) as pool:
        together = list(pool.map(lambda question: ask(server, *question), questions))
    assert together == alone
    told = [json.dumps(ask(server, model, "Say 1")) for model in models]
    assert len(set(told)) >= 3, "the adapters say different things"


def test_streams_and_whole_answers_mix(server: Serving) -> None:
    model = tuned(server, "one")

    def streamed(number: int) -> str:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": f"Say {number}"}],
            "max_tokens": 8,
            "stream": True,
        }
        with server.http.stream("POST", CHAT, json=body) as answer:
            chunks = [json.loads(line[6:]) for line in answer.iter_lines() if line and line != "data: [DONE]"]
        return "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)

    with ThreadPoolExecutor(16) as pool:
        streams = [pool.submit(streamed, number) for number in range(8)]
        wholes = [pool.submit(ask, server, model, f"Say {number}") for number in range(8)]
        for stream, whole in zip(streams, wholes, strict=True):
            assert stream.result().strip() == whole.result()["message"]["content"].strip()


def streamed_choices(server: Serving, **body: Any) -> dict[int, tuple[str, str]]:
    """Text and reason of each choice of a stream."""
    texts: dict[int, str] = {}
    reasons: dict[int, str] = {}
    with server.http.stream("POST", CHAT, json={**body, "stream": True}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    for chunk in chunks:
        (choice,) = chunk["choices"]
        texts[choice["index"]] = texts.get(choice["index"], "") + choice["delta"]["content"]
        if choice["finish_reason"]:
            assert choice["index"] not in reasons
            reasons[choice["index"]] = choice["finish_reason"]
    assert [index for index, chunk in enumerate(chunks) if "usage" in chunk] == [len(chunks) - 1]
    return {index: (texts[index], reasons[index]) for index in texts}


def test_an_answer_ends_before_the_first_stop_whole_and_streamed(server: Serving) -> None:
    body = {"model": NAMES[0], "messages": [{"role": "user", "content": "Tell me"}], "max_tokens": 24}
    whole = server.ok("POST", CHAT, json=body)
    text = whole["choices"][0]["message"]["content"]
    assert len(text) > 12
    for place in range(2, len(text) - 3, 3):
        stop = text[place : place + 3]
        expected = text[: text.find(stop)]
        answer = server.ok("POST", CHAT, json={**body, "stop": stop})
        assert answer["choices"][0]["message"]["content"] == expected
        assert answer["choices"][0]["finish_reason"] == "stop"
        assert answer["usage"]["completion_tokens"] <= whole["usage"]["completion_tokens"]
        (told,) = streamed_choices(server, **body, stop=["never said", stop]).values()
        assert told == (expected, "stop")


def test_several_answers_are_told_apart_by_their_index(server: Serving) -> None:
    body = {"model": NAMES[0], "messages": [{"role": "user", "content": "Tell me"}], "max_tokens": 6}
    (alone,) = server.ok("POST", CHAT, json=body)["choices"]
    equal = server.ok("POST", CHAT, json={**body, "n": 3})
    assert [choice["index"] for choice in equal["choices"]] == [0, 1, 2]
    assert [{**choice, "index": 0} for choice in equal["choices"]] == [alone] * 3
    drawn = {**body, "temperature": 1.0, "random_seed": 7}
    first = server.ok("POST", CHAT, json=drawn)["choices"][0]
    several = server.ok("POST", CHAT, json={**drawn, "n": 3})
    assert several["choices"][0] == first
    assert len({choice["message"]["content"] for choice in several["choices"]}) > 1
    assert several["usage"]["completion_tokens"] <= 18
    told = streamed_choices(server, **body, n=3)
    assert set(told) == {0, 1, 2}
    assert len(set(told.values())) == 1
    assert set(streamed_choices(server, **drawn, n=3)) == {0, 1, 2}


def test_a_seed_repeats_a_sampled_answer(server: Serving) -> None:
    answers = [ask(server, NAMES[0], "Tell me", temperature=1.0, random_seed=seed) for seed in (7, 7, 8)]
    assert answers[0] == answers[1] != answers[2]


def test_tools_and_earlier_calls_are_read(server: Serving) -> None:
    tool = {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
    }
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Call it."}]},
        {"role": "assistant", "content": "", "tool_calls": [call], "refusal": None, "annotations": []},
        {"role": "tool", "content": "42", "tool_call_id": "abcdefghi", "name": "f"},
    ]
    with_tool = server.ok(
        "POST", CHAT, json={"model": NAMES[0], "messages": messages, "tools": [tool], "max_tokens": 2}
    )
    without = server.ok("POST", CHAT, json={"model": NAMES[0], "messages": messages[:2], "max_tokens": 2})
    assert with_tool["usage"]["prompt_tokens"] > without["usage"]["prompt_tokens"] + 20


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"stop": [""]}, "stop"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"safe_prompt": True}, "safe_prompt"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}, "content"),
        ({"messages": [{"role": "assistant", "content": "x", "prefix": True}]}, "prefix"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 5000}, "context"),
        ({"tools": [{"type": "function", "function": {"name": "a b", "parameters": {}}}]}, "tools"),
    ],
)
def test_what_cannot_be_honoured_is_refused(server: Serving, body: dict[str, Any], word: str) -> None:
    asked = {"model": NAMES[0], "messages": [{"role": "user", "content": "x"}], **body}
    answer = server.http.post(CHAT, json=asked)
    assert answer.status_code == 422, answer.text
    assert word in answer.text
    if "stream" not in body:
        assert server.http.post(CHAT, json={**asked, "stream": True}).status_code == 422


def test_an_unknown_model_is_not_found(server: Serving) -> None:
    answer = server.http.post(CHAT, json={"model": "gpt", "messages": [{"role": "user", "content": "x"}]})
    assert (answer.status_code, "open-mistral-7b" in answer.text) == (404, True)


def test_models_are_described_archived_and_deleted(server: Serving) -> None:
    name = tuned(server, "three")
    path = f"/v1/fine_tuning/models/{name}"
    created = server.ok("GET", f"/v1/models/{name}")["created"]
    wait_until(lambda: time.time() > created + 1, seconds=10)  # in whole seconds: a moved one would differ
    changed = server.ok("PATCH", path, json={"name": "third", "description": None})
    assert changed["created"] == created
    assert (changed["name"], changed["root"], changed["model_type"]) == ("third", "open-mistral-7b", "completion")
    assert server.ok("GET", f"/v1/models/{name}")["name"] == "third"
    assert server.ok("POST", f"{path}/archive")["archived"] is True
    asked = {"model": name, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    assert server.http.post(CHAT, json=asked).status_code == 422
    assert server.ok("DELETE", f"{path}/archive")["archived"] is False
    assert server.ok("GET", f"/v1/models/{name}")["created"] == created
    assert server.ok("POST", CHAT, json=asked)
    assert server.http.delete(f"/v1/models/{NAMES[0]}").status_code == 409
    assert server.ok("DELETE", f"/v1/models/{name}")["deleted"] is True
    assert server.http.get(f"/v1/models/{name}").status_code == 404
    assert server.http.post(CHAT, json=asked).status_code == 404


def test_a_model_says_how_much_it_reads_and_whether_it_can_be_fine_tuned(server: Serving, tiny_model: Path) -> None:
    longest = json.loads((tiny_model / "config.json").read_text())["max_position_embeddings"]
    cards = {card["id"]: card for card in server.ok("GET", "/v1/models")["data"]}
    base, fine_tuned = cards[NAMES[0]], cards[tuned(server, "one")]
    assert base["max_context_length"] == fine_tuned["max_context_length"] == longest
    assert cards["mistral-large-latest"]["max_context_length"] is None  # it is not on this machine
    assert (base["capabilities"]["fine_tuning"], fine_tuned["capabilities"]["fine_tuning"]) == (True, False)
    body = {"model": fine_tuned["id"], "training_files": [{"file_id": server.upload(rows(17))}]}
    answer = server.http.post("/v1/fine_tuning/jobs", json=body)
    assert answer.status_code == 422
    assert "cannot be fine-tuned further here" in answer.json()["message"]


def test_a_training_gets_the_device_and_gives_it_back(server: Serving) -> None:
    asked = {"model": NAMES[0], "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    before = server.ok("POST", CHAT, json=asked)["choices"]
    wanted = {"training_files": [server.upload(rows(16))], "hyperparameters": {"training_steps": 100_000}}
    job_id = server.create(**wanted)["id"]
    server.wait_for(job_id, "RUNNING")
    answer = server.http.post(CHAT, json=asked)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
    server.wait_for(job_id)
    assert wait_until(lambda: server.http.post(CHAT, json=asked).status_code == 200, seconds=10)
    assert server.ok("POST", CHAT, json=asked)["choices"] == before


def test_models_can_stay_while_a_training_runs(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path / "data", "--keep-loaded", "--model", f"open-mistral-7b={tiny_model}") as server:
        wanted = {"training_files": [server.upload(rows(16))], "hyperparameters": {"training_steps": 100_000}}
        job_id = server.create(**wanted)["id"]
        server.wait_for(job_id, "RUNNING")
        assert ask(server, NAMES[0], "x")
        server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
        server.wait_for(job_id)


def test_too_many_chats_at_once_are_asked_to_come_again(tmp_path: Path, tiny_model: Path) -> None:
    limits = {"MISTRALTUNE_SERVER_MAX_PARALLEL_CHATS": "2"}
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}", env=limits) as server:
        asked = {"model": NAMES[0], "messages": [{"role": "user", "content": "x"}], "max_tokens": 300}
        with ThreadPoolExecutor(6) as pool:
            statuses = list(pool.map(lambda _: server.http.post(CHAT, json=asked).status_code, range(6)))
        assert sorted(set(statuses)) == [200, 429]
        assert ask(server, NAMES[0], "x")
