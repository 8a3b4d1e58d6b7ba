"""Uploaded files looked into: reports, statistics, rows as a model reads them, splits, conversions, uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, rows
from starlette.testclient import TestClient

from mistraltune.serve.app import Server, create_app, open_server
from mistraltune.serve.catalogue import make_catalogue
from mistraltune.serve.records import Status
from mistraltune.settings import ServerSettings

MODEL = "open-mistral-7b"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    catalogue = make_catalogue([f"{MODEL}={tiny_model}"])
    opened = open_server(tmp_path_factory.mktemp("datasets") / "data", ServerSettings(), catalogue)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def http(server: Server) -> TestClient:
    """Without a lifespan: nothing trains."""
    headers = {"Authorization": f"Bearer {KEY}"}
    app = create_app(server, key=KEY)
    return TestClient(app, base_url="http://localhost:8000", headers=headers, raise_server_exceptions=False)


def upload(http: TestClient, content: bytes, name: str = "rows.jsonl") -> Any:
    answer = http.post("/v1/files", files={"file": (name, content)}, data={"purpose": "fine-tune"})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def ok(http: TestClient, method: str, path: str, **options: Any) -> Any:
    answer = http.request(method, path, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def row(*messages: tuple[str, str], **more: Any) -> bytes:
    return (
        json.dumps({"messages": [{"role": role, "content": text} for role, text in messages], **more}).encode() + b"\n"
    )


def test_an_upload_that_is_refused_says_of_each_line_what_to_do(http: TestClient) -> None:
    content = rows(1) + b'{"messages": []}\n' + b'{"a": 1,}\n'
    answer = http.post("/v1/files", files={"file": ("bad.jsonl", content)})
    assert answer.status_code == 422
    problems = {each["loc"][2]: each for each in answer.json()["detail"]}
    assert set(problems) == {2, 3}
    assert all(each["type"] and each["msg"] for each in problems.values())
    assert any(each["ctx"]["hint"] for each in problems.values() if "ctx" in each)


def test_a_report_lists_what_is_odd_line_by_line(http: TestClient) -> None:
    file = upload(http, rows(3) + rows(2), "odd.jsonl")
    report = ok(http, "GET", f"/api/files/{file}/report")
    assert (report["num_rows"], report["num_errors"], report["num_warnings"], report["format"]) == (5, 0, 2, "messages")
    assert [(each["line"], each["rule"]) for each in report["findings"]] == [(4, "duplicate"), (5, "duplicate")]
    assert not any(each["is_error"] for each in report["findings"])
    assert report["findings"][0]["message"] == "the same row as odd.jsonl:1"


def test_statistics_count_as_the_model_does(http: TestClient) -> None:
    file = upload(http, rows(20, word="counted"))
    found = ok(http, "GET", f"/api/files/{file}/statistics", params={"model": MODEL, "max_length": 8})
    listed = ok(http, "GET", f"/api/files/{file}/rows", params={"model": MODEL, "limit": 50})["rows"]
    sequences = [sequence for each in listed for sequence in each["sequences"]]
    assert found["num_tokens"] == sum(each["num_tokens"] for each in sequences)
    assert found["num_trained_tokens"] == sum(each["num_trained_tokens"] for each in sequences)
    assert found["lengths"]["longest"] == max(each["num_tokens"] for each in sequences)
    assert sum(each["count"] for each in found["lengths"]["bins"]) == len(sequences) == found["num_sequences"] == 20
    assert found["num_too_long"] == 20
    assert [each["line"] for each in found["too_long"]] == list(range(1, 21))
    assert found["steps_per_epoch"] == 2
    assert http.get(f"/api/files/{file}/statistics", params={"model": "nowhere"}).status_code == 404


def test_rows_that_say_nearly_the_same_are_found(http: TestClient) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    apart = " ".join(f"other{number}" for number in range(60))
    rows_of = [row(("user", text), ("assistant", "Yes.")) for text in (words, apart, f"{words} more")]
    file = upload(http, rows_of[0] + rows_of[1] + b"\n" + rows_of[2], "near.jsonl")
    found = ok(http, "GET", f"/api/files/{file}/near-duplicates", params={"threshold": 0.8})
    assert (found["num_rows"], found["num_near_rows"]) == (3, 1)
    (pair,) = found["pairs"]
    assert (pair["row"], pair["line"], pair["earlier_row"], pair["earlier_line"]) == (3, 4, 1, 1)
    assert 0.8 <= pair["similarity"] < 1
    assert http.get(f"/api/files/{file}/near-duplicates", params={"threshold": 0}).status_code == 422


def test_rows_show_what_is_trained_and_what_is_not(http: TestClient) -> None:
    content = b"\n" + row(("user", "Capital?"), ("assistant", "Paris é"), ("user", "Sure?"), ("assistant", SCRIPT))
    file = upload(http, content + rows(5))
    listed = ok(http, "GET", f"/api/files/{file}/rows", params={"limit": 2, "model": MODEL})
    assert (listed["total"], listed["offset"], len(listed["rows"])) == (6, 0, 2)
    first = listed["rows"][0]
    assert (first["row"], first["line"], first["problem"]) == (1, 2, None)
    assert [message["content"] for message in first["messages"]] == ["Capital?", "Paris é", "Sure?", SCRIPT]
    assert [message["is_trained"] for message in first["messages"]] == [False, True, False, True]
    (sequence,) = first["sequences"]
    trained = [segment["text"] for segment in sequence["segments"] if segment["is_trained"]]
    assert [text.strip().removesuffix("</s>") for text in trained] == ["Paris é", SCRIPT]
    assert "[INST]" in sequence["segments"][0]["text"]
    assert sum(segment["num_tokens"] for segment in sequence["segments"]) == sequence["num_tokens"]
    rest = ok(http, "GET", f"/api/files/{file}/rows", params={"offset": 5, "limit": 10})
    assert [(each["row"], each["sequences"]) for each in rest["rows"]] == [(6, None)]
    assert ok(http, "GET", f"/api/files/{file}/rows", params={"offset": 99})["rows"] == []


def test_a_split_makes_files_of_its_own_and_keeps_every_row(http: TestClient) -> None:
    content = rows(30, word="split")
    file = upload(http, content, "whole.jsonl")
    made = ok(http, "POST", f"/api/files/{file}/split", json={"val": 0.2, "test": 0.1})
    names = [made[part]["filename"] for part in ("train", "val", "test")]
    assert names == ["whole.train.jsonl", "whole.val.jsonl", "whole.test.jsonl"]
    parts = [http.get(f"/v1/files/{made[part]['id']}/content").content for part in ("train", "val", "test")]
    assert sorted(b"".join(parts).splitlines()) == sorted(content.splitlines())
    assert [part.count(b"\n") for part in parts] == [21, 6, 3]
    again = ok(http, "POST", f"/api/files/{file}/split", json={"val": 0.2, "test": 0.1})
    assert again["val"]["id"] == made["val"]["id"]  # the same name and content is the same file


@pytest.mark.parametrize("body", [{"val": 1.0}, {"val": 0.6, "test": 0.6}, {"val": -0.1}, {"val": 0.1, "seed": -1}])
def test_shares_that_leave_nothing_are_refused(http: TestClient, body: dict[str, float]) -> None:
    file = upload(http, rows(30, word="split"), "whole.jsonl")
    assert http.post(f"/api/files/{file}/split", json=body).status_code == 422


def test_a_file_too_small_to_split_is_named_as_its_owner_names_it(http: TestClient, server: Server) -> None:
    file = upload(http, rows(1), "tiny.jsonl")
    answer = http.post(f"/api/files/{file}/split", json={"val": 0.1})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("tiny.jsonl: no rows would be left")
    assert str(server.store.data_dir) not in answer.text


def test_a_conversion_makes_a_file_in_the_other_format(http: TestClient, server: Server) -> None:
    lines = b"".join(b'{"instruction": "Say %d.", "output": "%d"}\n' % (n, n) for n in range(3))
    file = upload(http, lines, "alpaca.jsonl")
    made = ok(http, "POST", f"/api/files/{file}/convert", json={"to": "messages"})
    assert (made["file"]["filename"], made["num_rows"]) == ("alpaca.messages.jsonl", 3)
    content = http.get(f"/v1/files/{made['file']['id']}/content").content
    assert json.loads(content.splitlines()[2])["messages"][1] == {"role": "assistant", "content": "2"}
    many_turns = row(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    refused = http.post(f"/api/files/{upload(http, many_turns)}/convert", json={"to": "instruct"})
    assert refused.status_code == 422
    assert not list((server.store.data_dir / "files").glob(".making-*"))


def test_before_a_file_is_deleted_it_says_what_was_made_with_it(http: TestClient, server: Server) -> None:
    file, other = upload(http, rows(4, word="used"), "used.jsonl"), upload(http, rows(4, word="other"), "other.jsonl")
    body = {"model": MODEL, "training_files": [other], "validation_files": [file]}
    job = ok(http, "POST", "/v1/fine_tuning/jobs", json=body)["id"]
    evaluation = ok(http, "POST", "/api/evaluations", json={"model": MODEL, "file_id": file})["id"]
    found = ok(http, "GET", f"/api/files/{file}/uses")
    assert found["num_open"] == 2
    assert [(use["id"], use["kind"], use["role"]) for use in found["uses"]] == [
        (job, "job", "validation"),
        (evaluation, "evaluation", "evaluation"),
    ]
    record = server.jobs.find(job)
    server.store.update_job(record, status=Status.CANCELLED)
    assert ok(http, "GET", f"/api/files/{other}/uses")["num_open"] == 0


@pytest.mark.parametrize("rest", ["report", "statistics?model=x", "near-duplicates", "rows", "uses"])
def test_an_unknown_file_is_not_found(http: TestClient, rest: str) -> None:
    for name in ("nowhere", "..", "%2e%2e%2fjobs"):
        assert http.get(f"/api/files/{name}/{rest}").status_code in (404, 405)
