"""One server for the tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Serving, serving


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of the tiny Mistral under a public name."""
    with serving(tmp_path_factory.mktemp("server") / "data", "--model", f"open-mistral-7b={tiny_model}") as running:
        yield running
