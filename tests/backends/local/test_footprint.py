"""What a training takes of the disk, known before a weight is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.footprint import check_space, count_adapter_weights, num_checkpoints
from mistraltune.errors import TemporaryError

MakeConfig = Callable[..., LocalTrainConfig]


@pytest.fixture
def config(tiny_model: Path) -> MakeConfig:
    def make(r: int = 4, **training: int) -> LocalTrainConfig:
        values = {
            "model": str(tiny_model),
            "data": {"train_file": "rows.jsonl"},
            "training": training,
            "lora": {"r": r},
        }
        return LocalTrainConfig.model_validate(values)

    return make


def test_adapter_weights_are_those_that_peft_makes(config: MakeConfig, tiny_model: Path) -> None:
    """Rank 4 on two layers: 8,192, as a run of the tiny model reports `num_trainable`."""
    assert count_adapter_weights(config(r=4), tiny_model) == 8192


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"epochs": 3, "keep_checkpoints": 2}, 2),
        ({"epochs": 3, "keep_checkpoints": 9}, 3),
        ({"max_steps": 10, "save_steps": 3, "keep_checkpoints": 9}, 4),
        ({"max_steps": 10, "save_steps": 100, "keep_checkpoints": 9}, 1),
    ],
)
def test_only_checkpoints_that_will_be_there_count(config: MakeConfig, training: dict[str, int], expected: int) -> None:
    assert num_checkpoints(config(**training), num_rows=32) == expected


def test_a_disk_that_is_too_small_is_refused_with_the_bytes(
    config: MakeConfig, tiny_model: Path, tmp_path: Path
) -> None:
    endless = config(r=4096, max_steps=10_000_000, save_steps=1, keep_checkpoints=10_000_000)
    with pytest.raises(TemporaryError) as refused:
        check_space(endless, base=tiny_model, run_path=tmp_path / "run", num_rows=32)
    assert re.fullmatch(
        rf"{tmp_path}/run: [\d,]+ bytes are free, adapter and checkpoints take about [\d,]+", refused.value.message
    )


def test_a_disk_that_is_large_enough_is_taken(config: MakeConfig, tiny_model: Path, tmp_path: Path) -> None:
    check_space(config(), base=tiny_model, run_path=tmp_path / "run", num_rows=32)
