"""C1, C4: a stopped command ends by its signal and leaves nothing alive, nothing half, and nothing to clear away."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from strikes import Strike
from tallying import Tally
from trials import ForkServer, Trial, Whole, copy_run

from mistraltune.runs import RunDir

pytestmark = pytest.mark.timeout(3600)

SPEED = re.compile(rb'"tokens_per_second": [\d.]+')
"""What two evaluations of the same answers differ in."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TRAINING_PHASES = {
    "before load": Strike(at_path=".write-probe"),
    "mid-step": Strike(after_rename_to="checkpoints/step-2"),  # when step 3 tells its loss
    "mid-save": Strike(at_path="checkpoints/.step-4."),
}


def strike_with(number: signal.Signals, strike: Strike, *, twice: bool = False) -> Strike:
    return Strike(
        number, at_path=strike.at_path, after_rename_to=strike.after_rename_to, reads=strike.reads, twice=twice
    )


def what_is_left(trial: Trial, folder: Path) -> list[str]:
    """What a stopped command should not have left."""
    return [
        *(f"alive: {process}" for process in trial.survivors()),
        *(f"left over: {path}" for path in folder.rglob("*.tmp")),
    ]


def test_a_signal_stops_a_training_whole(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    problems = {}
    for phase, strike in TRAINING_PHASES.items():
        for number in SIGNALS:
            folder = tmp_path / f"{phase} {number}"
            trial = whole.training.start(folder, strike=strike_with(number, strike))
            ended = trial.wait()
            checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
            has_saved = (checkpoint is not None and checkpoint.step > 2) or phase == "before load"
            problems[f"train {phase} {number.name}"] = [
                *([] if ended.returncode == -number else [f"exit {ended.returncode}"]),
                *([] if not ended.has_traceback else [ended.stderr]),
                *([] if has_saved else [f"no checkpoint of the stop: {checkpoint}"]),
                *passed_over,
                *what_is_left(trial, folder),
                *whole.recover(folder),
            ]
    tally("C1", "signal to train local: ends by it, checkpoint saved, nothing alive, then identical", problems)


def test_a_second_signal_ends_a_training_at_once(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    problems = {}
    for number in SIGNALS:
        folder = tmp_path / number.name
        strike = strike_with(number, TRAINING_PHASES["mid-save"], twice=True)
        trial = whole.training.start(folder, strike=strike)
        ended = trial.wait()
        checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
        problems[number.name] = [
            *([] if ended.returncode == -number else [f"exit {ended.returncode}"]),
            *([] if checkpoint and checkpoint.step == 2 else [f"previous checkpoint: {checkpoint}"]),
            *passed_over,
            *(f"alive: {process}" for process in trial.survivors()),
            *whole.recover(folder),
        ]
    tally("C1", "second signal in mid-save: ends at once, previous checkpoint intact, then identical", problems)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_the_caller_ignores_stays_ignored(whole: Whole, tmp_path: Path, number: signal.Signals) -> None:
    """`nohup` has SIGHUP ignored, `&` in a script SIGINT."""
    strike = strike_with(number, TRAINING_PHASES["mid-step"])
    ended = whole.training.run(tmp_path, strike=strike, ignored=[number])
    assert ended.returncode == 0, ended.stderr
    assert whole.compare(tmp_path) == []


# Commands beside training


@dataclass(frozen=True)
class Command:
    """A command, and where to stop it.

    Attributes:
        arguments: In a folder with `train.jsonl`, `val.jsonl` and, where they need it, a finished run.
        phases: Strike by name of the phase.
        outputs: What it makes, relative to the folder.
    """

    arguments: tuple[str, ...]
    phases: dict[str, Strike]
    outputs: tuple[str, ...]


READS = Strike(at_path="val.jsonl", reads=True)
EVALUATION = {"before": READS, "mid-model": Strike(at_path="adapter_config.json", reads=True)}
COMPARED = ("--base-model", "model", "--fine-tuned-model", "outputs/run")
COMMANDS = {
    "data validate": Command(("data", "validate", "val.jsonl"), {"mid": READS}, ()),
    "data convert": Command(
        ("data", "convert", "val.jsonl", "made/out.jsonl"),
        {"before": READS, "mid": Strike(at_path="made/.out.jsonl.")},
        ("made",),
    ),
    "data split": Command(
        ("data", "split", "train.jsonl", "--out-dir", "made", "--val", "0.2"),
        {"before": Strike(at_path="train.jsonl", reads=True), "mid": Strike(at_path="made/.val.jsonl.")},
        ("made",),
    ),
    "eval": Command(
        ("eval", "--model", "outputs/run", "--eval-file", "val.jsonl", "--allow-overlap", "--max-new-tokens", "4"),
        EVALUATION | {"mid-write": Strike(at_path="outputs/run/evals/.")},
        ("outputs/run/evals",),
    ),
    "compare": Command(
        (
            *("compare", *COMPARED, "--eval-file", "val.jsonl", "--allow-overlap"),
            *("--max-new-tokens", "4", "--output-dir", "made"),
        ),
        EVALUATION | {"mid-write": Strike(at_path="made/.")},
        ("made",),
    ),
}


def make_place(whole: Whole, folder: Path) -> Path:
    """A folder with data, the model and a finished run."""
    copy_run(whole.training.data, folder)
    (folder / "model").symlink_to(whole.training.model)
    copy_run(whole.folder / "outputs", folder / "outputs")
    return folder


def contents(folder: Path, outputs: tuple[str, ...]) -> dict[str, bytes]:
    """All files of a command's outputs, without what differs each time: speeds, and the folder that reports name."""
    files = [path for output in outputs for path in (folder / output).rglob("*") if path.is_file()]
    texts = [SPEED.sub(b"", path.read_bytes()).replace(bytes(folder), b"") for path in files]
    return {str(path.relative_to(folder)): text for path, text in zip(files, texts, strict=True)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_stops_any_command_without_a_half_file(
    whole: Whole, server: ForkServer, tmp_path: Path, tally: Tally, name: str
) -> None:
    command = COMMANDS[name]
    undisturbed = make_place(whole, tmp_path / "undisturbed")
    assert server.run(*command.arguments, folder=undisturbed).returncode == 0
    expected = contents(undisturbed, command.outputs)
    problems = {}
    for phase, strike in command.phases.items():
        for number in SIGNALS:
            folder = make_place(whole, tmp_path / f"{phase} {number.name}")
            trial = server.start(*command.arguments, folder=folder, watched=folder, strike=strike_with(number, strike))
            ended = trial.wait()
            left = contents(folder, command.outputs)
            again = server.run(*command.arguments, folder=folder)
            problems[f"{phase} {number.name}"] = [
                *([] if ended.returncode == -number else [f"exit {ended.returncode}\n{ended.stderr[-1500:]}"]),
                *([] if not ended.has_traceback else [ended.stderr[-1500:]]),
                *([] if left.items() <= expected.items() else [f"left {sorted(left)}"]),
                *what_is_left(trial, folder),
                *([] if again.returncode == 0 else [f"then exit {again.returncode}"]),
                *([] if contents(folder, command.outputs) == expected else ["then another result"]),
            ]
    tally("C1", f"signal to {name}: ends by it, whole files or none, nothing alive, then the same", problems)


def test_a_command_that_does_not_hear_is_noticed(whole: Whole, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    strike = strike_with(signal.SIGTERM, TRAINING_PHASES["mid-step"])
    assert whole.training.run(tmp_path, strike=strike, plant="deaf_to_signals").returncode != -signal.SIGTERM
