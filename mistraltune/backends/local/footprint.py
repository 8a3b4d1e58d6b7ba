"""How much disk a training takes, known from the headers of the base model's files before a weight is loaded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from mistraltune.errors import TemporaryError
from mistraltune.publishing import free_bytes

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig

ADAPTER_BYTES = 4
"""Bytes an adapter weight takes in a file: float32."""
CHECKPOINT_BYTES = 12
"""Bytes it takes in a checkpoint: itself, and AdamW's two moments."""


def check_space(config: LocalTrainConfig, *, base: Path, run_path: Path, num_rows: int) -> None:
    """Find out now, not at the last checkpoint, that the disk is too small.

    Args:
        config: The run's configuration.
        base: Folder of the base model.
        run_path: The run directory; what it holds already counts as written.
        num_rows: Training rows.

    Raises:
        TemporaryError: Fewer bytes are free than adapter and checkpoints take at the least.
    """
    num_weights = count_adapter_weights(config, base)
    num_folders = num_checkpoints(config, num_rows=num_rows) + 1  # a new one is whole before the oldest goes
    needed = num_weights * (CHECKPOINT_BYTES * num_folders + ADAPTER_BYTES)
    held = sum(file.stat().st_size for file in run_path.rglob("*") if file.is_file())
    free = free_bytes(run_path)
    if free + held < needed:
        raise TemporaryError(
            f"{run_path}: {free:,} bytes are free, adapter and checkpoints take about {needed:,}",
            hint="free some space, choose another --output-dir, or lower training.keep_checkpoints or lora.r",
        )


def count_adapter_weights(config: LocalTrainConfig, base: Path) -> int:
    """Weights of the adapters: r x (inputs + outputs) for each linear layer that gets one."""
    from safetensors import safe_open

    endings = tuple(f".{name}.weight" for name in config.lora.target_modules)
    total = 0
    for path in sorted(base.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            total += sum(sum(file.get_slice(name).get_shape()) for name in file.keys() if name.endswith(endings))  # noqa: SIM118
    return config.lora.r * total


def num_checkpoints(config: LocalTrainConfig, *, num_rows: int) -> int:
    """Checkpoints that will lie there in the end."""
    training = config.training
    save_steps = training.save_steps or training.steps_per_epoch(num_rows=num_rows)
    return min(training.keep_checkpoints, math.ceil(training.num_steps(num_rows=num_rows) / save_steps))
