"""Jobs on the wire: old and new bodies, limits, filters, dry runs, cancels, failures, and what no reply tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, Serving, rows, serving, wait_until

from mistraltune.backends.local.devices import has_gpu

JOBS = "/v1/fine_tuning/jobs"
WANDB_KEY = "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44"


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    options = ("--model", f"open-mistral-7b={tiny_model}", "--model", f"other={tiny_model}")
    with serving(tmp_path_factory.mktemp("jobs") / "data", *options) as running:
        yield running


def refused(server: Serving, **body: Any) -> tuple[int, Any]:
    answer = server.http.post(JOBS, json={"model": "open-mistral-7b", **body})
    return answer.status_code, answer.json()


def test_an_unknown_model_is_refused_with_those_that_are_served(server: Serving) -> None:
    status, body = refused(server, model="mistral-7b", training_files=[server.upload(rows())])
    assert status == 422
    assert body["detail"][0]["loc"] == ["body", "model"]
    assert "open-mistral-7b" in body["message"]
    assert "other" in body["message"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"training_files": []}, "training_files"),
        ({"training_files": ["nowhere"]}, "training_files"),
        ({"validation_files": ["nowhere"]}, "validation_files"),
        ({"suffix": "x" * 19}, "suffix"),
        ({"suffix": "a:b"}, "suffix"),
        ({"hyperparameters": {"training_steps": 0}}, "training_steps"),
        ({"hyperparameters": {"learning_rate": 2}}, "learning_rate"),
        ({"hyperparameters": {"learning_rate": 1e-9}}, "learning_rate"),
        ({"hyperparameters": {"seq_len": 99}}, "seq_len"),
        ({"hyperparameters": {"lerning_rate": 1e-4}}, "lerning_rate"),
        ({"hyperparameters": {"training_steps": True}}, "training_steps"),
        ({"invalid_sample_skip_percentage": 0.6}, "invalid_sample_skip_percentage"),
        ({"job_type": "classifier"}, "job_type"),
        ({"repositories": [{"type": "github", "name": "x", "owner": "y"}]}, "repositories"),
        ({"training_files": [{"file_id": "a", "weight": 1}, {"file_id": "b", "weight": 2}]}, "training_files"),
        ({"output_dir": "/etc"}, "output_dir"),
        ({"model": "/etc/passwd"}, "model"),
        ({"model": "http://169.254.169.254/"}, "model"),
        ({"model": "file:///etc/passwd"}, "model"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(server: Serving, body: dict[str, Any], place: str) -> None:
    before = server.ok("GET", JOBS)["total"]
    status, answer = refused(server, **{"training_files": [server.upload(rows())], **body})
    assert status == 422
    assert place in json.dumps(answer["detail"])
    assert server.ok("GET", JOBS)["total"] == before


def test_a_dry_run_tells_tokens_steps_cost_memory_and_disk_and_makes_nothing(server: Serving) -> None:
    before = sorted(server.data_dir.glob("jobs/*"))
    body = {"training_files": [server.upload(rows(20))], "hyperparameters": {"training_steps": 4}}
    answer = server.ok("POST", f"{JOBS}?dry_run=true", json={"model": "open-mistral-7b", **body})
    assert (answer["object"], answer["deprecated"], answer["training_steps"]) == ("job.metadata", True, 4)
    assert (answer["cost"], answer["cost_currency"]) == (0.0, "USD")
    assert answer["train_tokens"] == 4 * answer["train_tokens_per_step"]
    assert answer["epochs"] == pytest.approx(2, abs=0.1)  # 20 rows are two steps of 16
    assert answer["memory_device"] == ("gpu" if has_gpu() else "cpu")
    assert answer["memory_bytes"] > 100_000_000  # the libraries alone take more
    assert answer["memory_free_bytes"] is None or answer["memory_free_bytes"] > 0
    assert 0 < answer["disk_bytes"] < answer["disk_free_bytes"]
    assert sorted(server.data_dir.glob("jobs/*")) == before
    assert server.ok("GET", JOBS, params={"suffix": "none"})["total"] == 0


def test_a_dry_run_names_rows_that_cannot_be_trained(server: Serving) -> None:
    long = json.dumps({"instruction": "word " * 200, "output": "x"}).encode() + b"\n"
    body = {"training_files": [server.upload(long)], "hyperparameters": {"training_steps": 1, "seq_len": 100}}
    answer = server.http.post(f"{JOBS}?dry_run=true", json={"model": "open-mistral-7b", **body})
    assert answer.status_code == 422
    assert "train.jsonl:1 too-long" in answer.json()["message"]
    assert str(server.data_dir) not in answer.json()["message"]


def test_an_old_client_is_met_where_it_is(server: Serving) -> None:
    """The body of mistralai 0.4.2: plain ids, nulls, no auto_start, `?dry_run=false`; statuses of its own words."""
    body = {
        "model": "open-mistral-7b",
        "training_files": [server.upload(rows(9))],
        "validation_files": None,
        "hyperparameters": {"training_steps": 1, "learning_rate": 1e-4},
        "suffix": None,
        "integrations": None,
    }
    agent = {"user-agent": "mistral-client-python/0.4.2"}
    job = server.ok("POST", f"{JOBS}?dry_run=false", json=body, headers=agent)
    assert job["auto_start"] is True
    known = {"QUEUED", "STARTED", "RUNNING", "FAILED", "SUCCESS", "CANCELLED", "CANCELLATION_REQUESTED"}
    seen: set[str] = set()

    def look() -> bool:
        details = server.ok("GET", f"{JOBS}/{job['id']}", headers=agent)
        seen.add(details["status"])
        seen.update(event["data"]["status"] for event in details["events"] if event["name"] == "status-updated")
        return details["status"] in ("SUCCESS", "FAILED")

    wait_until(look, seconds=120)
    assert "SUCCESS" in seen
    assert seen <= known
    assert {each["status"] for each in server.ok("GET", JOBS, headers=agent)["data"]} <= known


def test_a_job_like_an_open_one_is_a_conflict(server: Serving) -> None:
    wanted = {"training_files": [{"file_id": server.upload(rows(6))}], "hyperparameters": {"training_steps": 7}}
    job = server.create(**wanted)
    status, body = refused(server, **wanted)
    assert (status, job["id"] in body["message"]) == (409, True)
    server.wait_for(job["id"], "VALIDATED")
    assert server.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == "CANCELLED"
    again = server.create(**wanted)
    assert again["id"] != job["id"]
    server.ok("POST", f"{JOBS}/{again['id']}/cancel")


def test_a_running_job_is_cancelled_with_a_checkpoint(server: Serving) -> None:
    job = server.create(training_files=[server.upload(rows(30))], hyperparameters={"training_steps": 5000})
    wait_until(lambda: server.job(job["id"])["checkpoints"], seconds=90)
    first = server.ok("POST", f"{JOBS}/{job['id']}/cancel")
    assert first["status"] == "CANCELLATION_REQUESTED"
    assert server.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] in ("CANCELLATION_REQUESTED", "CANCELLED")
    ended = server.wait_for(job["id"], seconds=30)
    assert (ended["status"], ended["fine_tuned_model"]) == ("CANCELLED", None)
    assert list((server.data_dir / "jobs" / job["id"] / "run" / "checkpoints").glob("step-*"))
    assert server.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == "CANCELLED"
    assert server.http.post(f"{JOBS}/{job['id']}/start").status_code == 409


def test_data_that_cannot_be_trained_fails_in_validation_with_the_reason(server: Serving) -> None:
    long = json.dumps({"instruction": "word " * 200, "output": "x"}).encode() + b"\n"
    wanted = {"training_files": [server.upload(long + long.replace(b"word", b"Word"))]}
    job = server.create(**wanted, hyperparameters={"training_steps": 1, "seq_len": 100}, auto_start=True)
    ended = server.wait_for(job["id"])
    assert ended["status"] == "FAILED_VALIDATION"
    assert any("too-long" in event["data"].get("message", "") for event in ended["events"])
    old = server.ok("GET", f"{JOBS}/{job['id']}", headers={"user-agent": "mistral-client-python/0.4.2"})
    assert old["status"] == "FAILED"


def test_rows_of_both_files_are_named_as_they_were_uploaded(server: Serving) -> None:
    validation = server.upload(rows(1, word="Not") + rows(3), "held_out.jsonl")
    body = {"training_files": [server.upload(rows(6), "mine.jsonl")], "validation_files": [validation]}
    job = server.create(**body, hyperparameters={"training_steps": 1})
    ended = server.wait_for(job["id"])
    (message,) = [event["data"]["message"] for event in ended["events"] if event["name"] == "error"]
    assert ended["status"] == "FAILED_VALIDATION"
    assert "held_out.jsonl:2" in message
    assert str(server.data_dir) not in message


def test_rows_that_are_too_long_are_left_out_as_far_as_allowed(server: Serving) -> None:
    long = json.dumps({"messages": [{"role": "user", "content": "word " * 200}, {"role": "assistant", "content": "x"}]})
    file_id = server.upload(rows(9) + long.encode() + b"\n")
    wanted = {"training_files": [file_id], "hyperparameters": {"training_steps": 1, "seq_len": 100}}
    few = server.create(**wanted, invalid_sample_skip_percentage=0.05)
    assert server.wait_for(few["id"])["status"] == "FAILED_VALIDATION"
    enough = server.create(**wanted, invalid_sample_skip_percentage=0.1, auto_start=False)
    assert server.wait_for(enough["id"], "VALIDATED")["metadata"]["num_rows_left_out"] == 1
    server.ok("POST", f"{JOBS}/{enough['id']}/cancel")


def test_lists_are_filtered_and_paged(server: Serving) -> None:
    file_id = server.upload(rows(7))
    made = [
        server.create(
            model=model,
            training_files=[{"file_id": file_id}],
            hyperparameters={"training_steps": 1},
            suffix="listed",
            integrations=[{"type": "wandb", "project": model, "name": "n", "api_key": WANDB_KEY}],
        )["id"]
        for model in ("open-mistral-7b", "other")
    ]

    def found(**filters: Any) -> list[str]:
        return [job["id"] for job in server.ok("GET", JOBS, params={"suffix": "listed", **filters})["data"]]

    assert found() == made[::-1]
    assert found(page=1, page_size=1) == made[:1]
    assert found(model="other") == made[1:]
    assert found(wandb_project="other", wandb_name="n") == made[1:]
    assert found(created_after="2000-01-01T00:00:00Z", created_by_me=True) == made[::-1]
    assert found(created_before="2000-01-01T00:00:00") == []
    for job_id in made:
        server.wait_for(job_id, "VALIDATED")
    assert found(status="VALIDATED") == made[::-1]
    assert server.http.get(JOBS, params={"created_after": "yesterday"}).status_code == 422
    for job_id in made:
        server.ok("POST", f"{JOBS}/{job_id}/cancel")


def test_keys_are_kept_nowhere(server: Serving) -> None:
    job = server.create(
        training_files=[{"file_id": server.upload(rows(11))}],
        hyperparameters={"training_steps": 1},
        integrations=[{"type": "wandb", "project": "p", "api_key": WANDB_KEY, "run_name": None}],
        auto_start=True,
    )
    assert job["integrations"] == [{"type": "wandb", "project": "p", "name": None, "run_name": None, "url": None}]
    ended = server.wait_for(job["id"])
    assert ended["status"] == "SUCCESS"
    status, body = refused(
        server, training_files=[], integrations=[{"type": "x", "project": "p", "api_key": WANDB_KEY}]
    )
    assert status == 422
    assert WANDB_KEY not in json.dumps([job, ended, body])
    written = [*server.data_dir.rglob("*"), server.log]
    for path in written:
        if path.is_file():
            content = path.read_bytes()
            assert WANDB_KEY.encode() not in content, path
            assert KEY.encode() not in content, path
