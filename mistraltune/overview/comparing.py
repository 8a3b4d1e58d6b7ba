"""Several runs side by side: what differs in how they were made, what came of them, how their losses fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mistraltune.dotted import flatten, value_at
from mistraltune.runs import Event, RunDir

Curve = list[tuple[int, float]]
"""Steps, each with a loss in nats per trained token."""


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        run_id: Its name.
        status: As `RunDir.status`.
        settings: All that decides the result, by dotted path: configuration, data hashes, base, libraries.
        metrics: Its final figures.
        train: Its training loss.
        validation: Its validation loss.
    """

    run_id: str
    status: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    train: Curve
    validation: Curve


def read_run(run: RunDir) -> ComparedRun:
    """A run as it is compared."""
    identity = run.metadata.get("identity", {})
    history = run.history()
    return ComparedRun(
        run_id=run.run_id,
        status=run.status,
        settings={path.removeprefix("config."): value_at(identity, path) for path in flatten(identity)},
        metrics=run.metrics,
        train=curve(history, "step", "loss"),
        validation=curve(history, "validation", "val_loss"),
    )


def curve(history: Sequence[Event], event: str, key: str) -> Curve:
    """The values of one kind of event."""
    return [(entry["step"], entry[key]) for entry in history if entry["event"] == event and entry.get(key) is not None]


def compared_settings(runs: Sequence[ComparedRun], *, equal_too: bool = False) -> dict[str, list[Any]]:
    """Each setting with its value in each run, None where it has none; those that are equal only where asked for."""
    paths = dict.fromkeys(path for run in runs for path in run.settings)
    values = {path: [run.settings.get(path) for run in runs] for path in paths}
    return {path: found for path, found in values.items() if equal_too or any(each != found[0] for each in found)}


def compared_metrics(runs: Sequence[ComparedRun]) -> dict[str, list[Any]]:
    """Each figure with its value in each run."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return {name: [run.metrics.get(name) for run in runs] for name in names}


def loss_range(runs: Sequence[ComparedRun]) -> tuple[float, float]:
    """The lowest and the highest loss of all curves."""
    losses = [loss for run in runs for _, loss in (*run.train, *run.validation)]
    return (min(losses), max(losses)) if losses else (0.0, 1.0)


def last_step(runs: Sequence[ComparedRun]) -> int:
    """The last step of any curve."""
    return max((step for run in runs for step, _ in (*run.train, *run.validation)), default=0)
