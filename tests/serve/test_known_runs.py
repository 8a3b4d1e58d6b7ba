"""Run directories as the server shows them: listed, looked into, drawn and downloaded, and nothing outside of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import KEY
from starlette.testclient import TestClient

from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir
from mistraltune.serve.app import create_app, open_server
from mistraltune.settings import ServerSettings


def write_run(path: Path, *, num_steps: int, is_finished: bool = True) -> RunDir:
    """A run as a trainer leaves it."""
    run = RunDir(path)
    config = {"model": "quickstart", "training": {"learning_rate": 1e-4}}
    with run.locked():
        run.begin({"config": config}, config=config, facts={})
        for step in range(1, num_steps + 1):
            run.emit("step", step=step, loss=5 / step, learning_rate=1e-4, tokens_per_second=10.0)
        run.emit("validation", step=num_steps, val_loss=0.5, val_accuracy=0.75)
        if is_finished:
            ref = ModelRef(model="quickstart", adapter=str(path))
            run.finish(TrainResult(model=ref, metrics={"train_loss": 0.5, "val_loss": 0.5, "num_steps": num_steps}))
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    write_run(folder / "first", num_steps=30)
    write_run(folder / "second", num_steps=3, is_finished=False)
    broken = write_run(folder / "broken", num_steps=1)
    (broken.path / "training_metadata.yaml").write_text("][")
    (folder / "first" / "evals").mkdir()
    report = {
        "model": {"model": "quickstart"},
        "evaluator": "text",
        "eval_file": "test.jsonl",
        "num_examples": 2,
        "metrics": {"exact_match": 0.5},
        "intervals": {},
        "sampling": {},
    }
    (folder / "first" / "evals" / "test-1.json").write_text(json.dumps(report))
    (folder / "first" / "evals" / "other.json").write_text("{}")
    (folder / "first" / "<b>.txt").write_text("x")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "first" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def http(tmp_path: Path, folder: Path) -> Iterator[TestClient]:
    server = open_server(tmp_path / "data", ServerSettings(), {}, runs_dirs=[folder, tmp_path / "nowhere"])
    headers = {"Authorization": f"Bearer {KEY}"}
    yield TestClient(create_app(server, key=KEY), base_url="http://localhost:8000", headers=headers)
    server.store.close()


def runs(http: TestClient) -> dict[str, Any]:
    return {run["name"]: run for run in http.get("/api/runs").json()["runs"]}


def test_runs_of_other_folders_are_listed_and_a_broken_one_hides_none(http: TestClient) -> None:
    found = runs(http)
    assert set(found) == {"first", "second", "broken"}
    assert (found["first"]["status"], found["first"]["num_steps"], found["first"]["train_loss"]) == (
        "finished",
        30,
        0.5,
    )
    assert (found["second"]["status"], found["second"]["train_loss"]) == ("unfinished", None)
    assert found["broken"]["status"] == "unreadable"
    assert "damaged" in found["broken"]["problem"]
    assert found["first"]["model"] == "quickstart"
    assert found["first"]["job_id"] is None
    page = http.get("/api/runs", params={"page": 1, "page_size": 2}).json()
    assert (page["total"], len(page["runs"])) == (3, 1)


def test_a_run_tells_its_configuration_evaluations_and_files(http: TestClient) -> None:
    details = http.get(f"/api/runs/{runs(http)['first']['id']}").json()
    assert "learning_rate" in details["config"]
    assert details["metadata"]["identity"]["config"]["model"] == "quickstart"
    assert [(each["file"], each["metrics"]) for each in details["evaluations"]] == [
        ("evals/test-1.json", {"exact_match": 0.5})
    ]
    names = {file["name"] for file in details["files"]}
    assert {"config.yaml", "metrics.jsonl", "metrics.json", "training_metadata.yaml", "<b>.txt"} <= names
    assert not {name for name in names if name.startswith(".") or "link" in name}
    broken = http.get(f"/api/runs/{runs(http)['broken']['id']}").json()
    assert (broken["metadata"], broken["metrics"]) == ({}, {})


def test_files_are_given_to_keep_and_only_those_of_the_run(http: TestClient) -> None:
    address = f"/api/runs/{runs(http)['first']['id']}/file"
    answer = http.get(address, params={"name": "<b>.txt"})
    assert answer.content == b"x"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert http.get(address, params={"name": "evals/test-1.json"}).status_code == 200
    for name in ("link.txt", "../second/config.yaml", "/etc/passwd", ".lock", "", "evals", "evals/../config.yaml"):
        assert http.get(address, params={"name": name}).status_code == 404, name


def test_curves_come_from_where_the_client_left_off_and_no_longer_than_asked(http: TestClient) -> None:
    address = f"/api/runs/{runs(http)['first']['id']}/metrics"
    whole = http.get(address).json()
    assert [point["step"] for point in whole["steps"]] == list(range(1, 31))
    assert whole["steps"][0] == {"step": 1, "loss": 5.0, "learning_rate": 1e-4, "tokens_per_second": 10.0}
    assert whole["validation"] == [{"step": 30, "val_loss": 0.5, "val_accuracy": 0.75}]
    assert (whole["last_step"], whole["num_steps_logged"]) == (30, 30)
    rest = http.get(address, params={"after_step": 28}).json()
    assert [point["step"] for point in rest["steps"]] == [29, 30]
    assert http.get(address, params={"after_step": 30}).json()["last_step"] == 30
    few = http.get(address, params={"max_points": 8}).json()
    assert len(few["steps"]) <= 8
    assert few["num_steps_logged"] == 30


def test_what_the_server_says_of_itself(http: TestClient) -> None:
    told = http.get("/api/server").json()
    assert told["limits"]["max_file_bytes"] == ServerSettings().max_file_bytes
    assert told["device"]["is_busy"] is False
    assert told["device"]["name"]
    assert 0 < told["memory"]["server_bytes"] < told["memory"]["total_bytes"]
    assert told["memory"]["disk_free_bytes"] > 0
    assert (told["num_open_jobs"], told["base_models"]) == (0, [])
