"""The line by an API, on the quickstart model: our own client against our own server, then both models compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_api import write_endpoints
from serving import KEY, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # minutes on two cores, more beside other work

EXAMPLE = Path(__file__).parents[2] / "examples" / "support_triage"


def test_a_model_trained_by_our_own_server_beats_its_base_on_this_machine(tmp_path: Path) -> None:
    def mistraltune(*args: str) -> Any:
        command = [sys.executable, "-m", "mistraltune", *args, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with serving(tmp_path / "data", "--model", "open-mistral-7b=quickstart") as server:
        folder = write_endpoints(tmp_path / "config", local=server.url)
        env = {**os.environ, "MISTRALTUNE_CONFIG_DIR": str(folder), "LAB_API_KEY": KEY}
        train = ("train", "api", "--endpoint", "local", "--train-file", str(EXAMPLE / "train.jsonl"))
        options = ("--training-steps", "14", "--learning-rate", "1e-3", "--suffix", "triage", "--run-id", "run")
        assert mistraltune(*train, *options)["metrics"]["num_steps"] == 14
        (job,) = mistraltune("jobs", "list", "--endpoint", "local")["jobs"]
        compared = mistraltune(
            *("compare", "--base-model", "quickstart", "--fine-tuned-model", f"api:{job['fine_tuned_model']}@local"),
            *("--eval-file", str(EXAMPLE / "test.jsonl"), "--limit", "16", "--max-new-tokens", "16"),
        )
    assert compared["base"]["model"]["backend"] == "local"
    assert compared["fine_tuned"]["model"]["endpoint"] == "local"
    assert compared["fine_tuned"]["usage"]["completion_tokens"] > 0
    assert compared["differences"]["f1"]["value"] > 0.1
