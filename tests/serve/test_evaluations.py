"""Evaluations and comparisons: jobs of the same queue, figures as the command line finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import ENDED, KEY, Serving, rows, serving, wait_until
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

EVALUATIONS, COMPARISONS = "/api/evaluations", "/api/comparisons"
BASE = "open-mistral-7b"


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """With one fine-tuned model."""
    folder = tmp_path_factory.mktemp("evaluations")
    with serving(folder / "data", "--model", f"{BASE}={tiny_model}") as running:
        training = {"training_steps": 12, "learning_rate": 0.02, "warmup_fraction": 0}
        job = running.create(training_files=[running.upload(rows(16))], hyperparameters=training)
        assert running.wait_for(job["id"])["status"] == "SUCCESS"
        yield running


@pytest.fixture(scope="module")
def tuned(server: Serving) -> str:
    return next(str(model["id"]) for model in server.ok("GET", "/v1/models")["data"] if model["id"].startswith("ft:"))


def ended(server: Serving, place: str, job_id: str) -> dict[str, Any]:
    """The evaluation or comparison, once it has ended."""

    def look() -> Any:
        job = server.ok("GET", f"{place}/{job_id}")
        return job if job["status"] in ENDED else None

    return dict(wait_until(look, seconds=120))


def events(server: Serving, place: str, job_id: str, *, after: int = 0) -> list[dict[str, Any]]:
    """What the WebSocket tells, until it is closed."""
    url = f"{server.url.replace('http', 'ws')}{place}/{job_id}/events/ws?after={after}"
    told = []
    with connect(url, additional_headers={"Authorization": f"Bearer {KEY}"}, proxy=None) as connection:
        try:
            while True:
                told.append(json.loads(connection.recv(timeout=120)))
        except ConnectionClosedOK:
            return told


def chats(count: int = 6) -> bytes:
    """So many conversations of two turns, of two kinds."""
    lines = []
    for number in range(count):
        turns = [[f"Say {word} {number}.", f"{word} {number}"] for word in ("first", "then")]
        messages = [
            {"role": role, "content": text}
            for turn in turns
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]
        lines.append(json.dumps({"messages": messages, "tag": ["even", "odd"][number % 2], "id": number}))
    return "".join(f"{line}\n" for line in lines).encode()


def test_rows_that_a_model_was_trained_on_are_refused_and_counted(server: Serving, tuned: str) -> None:
    asked = {"base_model": BASE, "fine_tuned_model": tuned, "file_id": server.upload(rows(20)), "limit": 12}
    job = ended(server, COMPARISONS, server.ok("POST", COMPARISONS, json=asked)["id"])
    assert job["status"] == "FAILED"
    assert "training data, train.jsonl: 12 exactly" in job["error"]
    overlap = job["refused_overlap"]
    assert (overlap["train_file"], overlap["num_exact"], overlap["num_near"]) == ("train.jsonl", 12, 0)
    server.ok("DELETE", f"{COMPARISONS}/{job['id']}")


def test_a_model_is_evaluated_on_an_uploaded_file(server: Serving, tuned: str) -> None:
    asked = {
        "model": tuned,
        "file_id": server.upload(rows(20)),
        "max_new_tokens": 8,
        "limit": 12,
        "allow_overlap": True,
    }
    made = server.ok("POST", EVALUATIONS, json=asked)
    assert (made["object"], made["figures"], made["error"]) == ("evaluation", None, None)
    told = events(server, EVALUATIONS, made["id"])
    assert [event["data"]["status"] for event in told if event["name"] == "status-updated"] == [
        "QUEUED",
        "RUNNING",
        "SUCCESS",
    ]
    counts = [(event["data"]["done"], event["data"]["total"]) for event in told if event["name"] == "progress"]
    assert (12, 12) in counts
    assert counts[1:] == sorted(counts[1:])
    assert events(server, EVALUATIONS, made["id"], after=told[-2]["seq"]) == told[-1:]

    job = server.ok("GET", f"{EVALUATIONS}/{made['id']}")
    assert job["status"] == "SUCCESS"
    assert {job[name] == value for name, value in asked.items()} == {True}
    figures = job["figures"]
    overlap = figures["overlap"]
    assert (overlap["train_file"], overlap["num_exact"], overlap["num_near"]) == ("train.jsonl", 12, 0)
    assert figures["num_examples"] == 12
    assert figures["intervals"]["exact_match"]["low"] <= figures["metrics"]["exact_match"]
    page = server.ok("GET", f"{EVALUATIONS}/{made['id']}/rows", params={"page": 1, "page_size": 5})
    assert (page["total"], [row["row"] for row in page["data"]]) == (12, [6, 7, 8, 9, 10])
    assert page["data"][0]["references"] == ["It is 5."]
    assert page["data"][0]["prompt"][0]["content"] == "Say 5."
    every = server.ok("GET", f"{EVALUATIONS}/{made['id']}/rows")["data"]
    mean = sum(row["answer"]["scores"]["f1"] for row in every) / 12
    assert figures["metrics"]["f1"] == pytest.approx(mean)
    assert server.ok("GET", EVALUATIONS)["data"][0] == job


@pytest.mark.figure("S5", "HTML in a row: text in the report, which forbids scripts by its policy")
def test_two_models_are_compared_on_a_file(server: Serving, tuned: str) -> None:
    harmful = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
    file_id = server.upload(rows(10, word=harmful))
    asked = {"base_model": BASE, "fine_tuned_model": tuned, "file_id": file_id, "max_new_tokens": 8}
    made = server.ok("POST", COMPARISONS, json=asked)
    assert server.http.get(f"{COMPARISONS}/{made['id']}/report").status_code == 409
    assert server.http.delete(f"{COMPARISONS}/{made['id']}").status_code == 409
    job = ended(server, COMPARISONS, made["id"])
    assert job["status"] == "SUCCESS", job
    figures = job["figures"]
    assert figures["wins"] + figures["ties"] + figures["losses"] == 10
    difference = figures["differences"]["f1"]
    assert difference["value"] == pytest.approx(
        figures["fine_tuned"]["metrics"]["f1"] - figures["base"]["metrics"]["f1"]
    )
    assert difference["interval"]["low"] <= difference["value"] <= difference["interval"]["high"]

    place = f"{COMPARISONS}/{made['id']}"
    shown = server.ok("GET", f"{place}/rows")["data"]
    changes = [abs(row["fine_tuned"]["scores"]["f1"] - row["base"]["scores"]["f1"]) for row in shown]
    assert len(shown) == 10
    assert changes[0] == max(changes)
    for outcome, count in (("win", figures["wins"]), ("tie", figures["ties"]), ("loss", figures["losses"])):
        page = server.ok("GET", f"{place}/rows", params={"outcome": outcome, "page_size": 1})
        assert (page["total"], [row["outcome"] for row in page["data"]]) == (count, [outcome] * min(count, 1))

    report = server.http.get(f"{place}/report")
    assert report.status_code == 200
    assert report.headers["content-disposition"].startswith("attachment;")
    assert report.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert harmful not in report.text
    assert "&lt;script&gt;alert(2)" in report.text
    assert not re.search(r"<script|<img|<[^>]*onerror", report.text)
    assert "Say 5." in report.text


def test_models_are_judged_as_the_command_line_would_judge_them(server: Serving, tuned: str) -> None:
    file_id = server.upload(chats(), "chats.jsonl")
    fields = server.ok("GET", f"/api/files/{file_id}/fields")
    assert (fields["num_rows"], fields["fields"]) == (
        6,
        [{"name": "tag", "num_groups": 2}, {"name": "id", "num_groups": 6}],
    )
    judging = {"metrics": ["chrf", "exact_match"], "language": "de", "turns": "all", "by": ["tag"]}
    models = {"base_model": BASE, "fine_tuned_model": tuned}
    asked = {**judging, "file_id": file_id, "max_new_tokens": 4}
    job = ended(server, COMPARISONS, server.ok("POST", COMPARISONS, json={**models, **asked})["id"])
    assert job["status"] == "SUCCESS", job
    assert {name: job[name] for name in judging} == judging
    figures = job["figures"]
    assert list(figures["differences"])[:2] == ["chrf", "exact_match"]
    for side in ("base", "fine_tuned"):
        assert figures[side]["options"] == {name: judging[name] for name in ("metrics", "language", "turns")}
        assert figures[side]["num_examples"] == 12
    groups = [(one["field"], one["value"], one["num_examples"]) for one in figures["slices"]]
    assert groups == [("tag", "even", 6), ("tag", "odd", 6)]
    assert figures["slices"][0]["differences"]["exact_match"]["interval"]  # of so few answers, of shares alone
    shown = server.ok("GET", f"{COMPARISONS}/{job['id']}/rows")["data"]
    assert sorted((row["row"], row["turn"]) for row in shown) == [(row, turn) for row in range(1, 7) for turn in (1, 2)]

    made = server.ok("POST", EVALUATIONS, json={**asked, "model": tuned})  # another look at the same answers
    told = events(server, EVALUATIONS, made["id"])
    assert [event for event in told if event["name"] == "progress"] == []
    alone = server.ok("GET", f"{EVALUATIONS}/{made['id']}")["figures"]
    assert alone["metrics"] == figures["fine_tuned"]["metrics"]
    assert alone["slices"][1]["metrics"] == figures["slices"][1]["fine_tuned"]
    assert alone["slices"][1]["intervals"]["exact_match"]["low"] <= alone["slices"][1]["metrics"]["exact_match"]


def test_what_was_evaluated_before_is_not_computed_again(server: Serving, tuned: str) -> None:
    asked = {"file_id": server.upload(rows(7)), "max_new_tokens": 4}
    first = ended(server, EVALUATIONS, server.ok("POST", EVALUATIONS, json={**asked, "model": BASE})["id"])
    models = {"base_model": BASE, "fine_tuned_model": BASE}
    made = server.ok("POST", COMPARISONS, json={**asked, **models})
    told = events(server, COMPARISONS, made["id"])
    assert [event["data"]["text"] for event in told if event["name"] == "progress"] == []
    figures = server.ok("GET", f"{COMPARISONS}/{made['id']}")["figures"]
    assert figures["base"] == figures["fine_tuned"] == first["figures"]
    server.ok("DELETE", f"{EVALUATIONS}/{first['id']}")
    assert server.ok("GET", f"{COMPARISONS}/{made['id']}/rows")["total"] == 7


def test_two_models_are_compared_on_prompts(server: Serving, tuned: str) -> None:
    prompts = ["Say 3.", "two\nlines ü"]
    asked = {"base_model": BASE, "fine_tuned_model": tuned, "prompts": prompts, "max_new_tokens": 4}
    job = ended(server, COMPARISONS, server.ok("POST", COMPARISONS, json=asked)["id"])
    assert (job["status"], job["figures"], job["num_prompts"]) == ("SUCCESS", None, 2)
    shown = server.ok("GET", f"{COMPARISONS}/{job['id']}/rows")["data"]
    assert [row["prompt"][-1]["content"] for row in shown] == prompts
    assert {row["outcome"] for row in shown} == {None}
    assert server.ok("DELETE", f"{COMPARISONS}/{job['id']}")["deleted"] is True
    assert server.http.get(f"{COMPARISONS}/{job['id']}").status_code == 404
    assert not (server.data_dir / "jobs" / job["id"]).exists()


def test_the_three_kinds_share_one_queue_and_keep_apart_on_the_wire(server: Serving, tuned: str) -> None:
    training = server.create(training_files=[server.upload(rows(30))], hyperparameters={"training_steps": 100_000})
    server.wait_for(training["id"], "RUNNING")
    asked = {"model": BASE, "file_id": server.upload(rows(9))}
    waiting = server.ok("POST", EVALUATIONS, json=asked)
    assert server.http.post(EVALUATIONS, json=asked).status_code == 409
    for place in ("/v1/fine_tuning/jobs", COMPARISONS):
        assert server.http.get(f"{place}/{waiting['id']}").status_code == 404
    assert server.http.get(f"{EVALUATIONS}/{training['id']}").status_code == 404
    assert server.ok("GET", f"{EVALUATIONS}/{waiting['id']}")["status"] == "QUEUED"
    assert server.ok("POST", f"{EVALUATIONS}/{waiting['id']}/cancel")["status"] == "CANCELLED"
    assert server.ok("POST", f"{EVALUATIONS}/{waiting['id']}/cancel")["status"] == "CANCELLED"
    again = server.ok("POST", EVALUATIONS, json=asked | {"max_new_tokens": 2})
    server.ok("POST", f"/v1/fine_tuning/jobs/{training['id']}/cancel")
    job = ended(server, EVALUATIONS, again["id"])
    assert job["status"] == "SUCCESS"
    assert job["figures"]["num_examples"] == 9
    assert server.wait_for(training["id"])["status"] == "CANCELLED"


def test_a_running_comparison_is_cancelled(server: Serving, tuned: str) -> None:
    many = server.upload(rows(400))
    models = {"base_model": BASE, "fine_tuned_model": tuned}
    asked = {**models, "file_id": many, "max_new_tokens": 300, "allow_overlap": True}
    made = server.ok("POST", COMPARISONS, json=asked)
    wait_until(lambda: server.ok("GET", f"{COMPARISONS}/{made['id']}")["progress"], seconds=60)
    assert server.ok("POST", f"{COMPARISONS}/{made['id']}/cancel")["status"] == "CANCELLATION_REQUESTED"
    assert ended(server, COMPARISONS, made["id"])["status"] == "CANCELLED"
    assert server.http.get(f"{COMPARISONS}/{made['id']}/rows").status_code == 409


@pytest.mark.parametrize(
    ("place", "body", "word"),
    [
        (EVALUATIONS, {"model": "nobody"}, "model"),
        (EVALUATIONS, {"file_id": "nowhere"}, "file_id"),
        (EVALUATIONS, {"evaluator": "oracle"}, '"evaluator"'),
        (EVALUATIONS, {"metrics": ["f1", "rouge"]}, '["body", "metrics", 1], "msg": "there is no metric'),
        (EVALUATIONS, {"metrics": []}, "no metric is named"),
        (COMPARISONS, {"metrics": []}, "leave metrics out"),
        (EVALUATIONS, {"metrics": ["rouge"]}, "did you mean rouge_l?"),
        (EVALUATIONS, {"language": "ru"}, '["body", "language"], "msg": "the articles of'),
        (EVALUATIONS, {"turns": "first"}, '["body", "turns"]'),
        (EVALUATIONS, {"by": ["tga"]}, '["body", "by", 0], "msg": "no row has a field \'tga\'; did you mean \'tag\'?"'),
        (EVALUATIONS, {"by": ["tag", "messages"]}, '["body", "by", 1], "msg": "rows.jsonl:1: \'messages\' is'),
        (EVALUATIONS, {"max_new_tokens": 0}, "max_new_tokens"),
        (EVALUATIONS, {"model": "/etc/passwd"}, "model"),
        (EVALUATIONS, {"output_dir": "/etc"}, "output_dir"),
        (COMPARISONS, {"fine_tuned_model": "nobody"}, "fine_tuned_model"),
        (COMPARISONS, {"by": ["tga"]}, '"by", 0'),
        (COMPARISONS, {"metrics": ["rouge"]}, '"metrics", 0'),
        (COMPARISONS, {"file_id": None, "prompts": ["x"], "by": ["tag"], "turns": "all"}, "turns and by"),
        (COMPARISONS, {"prompts": ["x"]}, "prompts"),
        (COMPARISONS, {"file_id": None}, "prompts"),
        (COMPARISONS, {"file_id": None, "prompts": ["x", "a\u0000b"]}, '"prompts", 1'),
        (COMPARISONS, {"file_id": None, "prompts": ["x"], "limit": 1}, "limit"),
    ],
)
def test_what_cannot_be_done_is_refused(server: Serving, place: str, body: dict[str, Any], word: str) -> None:
    file_id = server.upload(chats(4), "rows.jsonl")
    models = {"model": BASE} if place == EVALUATIONS else {"base_model": BASE, "fine_tuned_model": BASE}
    before = sorted(server.data_dir.glob("jobs/*"))
    answer = server.http.post(place, json={**models, "file_id": file_id, **body})
    assert answer.status_code == 422, answer.text
    assert word in json.dumps(answer.json()["detail"])
    assert sorted(server.data_dir.glob("jobs/*")) == before
