"""Validation losses in the order in which they came, and what follows from them: the best step, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Validation(NamedTuple):
    """One validation.

    Attributes:
        step: Optimizer steps that were done.
        loss: In nats per trained token.
    """

    step: int
    loss: float


def read_validations(history: Sequence[dict[str, Any]]) -> list[Validation]:
    """Those among the metric events of a run."""
    return [Validation(event["step"], event["val_loss"]) for event in history if event["event"] == "validation"]


def find_best(validations: Sequence[Validation]) -> Validation | None:
    """The first with the lowest loss; None where nothing was validated."""
    return min(validations, key=lambda validation: validation.loss, default=None)


def num_since_lower(validations: Sequence[Validation], *, min_delta: float) -> int:
    """Validations since the last whose loss was lower by more than `min_delta` than the lowest before it."""
    lowest = float("inf")
    count = 0
    for validation in validations:
        is_lower = validation.loss < lowest - min_delta
        lowest, count = (validation.loss, 0) if is_lower else (lowest, count + 1)
    return count
