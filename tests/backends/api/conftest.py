"""The APIs of these tests: one that fails on purpose as the endpoint `lab`, and our own server as `local`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty_api import KEY as LAB_KEY
from faulty_api import FakeClock, FaultyApi, faulty_api, write_endpoints
from serving import KEY, Serving, serving


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    """An API with a clock that nobody waits for, under the name `lab`; the working directory is the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_API_KEY", LAB_KEY)
    with faulty_api(FakeClock()) as served:
        monkeypatch.setenv("MISTRALTUNE_CONFIG_DIR", str(write_endpoints(tmp_path / "config", lab=served.url)))
        yield served


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of the tiny Mistral under a public name."""
    with serving(tmp_path_factory.mktemp("server") / "data", "--model", f"open-mistral-7b={tiny_model}") as running:
        yield running


@pytest.fixture
def at_server(mistraltune: Any, server: Serving, tmp_path: Path) -> Any:
    """The command line of somebody whose endpoint `local` is that server."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "endpoints.yaml").write_text(f"local:\n  url: {server.url}/v1\n  key_variable: MISTRALTUNE_SERVER_KEY\n")
    own = {"MISTRALTUNE_CONFIG_DIR": str(folder), "MISTRALTUNE_SERVER_KEY": KEY}
    return replace(mistraltune, env={**mistraltune.env, **own})
