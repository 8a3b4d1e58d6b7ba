"""A training's progress where no terminal draws a bar: in a CI log, in Slurm's, in a file."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from mistraltune.cli import console, counting
from mistraltune.cli import progress as progress_module
from mistraltune.cli.pacing import LONGEST_SILENCE, Pace
from mistraltune.cli.progress import RunProgress


class SetClock:
    """A clock that stands still until it is set."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def train(progress: RunProgress, *, num_steps: int, logging_steps: int = 1) -> None:
    progress({"event": "begin", "step": 0, "num_steps": num_steps})
    for step in range(1, num_steps + 1):
        progress({"event": "tick", "step": step})
        if step % logging_steps == 0:
            progress({"event": "step", "step": step, "loss": 2.0 - step / num_steps, "seconds": step / 10})
            progress({"event": "validation", "step": step, "val_loss": 1.5})
    progress({"event": "end", "step": num_steps})


def test_ten_thousand_steps_are_about_a_hundred_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress() as progress:
        train(progress, num_steps=10_000)
    out, err = capsys.readouterr()
    steps = [line for line in err.splitlines() if "  loss" in line]
    assert steps[0] == "step 1/10000  loss 1.9999  eta 0:16:40"
    assert steps[-1] == "step 10000/10000  loss 1.0000  val loss 1.5000  eta 0:00:00"
    assert len(steps) == 101
    assert err.count("validation loss") == 101
    assert (out, all(line.isprintable() for line in err.splitlines())) == ("", True)


def test_every_logged_step_of_a_short_training_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress() as progress:
        train(progress, num_steps=40, logging_steps=10)
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines() if "eta" in line] == [
        *("10/40", "20/40", "30/40", "40/40")
    ]


def test_slow_steps_are_told_once_a_minute_before_there_are_figures(capsys: pytest.CaptureFixture[str]) -> None:
    clock = SetClock()
    with RunProgress() as progress:
        progress({"event": "begin", "step": 0, "num_steps": 100})
        progress.pace = Pace(num_lines=100, clock=clock)
        for step in range(1, 7):
            clock.at += LONGEST_SILENCE / 2
            progress({"event": "tick", "step": step})
    assert capsys.readouterr().err == "step 2/100 ...\nstep 4/100 ...\nstep 6/100 ...\n"


def test_steps_of_a_job_that_tells_no_total_become_rarer() -> None:
    pace = Pace(num_lines=100, clock=SetClock())
    told = [step for step in range(1, 10_001) if pace.is_due(step, 0)]
    assert told[:5] == [2, 3, 4, 5, 6]
    assert len(told) < 100
    assert told[-1] > 9_000


def test_for_a_script_a_long_upload_is_a_hundred_events_of_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    with RunProgress(as_json=True) as progress:
        for sent in range(0, 10_000_001, 1_000):
            progress({"event": "progress", "what": "uploading", "done": sent, "total": 10_000_000})
        train(progress, num_steps=5)
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in err.splitlines()]
    uploads = [event for event in events if event["event"] == "progress"]
    assert len(uploads) == 101
    assert uploads[-1] == {"event": "progress", "text": "uploading", "done": 10_000_000, "total": 10_000_000}
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4, 5]
    assert out == ""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_bar_keeps_its_counts_on_a_narrow_terminal_and_leaves_figures_to_the_end(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=width, color_system=None)
    for module in (console, counting, progress_module):
        monkeypatch.setattr(module, "stderr", lambda: terminal)
    with RunProgress() as progress:
        train(progress, num_steps=10_000, logging_steps=1_000)
    drawn = file.getvalue()
    assert "…" not in drawn
    assert "10000/10000 loss 1.0000" in drawn
    assert "training: loss 1.0000  val loss 1.5000\n" in drawn
