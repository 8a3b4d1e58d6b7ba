"""The APIs of these tests: one that fails on purpose as the endpoint `lab`, and our own server as `local`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty_api import lab
from remote_jobs import FaultyApi
from serving import KEY, Serving, serving

from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.connection import Patience
from mistraltune.backends.api.endpoints import find_endpoint
from mistraltune.backends.api.retrying import Retrier


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    """An API with a clock that nobody waits for, under the name `lab`; the working directory is the test's own."""
    with lab(tmp_path, monkeypatch) as served:
        yield served


@pytest.fixture
def client(api: FaultyApi) -> Iterator[ApiClient]:
    """A client of that API, which waits by its clock and has no patience with silence."""
    opened = ApiClient(
        find_endpoint("lab"), retry=Retrier(api.clock, seed=1), patience=Patience(connect=5, read=0.3, whole=1)
    )
    yield opened
    opened.close()


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
