"""What a training takes of disk and memory, known before a weight is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.devices import has_gpu
from mistraltune.backends.local.footprint import Footprint, count_trained_weights, num_checkpoints
from mistraltune.backends.local.memory import Device
from mistraltune.backends.local.sharding import Formation
from mistraltune.backends.local.sizing import Dimensions, read_dimensions
from mistraltune.data.conversation import Conversation, Message
from mistraltune.errors import ConfigError, TemporaryError

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


ROWS = [Conversation((Message("user", "Hello"), Message("assistant", "Good morning")))] * 32


def footprint(config: LocalTrainConfig, base: Path, run_path: Path) -> Footprint:
    return Footprint(config, base=base, run_path=run_path, train=ROWS)


def test_adapter_weights_are_those_that_peft_makes(config: MakeConfig, tiny_model: Path) -> None:
    """Rank 4 on two layers: 8,192, as a run of the tiny model reports `num_trainable`."""
    assert count_trained_weights(config(r=4), tiny_model, read_dimensions(tiny_model)) == 8192


def test_a_model_of_unknown_dimensions_is_measured_by_its_files(config: MakeConfig, tiny_model: Path) -> None:
    assert count_trained_weights(config(r=4), tiny_model, None) == 8192


def test_the_memory_of_a_cpu_is_shared_by_the_processes_on_it(
    config: MakeConfig, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mistraltune.backends.local.footprint.free_memory", lambda: 8_000_000_000)
    four = Footprint(config(), base=tiny_model, run_path=tmp_path, train=ROWS, formation=Formation(8, 4))
    assert four.device.free == (8_000_000_000 if has_gpu() else 2_000_000_000)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"epochs": 3, "keep_checkpoints": 2}, 2),
        ({"epochs": 3, "keep_checkpoints": 9}, 3),
        ({"max_steps": 10, "save_steps": 3, "keep_checkpoints": 9}, 4),
        ({"max_steps": 10, "save_steps": 3, "keep_checkpoints": 1}, 1),
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
        footprint(endless, tiny_model, tmp_path / "run").refuse_small_disk()
    assert re.fullmatch(
        rf"{tmp_path}/run: [\d,]+ bytes are free, adapter and checkpoints take about [\d,]+", refused.value.message
    )


def test_what_is_large_enough_is_taken(config: MakeConfig, tiny_model: Path, tmp_path: Path) -> None:
    small = footprint(config(), tiny_model, tmp_path / "run")
    small.refuse_small_disk()
    small.refuse_small_memory()


def test_weights_that_cannot_fit_are_refused_with_their_bytes(
    config: MakeConfig, tiny_model: Path, tmp_path: Path
) -> None:
    large = footprint(config(), tiny_model, tmp_path / "run")
    large.device = Device("gpu", 2, free=1_000_000)
    with pytest.raises(ConfigError) as refused:
        large.refuse_small_memory()
    assert re.fullmatch(
        r"the weights of .* take about 8 MiB as they are held; 1 MiB of the GPU's memory are free",
        refused.value.message,
    )
    assert "FSDP" not in refused.value.hint
    large.device = Device("gpu", 2, free=1_000_000, formation=Formation(8, 8))
    with pytest.raises(ConfigError) as refused:
        large.refuse_small_memory()
    assert refused.value.hint.startswith("share the base over the processes by FSDP (--accelerate-config); ")


def test_experts_are_named_where_they_are_what_does_not_fit(
    config: MakeConfig, tiny_model: Path, tmp_path: Path
) -> None:
    """Mixtral 8x7B: 46.7 billion weights, of which bitsandbytes leaves 45.1 in 16 bits."""
    large = footprint(config(), tiny_model, tmp_path / "run")
    large.dimensions = Dimensions(
        layers=32,
        hidden=4096,
        inner=14336,
        queries=4096,
        keys=1024,
        vocabulary=32000,
        is_tied=False,
        experts=8,
        experts_per_token=2,
    )
    large.device = Device("gpu", 2, free=80 * 2**30)
    with pytest.raises(
        ConfigError, match=r"take about 85\.1 GiB as they are held, 84\.0 GiB of them experts in 16 bits"
    ):
        large.refuse_small_memory()
