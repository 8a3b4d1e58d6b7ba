"""What of a configuration an API is told, and what it has no word for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistraltune.backends.api import options_of
from mistraltune.config import TrainConfig
from mistraltune.dotted import flatten, value_at
from mistraltune.errors import ConfigError

SPOKEN = (
    "model",
    "data.train_file",
    "data.val_file",
    "training.epochs",
    "training.max_steps",
    "training.learning_rate",
    "training.warmup_fraction",
    "training.weight_decay",
    "output_dir",
    "run_id",
    "api",
)
"""Keys that decide something of a training by an API, or where it is put."""

MIN_LEARNING_RATE = 1e-8


def refuse_unspoken(config: TrainConfig) -> None:
    """Refuse settings that would be passed over in silence.

    Raises:
        ConfigError: Names each of them.
    """
    values = config.model_dump(mode="json")
    needed = {"model": config.model, "data": {"train_file": config.data.train_file}}
    usual = type(config).model_validate(needed).model_dump(mode="json")
    keys = [path for path in flatten(values) if not is_spoken(path)]
    unspoken = [path for path in keys if value_at(values, path) != value_at(usual, path)]
    if unspoken:
        raise ConfigError(
            f"an API decides by itself what these say: {', '.join(unspoken)}",
            hint="leave them out; `--config api` sets nothing but what an API is told",
        )
    if config.training.learning_rate < MIN_LEARNING_RATE:
        raise ConfigError(f"training.learning_rate: an API takes {MIN_LEARNING_RATE:g} and more")


def is_spoken(path: str) -> bool:
    """Whether a key is one of `SPOKEN`, or in one of its sections."""
    return any(f"{path}.".startswith(f"{spoken}.") for spoken in SPOKEN)


def job_request(
    config: TrainConfig, *, training_files: Sequence[str], validation_files: Sequence[str], suffix: str
) -> dict[str, Any]:
    """The body that asks for a job; it does not start by itself."""
    training = config.training
    hyperparameters: dict[str, Any] = {
        "learning_rate": training.learning_rate,
        "weight_decay": training.weight_decay,
        "warmup_fraction": training.warmup_fraction,
    }
    if training.max_steps:
        hyperparameters["training_steps"] = training.max_steps
    else:
        hyperparameters["epochs"] = training.epochs
    if seq_len := options_of(config).seq_len:
        hyperparameters["seq_len"] = seq_len
    return {
        "model": config.model,
        "training_files": [{"file_id": file_id, "weight": 1.0} for file_id in training_files],
        "validation_files": list(validation_files),
        "hyperparameters": hyperparameters,
        "suffix": suffix,
        "auto_start": False,
        "job_type": "completion",
    }
