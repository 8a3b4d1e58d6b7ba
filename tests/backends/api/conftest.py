"""Our own server as the API of these tests, under the name that it has for its users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, Serving, serving


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
