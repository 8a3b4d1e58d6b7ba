"""Many rows are worked on by several processes, with the same outcome as by one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from mistraltune.data import spreading
from mistraltune.data.conversation import Conversation
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.fitting import fit
from mistraltune.data.measuring import Rules
from mistraltune.data.rendered import Rendered
from mistraltune.data.rendering import MistralRenderer
from mistraltune.data.reopening import Reopening
from mistraltune.data.spreading import num_cores, spread
from mistraltune.data.truncating import OnTooLong
from mistraltune.errors import DataError

CORES = num_cores()
NUM_ROWS = 1_000
SUMS = [sum(range(start, start + 50)) for start in range(0, NUM_ROWS, 50)]
"""What summing up the rows of each chunk gives; `sum` is work that any process can do."""


@pytest.fixture(autouse=True)
def several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "CHUNK", 50)
    monkeypatch.setattr(spreading, "ROWS_PER_PROCESS", 100)
    monkeypatch.setattr(spreading, "num_cores", lambda: 3)


@pytest.fixture
def chunks_done_here() -> list[int]:
    return []


@pytest.fixture
def slow_sum(chunks_done_here: list[int]) -> Callable[[range], int]:
    """The work of this process, so slow at first that workers have time to start."""

    def work(rows: range) -> int:
        time.sleep(0 if chunks_done_here else 2)
        chunks_done_here.append(rows.start)
        return sum(rows)

    return work


def test_results_come_in_the_order_of_the_rows(slow_sum: Callable[[range], int], chunks_done_here: list[int]) -> None:
    assert list(spread(slow_sum, NUM_ROWS, open_work=partial(partial, sum))) == SUMS
    assert 0 < len(chunks_done_here) < len(SUMS)


@pytest.mark.parametrize(
    "open_work",
    [
        pytest.param(None, id="nothing to open"),
        pytest.param(lambda: sum, id="cannot be pickled"),
        pytest.param(partial(os._exit, 7), id="ends at once"),
        pytest.param(partial(int, "x"), id="fails to open"),
        pytest.param(partial(partial, divmod), id="fails at its first chunk"),
        pytest.param(partial(getattr, {range(50, 100): SUMS[1]}, "__getitem__"), id="fails at a later chunk"),
    ],
)
def test_what_a_worker_cannot_do_is_done_here(
    open_work: Callable[[], Any] | None, slow_sum: Callable[[range], int]
) -> None:
    assert list(spread(slow_sum, NUM_ROWS, open_work=open_work)) == SUMS


def test_few_rows_need_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "_Worker", None)
    assert list(spread(sum, 120, open_work=partial(partial, sum))) == [*SUMS[:2], sum(range(100, 120))]
    assert list(spread(sum, 0, open_work=partial(partial, sum))) == []


def test_no_worker_outlives_work_that_is_broken_off(slow_sum: Callable[[range], int]) -> None:
    before = set(psutil.Process().children())
    parts = spread(slow_sum, NUM_ROWS, open_work=partial(partial, sum))
    next(parts)
    assert len(set(psutil.Process().children()) - before) == 2
    parts.close()
    assert not set(psutil.Process().children()) - before


# Rows rendered by several processes


def row(*turns: tuple[str, str]) -> dict[str, Any]:
    messages = [{"role": role, "content": text} for turn in turns for role, text in zip(ROLES, turn, strict=True)]
    return {"messages": messages}


ROLES = ("user", "assistant")
ROWS = [
    row(("What is the capital of France?", "Paris.")),
    row(("Tell me more, " * 60, "No."), ("And now?", "Yes."), ("Why?", "It is late.")),
    row(("Qui êtes-vous ?", "Un modèle de langue. 🐈")),
    row(("Tell me everything, " * 300, "No.")),
]
REFUSED = row(("Say nothing.", "   "))
OPEN_V3 = partial(MistralRenderer.from_name, "v3")


def write_rows(path: Path, rows: list[dict[str, Any]], *, number: int = NUM_ROWS) -> Path:
    """Rows over and over, with a blank line here and there."""
    lines = (json.dumps(rows[index % len(rows)]) + "\n" * (1 + (index % 7 == 0)) for index in range(number))
    path.write_text("".join(lines))
    return path


def outcome(
    file: ConversationFile, renderer: MistralRenderer, on_too_long: OnTooLong, reopening: Reopening | None = None
) -> dict[str, Any]:
    """Everything that measuring says, where there are workers with time for them to start."""

    def render(conversation: Conversation) -> list[Rendered]:
        time.sleep(0.003 if reopening else 0)
        return renderer.render(conversation)

    told: list[int] = []
    try:
        rules = Rules(200, on_too_long, renderer.bos_id, renderer.end_ids)
        fitted = fit(file, render, rules=rules, reopening=reopening, on_progress=told.append)
    except DataError as error:
        return {"message": error.message, "hint": error.hint, "details": error.details, "told": told}
    return {"measured": fitted.measured, "rows": list(fitted)[::50], "told": told}


@pytest.mark.parametrize("on_too_long", ["error", "drop", "truncate"])
@pytest.mark.parametrize("rows", [pytest.param(ROWS, id="good"), pytest.param([*ROWS, REFUSED], id="refused")])
def test_several_processes_measure_what_one_does(
    tmp_path: Path, on_too_long: OnTooLong, rows: list[dict[str, Any]]
) -> None:
    file = ConversationFile.open(write_rows(tmp_path / "rows.jsonl", rows))
    renderer = OPEN_V3()
    alone = outcome(file, renderer, on_too_long)
    assert alone == outcome(file, renderer, on_too_long, Reopening(OPEN_V3, renderer.fingerprint))
    assert alone["told"][-1] == NUM_ROWS
    if rows == ROWS and on_too_long == "truncate":
        assert (alone["measured"].num_dropped, alone["measured"].num_truncated) == (250, 250)


def test_a_worker_with_another_renderer_renders_nothing(tmp_path: Path) -> None:
    file = ConversationFile.open(write_rows(tmp_path / "rows.jsonl", ROWS))
    renderer = OPEN_V3()
    open_another = partial(MistralRenderer.from_name, "v2")
    reopening = Reopening(open_another, renderer.fingerprint)
    assert outcome(file, renderer, "drop", reopening) == outcome(file, renderer, "drop")


def test_a_file_that_changes_is_refused_whoever_reads_it(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", ROWS)
    file = ConversationFile.open(path)
    path.write_text(path.read_text() + "\n")
    renderer = OPEN_V3()
    told = outcome(file, renderer, "drop", Reopening(OPEN_V3, renderer.fingerprint))
    assert told["message"] == f"{path} changed while it was in use"


# Stopped


@pytest.mark.skipif(CORES < 2, reason="one core has no use for workers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_command_that_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    path = write_rows(tmp_path / "rows.jsonl", ROWS, number=60_000)
    command = [sys.executable, "-m", "mistraltune", "data", "validate", str(path), "--tokenizer", "v3"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        workers: list[psutil.Process] = []
        while not workers and process.poll() is None:
            workers = psutil.Process(process.pid).children()
            time.sleep(0.05)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert workers
    assert process.returncode == -number
    assert "Traceback" not in told
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
