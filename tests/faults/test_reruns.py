"""C2, C3: the same command again changes no byte, and of two trainings on one run exactly one works."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from strikes import Strike
from tallying import Tally
from trials import ForkServer, Whole, copy_run

pytestmark = pytest.mark.timeout(3600)

RERUN = {
    "data convert": ("data", "convert", "val.jsonl", "made/out.jsonl"),
    "data split": ("data", "split", "train.jsonl", "--out-dir", "made", "--val", "0.2"),
    "eval": ("eval", "--model", "outputs/run", "--eval-file", "val.jsonl", "--allow-overlap", "--max-new-tokens", "4"),
    "compare": (
        *("compare", "--base-model", "model", "--fine-tuned-model", "outputs/run"),
        *("--eval-file", "val.jsonl", "--allow-overlap", "--max-new-tokens", "4", "--output-dir", "made"),
    ),
}


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file with the time of its last change; the lock is a file that every start opens."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.parametrize("name", [*RERUN, "train local"])
def test_the_same_command_again_changes_no_byte(
    whole: Whole, server: ForkServer, tmp_path: Path, tally: Tally, name: str
) -> None:
    folder = copy_run(whole.training.data, tmp_path / "place")
    (folder / "model").symlink_to(whole.training.model)
    copy_run(whole.folder / "outputs", folder / "outputs")
    arguments = whole.training.arguments() if name == "train local" else RERUN[name]
    assert server.run(*arguments, folder=folder).returncode == 0
    problems = {time: what_a_rerun_did(server, arguments, folder) for time in ("second", "third")}
    tally("C2", f"{name} a second and third time: exit 0, no byte changed, no model loaded", problems)


def what_a_rerun_did(server: ForkServer, arguments: Sequence[str | Path], folder: Path, **faults: Any) -> list[str]:
    """What the same command did once more, beyond saying that all is done."""
    before = state(folder)
    ended = server.run(*arguments, folder=folder, **faults)
    return [
        *([] if ended.returncode == 0 else [f"exit {ended.returncode}\n{ended.stderr}"]),
        *([] if state(folder) == before else ["something was written"]),
        *([] if "loading" not in ended.stderr else ["a model was loaded"]),
    ]


def test_a_rerun_that_works_again_is_noticed(whole: Whole, server: ForkServer, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    folder = copy_run(whole.training.data, tmp_path / "place")
    (folder / "model").symlink_to(whole.training.model)
    copy_run(whole.folder / "outputs", folder / "outputs")
    assert server.run(*RERUN["eval"], folder=folder).returncode == 0
    assert what_a_rerun_did(server, RERUN["eval"], folder, plant="evaluations_never_found") == [
        "something was written",
        "a model was loaded",
    ]


def test_of_two_trainings_started_together_exactly_one_works(
    whole: Whole, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    for number in range(20 if is_exhaustive else 3):
        folder = tmp_path / str(number)
        trials = [whole.training.start(folder) for _ in range(2)]
        ends = [trial.wait() for trial in trials]
        codes = [end.returncode for end in ends]
        if sorted(codes) != [0, 11]:
            problems[f"pair {number}"] = [f"exits {codes}"]
            continue
        winner, loser = trials[codes.index(0)], ends[codes.index(11)]
        is_named = f"is in use by process {winner.pid} on " in loser.stderr
        problems[f"pair {number}"] = [*([] if is_named else [loser.stderr]), *whole.compare(folder)]
    tally("C3", "two trainings of one run started together: one works, the other exits 11 and names it", problems)


def test_a_run_whose_holder_was_killed_is_free_at_once(
    whole: Whole, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    for number in range(20 if is_exhaustive else 3):
        folder = tmp_path / str(number)
        holder = whole.training.start(folder, strike=Strike(signal.SIGSTOP, after_rename_to="checkpoints/step-2"))
        holder.wait_until_stopped()
        second = whole.training.run(folder)
        holder.send(signal.SIGKILL)
        holder.wait()
        is_named = f"is in use by process {holder.pid} on " in second.stderr
        problems[f"holder {number}"] = [
            *([] if second.returncode == 11 and is_named else [f"exit {second.returncode}\n{second.stderr}"]),
            *whole.recover(folder),
        ]
    tally("C3", "holder stopped: exit 11 names it; holder killed: the next start works, identical", problems)


def test_a_lock_that_does_not_hold_is_noticed(whole: Whole, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    holder = whole.training.start(tmp_path, strike=Strike(signal.SIGSTOP, after_rename_to="checkpoints/step-2"))
    holder.wait_until_stopped()
    second = whole.training.run(tmp_path, plant="never_locked")
    holder.send(signal.SIGKILL)
    holder.wait()
    assert second.returncode != 11
