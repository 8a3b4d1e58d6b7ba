"""What a job's hyperparameters mean for a training here, and what its data check says on the wire."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import validate
from mistraltune.registry import get_backend
from mistraltune.results import ModelRef
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.records import DataPlan

BACKEND = "local"
TRAIN_FILE = "train.jsonl"
VAL_FILE = "validation.jsonl"
CONFIG_FILE = "config.yaml"
RUN_ID = "run"

NUM_FIGURES = 100
"""About so many losses are logged in a job of a given number of steps."""

NUM_CHECKPOINTS = 10
"""At most so many times such a job is saved and validated; one that counts in epochs, once in each."""

DRIVER = Path("/proc/driver/nvidia")


def map_hyperparameters(request: JobRequest, base: ModelRef, folder: Path) -> TrainConfig:
    """The training that a job stands for; one `training_step` is one batch of 16 rows.

    What the wire does not speak of is as in `configs/base.yaml`.

    Args:
        request: The job.
        base: The model behind its public name.
        folder: Holds the job's rows; the run directory is made in it.
    """
    wanted = request.hyperparameters
    training: dict[str, Any] = {
        "learning_rate": wanted.learning_rate,
        "weight_decay": wanted.weight_decay,
        "warmup_fraction": wanted.warmup_fraction,
        "schedule": "cosine",
        "batch_size": 4,
        "gradient_accumulation_steps": 4,
    }
    if steps := wanted.training_steps:
        between = math.ceil(steps / NUM_CHECKPOINTS)
        training |= {"max_steps": steps, "save_steps": between, "eval_steps": between}
        training["logging_steps"] = math.ceil(steps / NUM_FIGURES)
    elif wanted.epochs:
        training["epochs"] = wanted.epochs
    data = {
        "train_file": str(folder / TRAIN_FILE),
        "val_file": str(folder / VAL_FILE) if request.validation_files else None,
        "max_length": wanted.seq_len or 2048,
        "on_too_long": "drop" if request.invalid_sample_skip_percentage else "error",
    }
    values = {
        "model": base.model,
        "revision": base.revision,
        "quantization": base.quantization,
        "data": data,
        "training": training,
        BACKEND: {"activation_checkpointing": DRIVER.is_dir()},  # it saves GPU memory, and costs a CPU only time
        "output_dir": str(folder),
        "run_id": RUN_ID,
    }
    return validate(train_config_type(BACKEND, get_backend(BACKEND).options), values, {})


def read_plan(summary: dict[str, Any], config: TrainConfig) -> DataPlan:
    """What `mistraltune train local --dry-run --json` found, in the wire's figures.

    As at Mistral's, `train_tokens = num_steps * tokens_per_step` and `epochs = train_tokens / data_tokens`.
    """
    figures = summary["train"]
    num_rows = figures["num_rows"] - figures["num_dropped"]
    steps_per_epoch = config.training.steps_per_epoch(num_rows=num_rows)
    tokens_per_step = max(1, round(figures["num_tokens"] / steps_per_epoch))
    train_tokens = summary["num_steps"] * tokens_per_step
    memory, disk = summary["memory"] or {}, summary["disk"]
    return DataPlan(
        num_steps=summary["num_steps"],
        epochs=round(train_tokens / figures["num_tokens"], 4),
        data_tokens=figures["num_tokens"],
        tokens_per_step=tokens_per_step,
        train_tokens=train_tokens,
        num_rows=figures["num_rows"],
        num_dropped=figures["num_dropped"],
        rows_per_step=config.training.batch_size * config.training.gradient_accumulation_steps,
        memory_device=memory.get("device"),
        memory_bytes=memory.get("total_bytes"),
        memory_free_bytes=memory.get("free_bytes"),
        disk_bytes=disk["needed_bytes"],
        disk_free_bytes=disk["free_bytes"],
    )
