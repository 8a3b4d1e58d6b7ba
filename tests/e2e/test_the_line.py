"""The whole line on the quickstart model, as a user types it: train, interrupt, continue, evaluate, compare."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # minutes on two cores, more beside other work

EXAMPLE = Path(__file__).parents[2] / "examples" / "support_triage"
TRAIN = ["train", "local", "--config", str(EXAMPLE / "train.yaml"), "--run-id", "triage", "--json"]
TRAIN += ["--train-file", str(EXAMPLE / "train.jsonl"), "--val-file", str(EXAMPLE / "val.jsonl")]
TRAIN += ["--set", "training.max_steps=30", "--set", "training.save_steps=10", "--set", "training.eval_steps=15"]


def mistraltune(*args: str, cwd: Path, expect: int = 0) -> Any:
    """The JSON that a command prints."""
    outcome = subprocess.run(
        [sys.executable, "-m", "mistraltune", *args], cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    assert outcome.returncode == expect, outcome.stderr
    return json.loads(outcome.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def run(place: Path) -> dict[str, Any]:
    """A run that was interrupted by Ctrl-C after its first checkpoint, then continued by the same command."""
    # A shell that starts a job in the background makes it ignore SIGINT, and children inherit that.
    process = subprocess.Popen(
        [sys.executable, "-m", "mistraltune", *TRAIN],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr
    for line in process.stderr:
        if '"checkpoint"' in line:
            break
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT, stderr  # a shell shows 130
    assert json.loads(stdout)["error"]["message"].startswith("stopped at step")
    assert mistraltune("runs", "show", "triage", "--json", cwd=place)["status"] == "unfinished"
    finished: dict[str, Any] = mistraltune(*TRAIN, "--resume", cwd=place)
    return finished


def test_an_interrupted_training_continues_and_every_step_is_logged_once(run: dict[str, Any], place: Path) -> None:
    assert run["status"] == "finished"
    assert run["metrics"]["num_steps"] == 30
    assert run["metrics"]["train_tokens"] > run["metrics"]["trained_tokens"] > 0
    lines = (place / run["run_dir"] / "metrics.jsonl").read_text().splitlines()
    steps = [event["step"] for event in map(json.loads, lines) if event["event"] == "step"]
    assert steps == sorted(set(steps))
    assert steps[-1] == 30


def test_the_loss_falls(run: dict[str, Any], place: Path) -> None:
    lines = (place / run["run_dir"] / "metrics.jsonl").read_text().splitlines()
    losses = [event["loss"] for event in map(json.loads, lines) if event["event"] == "step"]
    assert losses[-1] < losses[0] / 4


def test_the_adapter_names_a_base_that_transformers_loads_from_disk(run: dict[str, Any], place: Path) -> None:
    config = json.loads((place / run["run_dir"] / "adapter_config.json").read_text())
    assert (Path(config["base_model_name_or_path"]) / "config.json").is_file()


def test_eval_keeps_every_prediction_and_is_not_computed_twice(run: dict[str, Any], place: Path) -> None:
    command = ["eval", "--model", run["run_dir"], "--eval-file", str(EXAMPLE / "test.jsonl"), "--limit", "24"]
    command += ["--max-new-tokens", "16", "--json"]
    first = mistraltune(*command, cwd=place)
    assert first["num_examples"] == 24
    predictions = (place / first["predictions_file"]).read_bytes()
    assert len(predictions.splitlines()) == 24
    assert (place / first["predictions_file"]).parent == place / run["run_dir"] / "evals"
    assert mistraltune(*command, cwd=place)["metrics"] == first["metrics"]
    assert (place / first["predictions_file"]).read_bytes() == predictions


def test_compare_shows_that_tuning_helped_and_its_gates_hold(run: dict[str, Any], place: Path) -> None:
    command = ["compare", "--base-model", "quickstart", "--fine-tuned-model", run["run_dir"], "--json"]
    command += ["--eval-file", str(EXAMPLE / "test.jsonl"), "--limit", "24", "--max-new-tokens", "16"]
    compared = mistraltune(*command, "--html", "report.html", "--fail-under", "f1=0.2", cwd=place)
    assert compared["differences"]["f1"]["value"] > 0.2
    assert "<html" in (place / "report.html").read_text()
    mistraltune(*command, "--fail-under", "exact_match=1.0", cwd=place, expect=6)


def test_the_quickstart_model_still_knows_the_capital_of_france(place: Path) -> None:
    answer = mistraltune("generate", "--model", "quickstart", "What is the capital of France?", "--json", cwd=place)
    assert "Paris" in answer["completions"][0]["text"]
