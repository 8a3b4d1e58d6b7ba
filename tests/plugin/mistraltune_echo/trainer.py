"""Training: step by step towards as many repeats as the options ask for, each step remembered."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistraltune.config import TrainConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import Stopped
from mistraltune.publishing import publish_json
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir

STATE = "state.json"


class EchoTrainer:
    """The Trainer of the echo backend; `state.json` is all that it needs to continue."""

    def __init__(self, config: Any) -> None:
        self.config: TrainConfig = config
        self.options = config.echo

    def preview(self, train: Sequence[Conversation], validation: Sequence[Conversation]) -> dict[str, object]:
        return {}

    def train(self, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir) -> TrainResult:
        started = time.perf_counter()
        first = read_state(run.path)["step"] + 1
        last = self.config.training.max_steps or math.ceil(len(train) * self.config.training.epochs)
        run.rewind(first - 1)
        run.emit("begin", step=first - 1, num_steps=last)
        for step in range(first, last + 1):
            time.sleep(self.options.seconds_per_step)
            publish_json(run.path / STATE, {"step": step, "repeats": self.options.repeats})
            run.emit("tick", step=step)
            run.emit("step", step=step, loss=1 / step)
            if run.stop_requested and step < last:
                raise Stopped(f"stopped at step {step} of {last}", hint="the same command continues from there")
        metrics = {
            "train_loss": 1 / last,
            "val_loss": None,
            "train_seconds": time.perf_counter() - started,
            "num_steps": last,
            "num_rows": len(train),
        }
        ref = ModelRef(backend="echo", model=self.config.model, adapter=str(run.path))
        return TrainResult(model=ref, metrics=metrics, details={"num_validation_rows": len(validation)})


def read_state(folder: Path) -> dict[str, int]:
    """What a run has learned so far."""
    try:
        state: dict[str, int] = json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return {"step": 0, "repeats": 1}
    return state
