"""What a training takes of memory and disk, known from the base model's files before a weight is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mistraltune.backends.local.devices import free_memory, has_bf16, has_gpu
from mistraltune.backends.local.inspecting import IMAGE_PARTS
from mistraltune.backends.local.memory import (
    FLOAT32,
    STATE_BYTES,
    Batch,
    Device,
    Memory,
    count_adapter_weights,
    estimate_memory,
    ways_to_save,
)
from mistraltune.backends.local.sharding import ALONE, Formation
from mistraltune.backends.local.sizing import Dimensions, read_dimensions
from mistraltune.data.conversation import Conversation
from mistraltune.data.fitting import Fitted
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import free_bytes

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig

NUM_WAYS = 4
"""Ways to save memory that are told at once."""


class Disk(NamedTuple):
    """What a run directory will take, in bytes.

    Attributes:
        needed: At the least: checkpoints and the adapter.
        held: What it holds already counts as written.
        free: On its file system.
    """

    needed: int
    held: int
    free: int

    def figures(self) -> dict[str, int]:
        """JSON-like, bytes under names that say so."""
        return {"needed_bytes": self.needed, "held_bytes": self.held, "free_bytes": self.free}


class Footprint:
    """What a training takes.

    Args:
        config: The run's configuration.
        base: Folder of the base model; its weights need not be there.
        run_path: The run directory.
        train: Training rows.
        formation: The processes; what is told of memory is each one's.
    """

    def __init__(
        self,
        config: LocalTrainConfig,
        *,
        base: Path,
        run_path: Path,
        train: Sequence[Conversation],
        formation: Formation = ALONE,
    ) -> None:
        self.config = config
        self.dimensions = read_dimensions(base)
        self.batch = longest_batch(train, config)
        self.device = find_device(config.local.dtype, formation)
        self.run_path = run_path
        self.disk = estimate_disk(config, base=base, run_path=run_path, num_rows=len(train))

    @property
    def memory(self) -> Memory | None:
        """The estimate; None for a model whose configuration names its dimensions otherwise."""
        if self.dimensions is None:
            return None
        return estimate_memory(self.config, self.dimensions, self.batch, self.device)

    def figures(self) -> dict[str, Any]:
        """Both, JSON-like."""
        return {"memory": self.memory.figures() if self.memory else None, "disk": self.disk.figures()}

    def refuse_small_disk(self) -> None:
        """Find out now, not at the last checkpoint, that the disk is too small.

        Raises:
            TemporaryError: Fewer bytes are free than adapter and checkpoints take at the least.
        """
        disk = self.disk
        if disk.free + disk.held < disk.needed:
            raise TemporaryError(
                f"{self.run_path}: {disk.free:,} bytes are free, adapter and checkpoints take about {disk.needed:,}",
                hint="free some space, choose another --output-dir, or lower training.keep_checkpoints or lora.r",
            )

    def refuse_small_memory(self) -> None:
        """Raise where the weights alone are larger than all that is free.

        Raises:
            ConfigError: Names both, and what part of the weights no quantisation makes smaller.
        """
        memory = self.memory
        if memory is None or memory.free is None or memory.weights <= memory.free:
            return
        formation = memory.formation
        shared = "share the base over the processes by FSDP (--accelerate-config); "
        may_share = formation.num_processes > 1 and not formation.sharding and self.config.quantization != "int8"
        of_experts = f", {gigabytes(memory.experts)} of them experts in 16 bits, which quantisation passes over"
        raise ConfigError(
            f"the weights of {self.config.model} take about {gigabytes(memory.weights)} as they are held"
            f"{of_experts if memory.experts and self.config.quantization != 'none' else ''}; "
            f"{gigabytes(memory.free)} of the {memory.device.upper()}'s memory are free",
            hint=(shared if may_share else "") + (self.advice() or "free some, or take a smaller model"),
        )

    def advice(self) -> str:
        """What to lower and how much that saves, in words; empty where nothing is known to help."""
        if self.dimensions is None:
            return ""
        ways = list(ways_to_save(self.config, self.dimensions, self.batch, self.device))[:NUM_WAYS]
        return "; ".join(
            f"--set {text.replace(' with ', ' --set ')} saves about {gigabytes(saved)}" for text, saved in ways
        )


def find_device(dtype: str, formation: Formation) -> Device:
    """What each process of a training here computes on, known before torch is imported."""
    is_bf16 = has_bf16() if dtype == "auto" else dtype == "bfloat16"
    free = free_memory()
    if free is not None and not has_gpu():
        free //= formation.num_here  # a GPU is a process's own
    return Device("gpu" if has_gpu() else "cpu", 2 if is_bf16 else FLOAT32, free, formation)


def longest_batch(train: Sequence[Conversation], config: LocalTrainConfig) -> Batch:
    """The micro-step with the most tokens that the rows can make, or could where nobody has measured them."""
    num_rows = config.training.batch_size
    if isinstance(train, Fitted):
        return Batch([tokens for _, tokens in train.longest_batch(num_rows)], train.measured.longest)
    return Batch([config.data.max_length] * min(num_rows, len(train)), config.data.max_length)


def estimate_disk(config: LocalTrainConfig, *, base: Path, run_path: Path, num_rows: int) -> Disk:
    """Bytes of the adapter and of the most checkpoints that lie there at once.

    Args:
        config: The run's configuration.
        base: Folder of the base model.
        run_path: The run directory.
        num_rows: Training rows.
    """
    num_weights = count_trained_weights(config, base, read_dimensions(base))
    num_folders = num_checkpoints(config, num_rows=num_rows) + 1  # a new one is whole before the oldest goes
    checkpoint = FLOAT32 + STATE_BYTES[config.training.optimizer]  # the adapter itself, and the optimizer's state
    return Disk(
        needed=round(num_weights * (checkpoint * num_folders + FLOAT32)),
        held=sum(file.stat().st_size for file in run_path.rglob("*") if file.is_file()),
        free=free_bytes(run_path),
    )


def count_trained_weights(config: LocalTrainConfig, base: Path, dimensions: Dimensions | None) -> int:
    """Weights of the adapters, by the model's dimensions, else by the shapes in the headers of its files."""
    if dimensions:
        return count_adapter_weights(config, dimensions)
    from safetensors import safe_open

    endings = tuple(f".{name}.weight" for name in config.lora.target_modules)
    total = 0
    for path in sorted(base.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.endswith(endings)]  # noqa: SIM118
            of_text = [name for name in names if not any(part in name for part in IMAGE_PARTS)]
            total += sum(sum(file.get_slice(name).get_shape()) for name in of_text)
    return config.lora.r * total


def num_checkpoints(config: LocalTrainConfig, *, num_rows: int) -> int:
    """Checkpoints that will lie there in the end, the best one apart from the newest."""
    training = config.training
    save_steps = training.save_steps or training.steps_per_epoch(num_rows=num_rows)
    kept = training.keep_checkpoints + int(training.load_best_model_at_end)
    return min(kept, math.ceil(training.num_steps(num_rows=num_rows) / save_steps))


def gigabytes(num_bytes: int) -> str:
    """`1.5 GiB`, `80 MiB`."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.0f} MiB"
