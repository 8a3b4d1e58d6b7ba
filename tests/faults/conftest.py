"""The fork server, the undisturbed trainings that all others are measured by, and the table of what held."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trials import ForkServer, Outcome, Training, Whole, fork_server

LABELS = ("billing / urgent", "billing / normal", "delivery / urgent", "delivery / normal")
IS_EXHAUSTIVE = os.environ.get("MISTRALTUNE_FAULTS") == "all"


@pytest.fixture(scope="session")
def is_exhaustive() -> bool:
    """Whether all trials are wanted (`MISTRALTUNE_FAULTS=all`), not the fast share."""
    return IS_EXHAUSTIVE


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """The fork server of this session."""
    with fork_server(tmp_path_factory.mktemp("trials")) as started:
        yield started


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with twelve training rows and four validation rows of different lengths."""
    folder = tmp_path_factory.mktemp("rows")
    for name, numbers in (("train", range(12)), ("val", range(100, 104))):
        lines = (
            {"instruction": "Label this ticket.", "input": f"Ticket {i}: " + "word " * (i % 7), "output": LABELS[i % 4]}
            for i in numbers
        )
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="session")
def train_whole(
    server: ForkServer, tiny_model: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Whole]:
    """`train_whole(quantization)`: the undisturbed training, done once."""
    done: dict[str, Whole] = {}

    def make(quantization: str) -> Whole:
        if quantization not in done:
            done[quantization] = train_undisturbed(
                Training(server, tiny_model, rows, quantization), tmp_path_factory.mktemp(f"whole-{quantization}")
            )
        return done[quantization]

    return make


def train_undisturbed(training: Training, folder: Path) -> Whole:
    """Train to the end, counting the changes of files."""
    events = folder / "events"
    started = time.perf_counter()
    ended = training.run(folder, events=events)
    seconds = time.perf_counter() - started
    assert ended.returncode == 0, ended.stderr
    return Whole(training, folder, Outcome.of(folder), len(events.read_text().splitlines()), seconds)


@pytest.fixture(scope="session")
def whole(train_whole: Callable[[str], Whole]) -> Whole:
    """The undisturbed training of LoRA in float32."""
    return train_whole("none")
