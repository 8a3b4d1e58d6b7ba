"""The figures that a training leaves in `metrics.json`."""

from __future__ import annotations

import resource
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mistraltune.backends.local.sft import RunTrainer


def final_figures(trainer: RunTrainer, *, num_rows: int, adapter_step: int) -> dict[str, float | int | None]:
    """The figures of `metrics.json`; see the README for their meaning and units."""
    history = trainer.run.history()
    steps = [event for event in history if event["event"] == "step"]
    validations = {event["step"]: event["val_loss"] for event in history if event["event"] == "validation"}
    # A step event holds the mean loss since the one before it.
    spans = [after - before for before, after in pairwise([0, *(event["step"] for event in steps)])]
    loss = sum(event["loss"] * span for event, span in zip(steps, spans, strict=True)) / max(sum(spans), 1)
    seconds, tokens = trainer.totals["seconds"], int(trainer.totals["tokens"])
    return {
        "train_loss": loss,
        "val_loss": validations.get(adapter_step, next(reversed(validations.values()), None)),
        "train_seconds": round(seconds, 3),
        "train_tokens": tokens,
        "trained_tokens": int(trainer.totals["trained_tokens"]),
        "tokens_per_second": round(tokens / seconds, 2) if seconds else None,
        "peak_memory_bytes": peak_memory_bytes(),
        "num_steps": trainer.state.global_step,
        "num_rows": num_rows,
    }


def peak_memory_bytes() -> int:
    """Most memory held at once: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux, bytes on macOS
