"""R1, R2, R6, R8, R9: whatever ended a run and whenever, the same command again comes to the very same end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from strikes import Strike
from tallying import Tally
from trials import Whole

pytestmark = pytest.mark.timeout(3600)

KILLED = -signal.SIGKILL
EVERY_STEP = ("--set", "training.save_steps=1", "--set", "training.keep_checkpoints=9")
"""A checkpoint after each of the six steps: four in mid-epoch, two at the end of an epoch."""


def kill_and_recover(whole: Whole, folder: Path, **faults: Any) -> list[str]:
    """What is wrong after a training was killed, its directory read, and the same command given again."""
    killed = whole.training.run(folder, **faults)
    if killed.returncode != KILLED:
        return [f"not killed: exit {killed.returncode}\n{killed.stderr}"]
    return [*whole.training.read(folder), *whole.recover(folder)]


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_a_run_continues_from_each_of_its_checkpoints_to_the_same_adapter(
    train_whole: Callable[[str], Whole], tmp_path: Path, tally: Tally, is_exhaustive: bool, quantization: str
) -> None:
    whole = train_whole(quantization)
    problems = {}
    for step in range(1, 7) if is_exhaustive else (2, 3, 5):
        folder = tmp_path / str(step)
        strike = Strike(signal.SIGKILL, after_rename_to=f"checkpoints/step-{step}")
        killed = whole.training.run(folder, *EVERY_STEP, strike=strike)
        again = whole.training.run(folder, *EVERY_STEP)
        problems[f"step {step}"] = [
            *([] if killed.returncode == KILLED else [f"not killed: exit {killed.returncode}"]),
            *([] if f"continuing from step {step}\n" in again.stderr else [f"not continued:\n{again.stderr}"]),
            *whole.compare(folder),
        ]
    tally("R1", f"resume from every checkpoint, quantization {quantization}", problems)


def test_a_run_killed_at_any_time_continues_to_the_same_adapter(
    whole: Whole, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    chance = random.Random(7)
    problems = {}
    for number in range(50 if is_exhaustive else 6):
        folder, delay = tmp_path / str(number), chance.uniform(0, whole.seconds)
        trial = whole.training.start(folder)
        time.sleep(delay)
        trial.send(signal.SIGKILL)
        trial.wait()
        problems[f"after {delay:.3f} s"] = [*whole.training.read(folder), *whole.recover(folder)]
    tally("R2", "SIGKILL at random times: identical adapter and history (R6), readable directory (R9)", problems)


def test_a_run_killed_at_any_change_of_a_file_continues_to_the_same_adapter(
    whole: Whole, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    for number in range(1, whole.num_events + 1, 1 if is_exhaustive else 19):
        strike = Strike(signal.SIGKILL, at_event=number)
        problems[f"event {number}"] = kill_and_recover(whole, tmp_path / str(number), strike=strike)
    tally("R2", "SIGKILL at file events: identical adapter and history (R6), readable directory (R9)", problems)


def test_a_run_killed_again_and_again_still_comes_to_the_same_adapter(
    whole: Whole, tmp_path: Path, tally: Tally
) -> None:
    """Every start gets a little further; each kill hits what the one before left."""
    for number in range(3, whole.num_events, 37):
        whole.training.run(tmp_path, strike=Strike(signal.SIGKILL, at_event=number))
    tally("R2", "one run killed at a later event each time", {"to the end": whole.recover(tmp_path)})


def test_a_run_continued_with_another_number_of_threads_says_so(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    strike = Strike(signal.SIGKILL, after_rename_to="checkpoints/step-2")
    whole.training.run(tmp_path, strike=strike)
    ended = whole.training.run(tmp_path, num_threads=2)
    problems = {
        "threads": [] if "not bit-exact with the steps up to 2: threads was 1, is 2" in ended.stderr else [ended.stderr]
    }
    tally("R8", "resumed under other conditions: said, recorded, continued", problems)
    assert ended.returncode == 0
    shown = whole.training.server.run("runs", "show", "run", folder=tmp_path)
    assert "from_step: 0\n    threads: 1\n    device: cpu\n    dtype: float32\n" in shown.stdout
    assert "from_step: 2\n    threads: 2\n" in shown.stdout


# The checkers themselves


@pytest.mark.parametrize("plant", ["checkpoint_without_optimizer", "checkpoint_without_random_state"])
def test_a_checkpoint_without_a_part_of_the_state_is_noticed(whole: Whole, tmp_path: Path, plant: str) -> None:
    strike = Strike(signal.SIGKILL, after_rename_to="checkpoints/step-2")
    assert whole.training.run(tmp_path, strike=strike, plant=plant).returncode == KILLED
    assert "another adapter" in whole.recover(tmp_path)


def test_a_checkpoint_written_in_place_is_noticed(whole: Whole, tmp_path: Path) -> None:
    strike = Strike(signal.SIGKILL, at_path="step-2/trainer_state.json")
    problems = kill_and_recover(whole, tmp_path / "manifest-first", strike=strike, plant="checkpoint_in_place")
    assert problems


def test_metrics_that_are_not_cut_back_are_noticed(whole: Whole, tmp_path: Path) -> None:
    strike = Strike(signal.SIGKILL, at_path=".step-4.")
    assert whole.training.run(tmp_path, strike=strike).returncode == KILLED
    (problem,) = whole.recover(tmp_path, plant="metrics_never_rewound")
    assert problem.startswith("another history")


def test_a_directory_that_cannot_be_read_is_noticed(whole: Whole, tmp_path: Path) -> None:
    whole.training.run(tmp_path, strike=Strike(signal.SIGKILL, after_rename_to="checkpoints/step-2"))
    (tmp_path / "outputs" / "run" / "training_metadata.yaml").write_text("half: [a\n")
    assert whole.training.read(tmp_path)


def test_a_command_that_fails_is_no_recovery(whole: Whole, tmp_path: Path) -> None:
    (problem,) = whole.recover(tmp_path, file_limit=2000)
    assert problem.startswith("exit 5\n")
