"""The curves of a run, thinned to as many points as somebody looks at."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from mistraltune.runs import Event, RunDir
from mistraltune.serve.run_replies import finite


class StepPoint(TypedDict):
    """A logged step; losses in nats per trained token, null where something was not logged."""

    step: int
    loss: float | None
    learning_rate: float | None
    tokens_per_second: float | None


class ValidationPoint(TypedDict):
    """A validated step."""

    step: int
    val_loss: float | None
    val_accuracy: float | None


class SeriesReply(TypedDict):
    """The curves of a run behind `after_step`; thinned to the lowest and highest losses where there are many steps."""

    run_id: str
    last_step: int
    num_steps_logged: int
    steps: list[StepPoint]
    validation: list[ValidationPoint]


def describe_series(run: RunDir, run_id: str, *, after_step: int, max_points: int) -> SeriesReply:
    """The curves of a run."""
    history = [event for event in run.history() if event["step"] > after_step]
    steps = [event for event in history if event["event"] == "step"]
    validated = [event for event in history if event["event"] == "validation"]
    return {
        "run_id": run_id,
        "last_step": max((event["step"] for event in history), default=after_step),
        "num_steps_logged": len(steps),
        "steps": [describe_step(event) for event in thinned(steps, max_points, figure="loss")],
        "validation": [describe_validation(event) for event in thinned(validated, max_points, figure="val_loss")],
    }


def describe_step(event: Event) -> StepPoint:
    """A logged step."""
    return {
        "step": event["step"],
        "loss": finite(event.get("loss")),
        "learning_rate": finite(event.get("learning_rate")),
        "tokens_per_second": finite(event.get("tokens_per_second")),
    }


def describe_validation(event: Event) -> ValidationPoint:
    """A validated step."""
    return {
        "step": event["step"],
        "val_loss": finite(event.get("val_loss")),
        "val_accuracy": finite(event.get("val_accuracy")),
    }


def thinned(steps: Sequence[Event], max_points: int, *, figure: str) -> list[Event]:
    """At most so many steps: the first, the last, and of each stretch between them the lowest and the highest."""
    if len(steps) <= max_points:
        return list(steps)
    kept = {0, len(steps) - 1}
    num_stretches = max(1, (max_points - 2) // 2)
    inner = range(1, len(steps) - 1)
    for number in range(num_stretches):
        stretch = inner[number * len(inner) // num_stretches : (number + 1) * len(inner) // num_stretches]
        by_loss = sorted(stretch, key=lambda index: steps[index][figure])
        kept |= {by_loss[0], by_loss[-1]}
    return [steps[index] for index in sorted(kept)]
