"""R3: a damaged checkpoint is found by name, the one before it is taken, and the end is the very same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from strikes import Strike
from tallying import Tally
from trials import Whole, copy_run

pytestmark = pytest.mark.timeout(3600)


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def zero_512_bytes(content: bytes) -> bytes:
    start = max(len(content) // 2 - 256, 0)
    return content[:start] + bytes(min(512, len(content))) + content[start + 512 :]


DAMAGES: dict[str, Callable[[bytes], bytes] | None] = {
    "missing": None,
    "empty": lambda content: b"",
    "half": cut_in_half,
    "1 flipped bit": flip_a_bit,
    "512 zeroed bytes": zero_512_bytes,
}


def damage(file: Path, kind: str) -> None:
    change = DAMAGES[kind]
    if change is None:
        file.unlink()
        return
    content = file.read_bytes()
    assert change(content) != content
    file.write_bytes(change(content))


@pytest.fixture(scope="module")
def killed(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was killed when its checkpoints were of step 2 and step 4."""
    folder = tmp_path_factory.mktemp("killed")
    whole.training.run(folder, strike=Strike(signal.SIGKILL, after_rename_to="checkpoints/step-4"))
    return folder


def checkpoint_files(folder: Path) -> list[Path]:
    return sorted((folder / "outputs" / "run" / "checkpoints" / "step-4").iterdir())


def test_damage_of_any_kind_to_any_file_of_a_checkpoint_is_found(
    whole: Whole, killed: Path, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    files = [file.name for file in checkpoint_files(killed)]
    assert {"adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "manifest.json"} <= {*files}
    trials = list(product(files, DAMAGES))
    problems = {}
    for name, kind in trials if is_exhaustive else trials[:: len(DAMAGES) + 1]:  # each file once, each kind
        folder = copy_run(killed, tmp_path / f"{name} {kind}")
        damage(folder / "outputs" / "run" / "checkpoints" / "step-4" / name, kind)
        ended = whole.training.run(folder)
        # A bit of the manifest may be one of another file's hash.
        told = "step-4 is damaged (" if name == "manifest.json" else f"step-4 is damaged ({name} "
        problems[f"{name} {kind}"] = [
            *([] if told in ended.stderr and "continuing from step 2\n" in ended.stderr else [ended.stderr[-2000:]]),
            *whole.compare(folder),
        ]
    tally("R3", "damaged checkpoint files: named, previous checkpoint used, identical adapter", problems)


def test_a_run_whose_checkpoints_are_all_damaged_starts_over(whole: Whole, killed: Path, tmp_path: Path) -> None:
    folder = copy_run(killed, tmp_path / "run")
    for step in (2, 4):
        damage(folder / "outputs" / "run" / "checkpoints" / f"step-{step}" / "optimizer.pt", "empty")
    assert whole.recover(folder) == []


def test_damage_that_nobody_looks_for_is_noticed(whole: Whole, killed: Path, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    folder = copy_run(killed, tmp_path / "run")
    damage(folder / "outputs" / "run" / "checkpoints" / "step-4" / "rng_state.pth", "missing")
    assert "another adapter" in whole.recover(folder, plant="blind_to_damage")
