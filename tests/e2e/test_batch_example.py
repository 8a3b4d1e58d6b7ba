"""The batch example, as a user starts it: six runs, the best one named, nothing trained twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # minutes on two cores, more beside other work

SCRIPT = Path(__file__).parents[2] / "examples" / "batch" / "best_of_six.py"


def test_three_configurations_with_two_seeds_are_trained_and_the_best_is_named(
    tiny_model: Path, triage_rows: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(SCRIPT), "--train-file", str(triage_rows / "train.jsonl")]
    command += ["--val-file", str(triage_rows / "val.jsonl"), "--", "--model", str(tiny_model)]
    command += ["--set", "training.max_steps=1", "--set", "training.batch_size=2", "--set", "training.save_steps=1"]

    def run() -> list[str]:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    lines = run()
    runs = sorted((tmp_path / "outputs" / "batch").iterdir())
    assert len(runs) == 6
    losses = {run.name: json.loads((run / "metrics.json").read_text())["val_loss"] for run in runs}
    assert [line.split()[1] for line in lines[:6]] == sorted(losses, key=losses.__getitem__)
    assert lines[6] == f"best: outputs/batch/{min(losses, key=losses.__getitem__)}"
    written = {run.name: (run / "adapter_model.safetensors").stat().st_mtime_ns for run in runs}
    assert run() == lines
    assert {run.name: (run / "adapter_model.safetensors").stat().st_mtime_ns for run in runs} == written
