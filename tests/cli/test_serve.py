"""`mistraltune serve` at the command line: what it refuses before it listens, and what it says when it does."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import KEY, serving

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

ANY_PORT = ("--port", "0", "--data-dir", "data")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0", *ANY_PORT), "MISTRALTUNE_SERVER_KEY"),
        (("--host", "::", *ANY_PORT), "MISTRALTUNE_SERVER_KEY"),
        (("--host", "192.0.2.1", *ANY_PORT), "MISTRALTUNE_SERVER_KEY"),
        (("--model", "quickstart", *ANY_PORT), "NAME=REF"),
        (("--model", "=quickstart", *ANY_PORT), "NAME=REF"),
        (("--model", "ft:mine=quickstart", *ANY_PORT), "NAME=REF"),
        (("--model", "mine=./nowhere", *ANY_PORT), "no such model directory"),
        (("--data-dir", "/proc/nowhere", "--port", "0"), "--data-dir"),
        (("--port", "70000"), "--port"),
        (("--max-parallel-jobs", "0"), "--max-parallel-jobs"),
    ],
)
def test_what_cannot_be_served_is_refused(mistraltune: CommandLine, arguments: tuple[str, ...], words: str) -> None:
    outcome = mistraltune("serve", *arguments, MISTRALTUNE_SERVER_KEY="")
    assert outcome.returncode == 2, outcome.stderr
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_port_in_use_is_named(mistraltune: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = mistraltune("serve", "--port", port, "--data-dir", "data")
    assert outcome.returncode == 2
    assert f"127.0.0.1:{port}" in outcome.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("PORT", "many"), ("KEY", "two words"), ("MAX_FILE_BYTES", "0"), ("MAX_SOCKETS", "-1")]
)
def test_a_variable_that_cannot_be_used_is_named_without_its_value(
    mistraltune: CommandLine, variable: str, value: str
) -> None:
    name = f"MISTRALTUNE_SERVER_{variable}"
    outcome = mistraltune("serve", *ANY_PORT, **{name: value})
    assert outcome.returncode == 2
    assert name in outcome.stderr
    assert "two words" not in outcome.stderr


def test_a_random_key_is_printed_where_none_is_set(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with serving(tmp_path / "data", env={"MISTRALTUNE_SERVER_KEY": ""}) as server:
            match = re.search(r"key: (\S+)", server.log.read_text())
            assert match is not None
            assert len(match[1]) >= 43  # 256 bits
            assert server.http.get("/v1/models", headers={"Authorization": f"Bearer {match[1]}"}).status_code == 200
            keys.append(match[1])
    assert keys[0] != keys[1]


def test_a_key_of_ones_own_is_not_printed(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        assert server.ok("GET", "/v1/models")
        assert KEY not in server.log.read_text()


def test_a_link_needs_a_server_that_runs(mistraltune: CommandLine, tmp_path: Path) -> None:
    outcome = mistraltune("serve", "link", "--data-dir", "data")
    assert outcome.returncode == 2
    assert "no server works on data" in outcome.stderr
    with serving(tmp_path / "data") as running:
        outcome = mistraltune("serve", "link", "--data-dir", str(running.data_dir), "--json")
        told = json.loads(outcome.stdout)
        assert told["link"].startswith(f"{running.url}/sign-in?code=")
        assert told["valid_seconds"] == 600


def test_an_empty_directory_reindexes_to_nothing(mistraltune: CommandLine) -> None:
    outcome = mistraltune("serve", "reindex", "--data-dir", "data", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout) == {"data_dir": "data", "num_files": 0, "num_jobs": 0}
