"""Our own client against our own server: from rows to a model that is asked and compared."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Serving

CommandLine = Callable[..., subprocess.CompletedProcess[str]]
TRAIN = (
    *("train", "api", "--endpoint", "local", "--train-file", "triage/train.jsonl"),
    *("--training-steps", "2", "--suffix", "triage", "--run-id", "run"),
)


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("triage_rows")
def test_from_rows_to_a_model_that_is_asked_and_compared(
    at_server: CommandLine, server: Serving, tmp_path: Path
) -> None:
    done = at_server(*TRAIN, "--json")
    trained = result(done)
    assert trained["status"] == "finished"
    assert trained["metrics"]["num_steps"] == 2
    assert trained["metrics"]["train_loss"] > 0
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2]
    (sent,) = [event for event in events if event["event"] == "progress" and event["done"] == event["total"]]
    assert sent["text"] == "uploading"
    (job,) = server.ok("GET", "/v1/fine_tuning/jobs")["data"]
    assert job["status"] == "SUCCESS"
    assert job["fine_tuned_model"].startswith("ft:open-mistral-7b:")
    assert ":triage-" in job["fine_tuned_model"]

    before = contents(tmp_path / "outputs" / "run")
    again = at_server(*TRAIN, "--json")
    assert result(again) == trained
    assert contents(tmp_path / "outputs" / "run") == before
    assert server.ok("GET", "/v1/fine_tuning/jobs")["total"] == 1
    assert server.ok("GET", "/v1/files")["total"] == 1

    reference = trained["reference"]
    assert reference == f"api:{job['fine_tuned_model']}@local"
    models = result(at_server("jobs", "models", "--endpoint", "local", "--json"))["models"]
    assert reference in {model["reference"] for model in models}
    compared = result(
        at_server(
            *("compare", "--base-model", "api:open-mistral-7b@local", "--fine-tuned-model", "outputs/run"),
            *("--eval-file", "triage/test.jsonl", "--max-new-tokens", "4", "--json"),
        )
    )
    assert compared["fine_tuned"]["model"]["model"] == job["fine_tuned_model"]
    assert compared["fine_tuned"]["num_examples"] == 4
    answered = at_server("generate", "--model", reference, "--max-new-tokens", "4", "hello", "--json")
    assert result(answered)["completions"][0]["num_tokens"] <= 4
