"""Figure S6: requests made up from our own description of the API; none brings the server to a 5xx."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest
from serving import KEY, rows, serving

CLIENTS = os.environ.get("MISTRALTUNE_CLIENTS", "")
NUM_REQUESTS = 2000
"""At least."""
NUM_EXAMPLES = 90
"""Requests made up for each of some fifty operations, in each of schemathesis' phases."""

pytestmark = [
    pytest.mark.skipif(not CLIENTS, reason="`nox -s compat` makes the clients' environments"),
    pytest.mark.timeout(1200),
]


@pytest.mark.figure("S6", "requests made up from the OpenAPI document: none is a 5xx", trials=NUM_REQUESTS)
def test_no_request_that_can_be_made_up_is_a_server_error(tmp_path: Path, tiny_model: Path) -> None:
    limits = {"MISTRALTUNE_SERVER_MAX_ANSWER_TOKENS": "4"}
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}", env=limits) as server:
        job = server.create(training_files=[server.upload(rows())], hyperparameters={"training_steps": 1})
        job = server.wait_for(job["id"])
        config = tmp_path / "schemathesis.toml"  # so that requests reach what is there
        config.write_text(
            f'[parameters]\njob_id = "{job["id"]}"\nrun_id = "{job["id"]}"\nfile_id = "{job["training_files"][0]}"\n'
            f'model_id = "{job["fine_tuned_model"]}"\n'
        )
        command = [str(Path(CLIENTS) / "schemathesis" / "bin" / "schemathesis"), "--config-file", str(config), "run"]
        options = {
            "--header": f"Authorization: Bearer {KEY}",
            "--checks": "not_a_server_error",
            "--max-examples": str(NUM_EXAMPLES),
            "--seed": "1",
            "--phases": "examples,coverage,fuzzing",
            "--request-timeout": "60",
        }
        outcome = subprocess.run(
            [*command, f"{server.url}/openapi.json", *chain(*options.items()), "--no-color"],
            capture_output=True,
            text=True,
            timeout=1000,
            cwd=tmp_path,  # it keeps a cache where it runs
            check=False,
        )
        assert server.http.get("/healthz").status_code == 200
        match = re.search(r"(\d+) generated", outcome.stdout)
        assert match is not None
        assert int(match[1]) >= NUM_REQUESTS
        assert outcome.returncode == 0, outcome.stdout[-5000:] + outcome.stderr + server.log.read_text()[-3000:]
