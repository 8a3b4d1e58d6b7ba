"""Clients that we did not write, each in an environment of its own, against the real server; a job there trains.

`nox -s compat` makes the environments and names their folder in MISTRALTUNE_CLIENTS.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import KEY, Serving, serving

from mistraltune.shipped import example_dir

CLIENTS = os.environ.get("MISTRALTUNE_CLIENTS", "")
MODEL = os.environ.get("MISTRALTUNE_COMPAT_MODEL", "quickstart")
STEPS = 3

pytestmark = [
    pytest.mark.skipif(not CLIENTS, reason="`nox -s compat` makes the clients' environments"),
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    model = str(tiny_model) if MODEL == "tiny" else MODEL
    with serving(tmp_path_factory.mktemp("compat") / "data", "--model", f"open-mistral-7b={model}") as running:
        yield running


@pytest.mark.parametrize(
    ("client", "script"),
    [
        ("mistralai-0.4.2", "mistralai_0_4.py"),
        ("mistralai-1.12.4", "mistralai_1_and_2.py"),
        ("mistralai-2.5.1", "mistralai_1_and_2.py"),
        ("mistralai-3.7.0", "mistralai_3.py"),
        ("openai", "openai_client.py"),
    ],
)
def test_a_client_does_its_whole_work(server: Serving, tmp_path: Path, client: str, script: str) -> None:
    lines = (example_dir("support_triage") / "train.jsonl").read_bytes().splitlines(keepends=True)
    training_file = tmp_path / "train.jsonl"
    training_file.write_bytes(b"".join(lines[:32]))
    command = [Path(CLIENTS) / client / "bin" / "python", Path(__file__).parent / "clients" / script]
    outcome = subprocess.run(
        [*map(str, command), str(training_file), str(STEPS)],
        env={"MISTRAL_API_KEY": KEY, "MISTRAL_ENDPOINT": server.url, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr + server.log.read_text()
