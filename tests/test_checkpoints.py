import hashlib
import json
from pathlib import Path

import pytest

from mistraltune.checkpoints import (
    Checkpoint,
    drop_later_checkpoints,
    drop_old_checkpoints,
    list_checkpoints,
    publish_checkpoint,
)

WEIGHTS = b"weights " * 1000


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return publish(tmp_path, 5)


def publish(folder: Path, step: int) -> Checkpoint:
    with publish_checkpoint(folder, step) as staging:
        (staging / "adapter.safetensors").write_bytes(WEIGHTS)
        (staging / "optimizer").mkdir()
        (staging / "optimizer" / "state.pt").write_bytes(b"moments")
    return Checkpoint(step, folder / f"step-{step}")


def steps(folder: Path) -> list[int]:
    return [checkpoint.step for checkpoint in list_checkpoints(folder)]


def test_a_published_checkpoint_is_sound(checkpoint: Checkpoint) -> None:
    assert checkpoint.damage() == ""


def test_the_manifest_holds_the_step_and_the_sha256_of_every_file(checkpoint: Checkpoint) -> None:
    assert json.loads((checkpoint.path / "manifest.json").read_text()) == {
        "step": 5,
        "files": {
            "adapter.safetensors": hashlib.sha256(WEIGHTS).hexdigest(),
            "optimizer/state.pt": hashlib.sha256(b"moments").hexdigest(),
        },
    }


def test_a_missing_file_is_named(checkpoint: Checkpoint) -> None:
    (checkpoint.path / "optimizer" / "state.pt").unlink()
    assert checkpoint.damage() == "optimizer/state.pt is missing"


def test_a_truncated_file_is_named(checkpoint: Checkpoint) -> None:
    (checkpoint.path / "adapter.safetensors").write_bytes(WEIGHTS[:-1])
    assert checkpoint.damage() == "adapter.safetensors does not match its hash"


def test_a_single_flipped_bit_is_found(checkpoint: Checkpoint) -> None:
    flipped = bytearray(WEIGHTS)
    flipped[4000] ^= 1
    (checkpoint.path / "adapter.safetensors").write_bytes(flipped)
    assert checkpoint.damage() == "adapter.safetensors does not match its hash"


@pytest.mark.parametrize("content", [b"", b'{"step": 5, "fi', b"[]", b'{"step": 5}', b'{"files": []}', b"\xff"])
def test_an_unreadable_manifest_is_damage(checkpoint: Checkpoint, content: bytes) -> None:
    (checkpoint.path / "manifest.json").write_bytes(content)
    assert checkpoint.damage() == "manifest.json is missing or unreadable"


def test_the_manifest_of_another_step_is_damage(tmp_path: Path, checkpoint: Checkpoint) -> None:
    moved = checkpoint.path.rename(tmp_path / "step-6")
    assert Checkpoint(6, moved).damage() == "manifest.json is of step 5"


def test_a_missing_manifest_is_damage(checkpoint: Checkpoint) -> None:
    (checkpoint.path / "manifest.json").unlink()
    assert checkpoint.damage() == "manifest.json is missing or unreadable"


def test_checkpoints_are_listed_by_step_not_by_name(tmp_path: Path) -> None:
    for step in (100, 9, 20):
        publish(tmp_path, step)
    assert steps(tmp_path) == [9, 20, 100]


def test_what_is_no_published_checkpoint_is_not_listed(tmp_path: Path, checkpoint: Checkpoint) -> None:
    for name in (".step-6.abc.tmp", "step-", "step-7.old", "best"):
        (tmp_path / name).mkdir()
    assert list_checkpoints(tmp_path) == [checkpoint]


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path / "missing") == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (8, 9, 10, 11):
        publish(tmp_path, step)
    drop_old_checkpoints(tmp_path, keep=2)
    assert steps(tmp_path) == [10, 11]


def test_keeping_more_than_there_are_drops_none(checkpoint: Checkpoint) -> None:
    drop_old_checkpoints(checkpoint.path.parent, keep=2)
    assert list_checkpoints(checkpoint.path.parent) == [checkpoint]


def test_checkpoints_after_a_step_can_be_dropped(tmp_path: Path) -> None:
    for step in (8, 9, 10):
        publish(tmp_path, step)
    drop_later_checkpoints(tmp_path, step=9)
    assert steps(tmp_path) == [8, 9]


def test_a_checkpoint_of_the_same_step_is_replaced_whole(tmp_path: Path, checkpoint: Checkpoint) -> None:
    with publish_checkpoint(tmp_path, 5) as staging:
        (staging / "other").write_bytes(b"1")
    assert checkpoint.damage() == ""
    assert sorted(path.name for path in checkpoint.path.iterdir()) == ["manifest.json", "other"]
