"""R4, C5: a disk that is full is told in one line, costs no checkpoint, and once freed the run goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from strikes import Strike
from tallying import Tally
from trials import Ended, Whole

from mistraltune.runs import RunDir

pytestmark = pytest.mark.timeout(3600)

TOLD = re.compile(r"outputs/\S+ could not be written: .+ \([\d,]+ bytes are free there\)")
TOO_SMALL = re.compile(r"outputs/run: [\d,]+ bytes are free, adapter and checkpoints take about [\d,]+")
ENDLESS = ("training.epochs=10000", "training.keep_checkpoints=1000000", "training.save_steps=1", "lora.r=4096")
UNWRITABLE = ("file", "file/below", "/proc/nowhere")


def what_is_wrong(ended: Ended, folder: Path) -> list[str]:
    """Exit 5 and one line that names path, reason and bytes; every checkpoint that is there is sound."""
    problems = []
    if ended.returncode != 5:
        problems.append(f"exit {ended.returncode}")
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    if len(lines) != 1 or not (TOLD.search(lines[0]) or TOO_SMALL.search(lines[0])):
        problems.append(f"told as {ended.stderr[-1500:]}")
    if ended.has_traceback:
        problems.append("traceback")
    _, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
    return problems + passed_over


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this root cannot mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_run_survives_files_that_may_not_grow(
    whole: Whole, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    """RLIMIT_FSIZE: every larger file fails in its middle."""
    largest = max(file.stat().st_size for file in whole.folder.rglob("outputs/**/*") if file.is_file())
    count = 20 if is_exhaustive else 5
    problems = {}
    for number in range(count):
        limit = int(2500 * (largest / 2600) ** (number / (count - 1)))
        folder = tmp_path / str(limit)
        problems[f"{limit} bytes"] = [
            *what_is_wrong(whole.training.run(folder, file_limit=limit), folder),
            *whole.recover(folder),
        ]
    tally("R4", "files limited to N bytes (RLIMIT_FSIZE): one line, checkpoints sound, then identical", problems)


def test_a_run_survives_a_disk_that_fills_up(whole: Whole, small_disk: Path, tally: Tally, is_exhaustive: bool) -> None:
    problems = {}
    count = 20 if is_exhaustive else 5
    for number in range(count):
        event = 8 + number * (whole.num_events - 18) // count
        folder, filler = small_disk / "run", small_disk / "filler"
        ended = whole.training.run(folder, strike=Strike(at_event=event, fill=str(filler)))
        # An old checkpoint that goes can free what the rest of the run takes.
        wrong = what_is_wrong(ended, folder) if ended.returncode else whole.compare(folder)
        filler.unlink()
        problems[f"full from event {event}"] = wrong + whole.recover(folder)
        shutil.rmtree(folder)
    tally("R4", "disk (tmpfs) full from an event on: one line, checkpoints sound, then identical", problems)


def start_without_room(whole: Whole, folder: Path, **faults: Any) -> list[str]:
    """What is wrong with the end of a training whose checkpoints would take terabytes."""
    ended = whole.training.run(folder, *(part for setting in ENDLESS for part in ("--set", setting)), **faults)
    is_right = ended.returncode == 5 and TOO_SMALL.search(ended.stderr) and "loading" not in ended.stderr
    return [] if is_right else [ended.stderr]


def start_at(whole: Whole, folder: Path, place: str, **faults: Any) -> list[str]:
    """What is wrong with the end of a training whose output cannot be written."""
    ended = whole.training.run(folder, "--output-dir", place, **faults)
    is_right = ended.returncode == 2 and f"cannot write to {place}: " in ended.stderr and "loading" not in ended.stderr
    return [] if is_right else [ended.stderr]


def test_a_disk_that_is_too_small_is_found_before_the_model_loads(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    tally("C5", "disk too small: found before the model loads", {"too small": start_without_room(whole, tmp_path)})


def test_an_output_that_cannot_be_written_is_found_before_the_model_loads(
    whole: Whole, tmp_path: Path, tally: Tally
) -> None:
    (tmp_path / "file").touch()
    problems = {place: start_at(whole, tmp_path, place) for place in UNWRITABLE}
    tally("C5", "output that cannot be written: found before the model loads", problems)


def test_a_disk_or_an_output_that_is_never_looked_at_is_noticed(whole: Whole, tmp_path: Path) -> None:
    """The checkers on planted losses; a training that does start is killed soon."""
    (tmp_path / "file").touch()
    strike = Strike(signal.SIGKILL, at_event=40)
    assert start_without_room(whole, tmp_path, plant="space_never_measured", strike=strike)
    assert start_at(whole, tmp_path, "file", plant="output_never_tried")


def test_a_disk_error_in_a_librarys_own_words_is_noticed(whole: Whole, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    ended = whole.training.run(tmp_path, file_limit=50_000, plant="raw_disk_errors")
    assert what_is_wrong(ended, tmp_path)
