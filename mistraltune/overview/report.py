"""A comparison of runs as one HTML file, in the manner of the evaluation report: no script, no external asset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mistraltune.evaluation.report import template_environment
from mistraltune.overview.comparing import (
    ComparedRun,
    Curve,
    compared_metrics,
    compared_settings,
    last_step,
    loss_range,
)
from mistraltune.overview.values import shown

TEMPLATE = "report.html.jinja"
WIDTH, HEIGHT = 720, 300
"""Of the chart, in SVG units."""
NUM_COLORS = 8


class Line(NamedTuple):
    """One run on the chart.

    Attributes:
        name: The run's.
        color: Number of its color.
        train: Points of its training loss, as SVG writes them.
        validation: Places of its validation losses.
    """

    name: str
    color: int
    train: str
    validation: list[tuple[float, float]]


class Chart(NamedTuple):
    """Loss curves over one another.

    Attributes:
        lines: One a run.
        x_ticks: Place and text of each, below.
        y_ticks: Likewise, at the left.
    """

    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def draw(runs: Sequence[ComparedRun]) -> Chart:
    """All curves on a common linear scale."""
    last, (low, high) = max(last_step(runs), 1), loss_range(runs)
    step = tick_step(high - min(low, 0.0))
    top = step * max(1, math.ceil(high / step))
    bottom = step * math.floor(min(low, 0.0) / step)

    def place(point: tuple[int, float]) -> tuple[float, float]:
        return round(WIDTH * point[0] / last, 1), round(HEIGHT * (top - point[1]) / (top - bottom), 1)

    def path(points: Curve) -> str:
        return " ".join(f"{x},{y}" for x, y in map(place, points))

    lines = [
        Line(run.run_id, index % NUM_COLORS, path(run.train), list(map(place, run.validation)))
        for index, run in enumerate(runs)
    ]
    values = [bottom + index * step for index in range(round((top - bottom) / step) + 1)]
    steps = dict.fromkeys(round(last * share / 4) for share in range(5))
    return Chart(
        lines,
        x_ticks=[(place((number, top))[0], f"{number:,}") for number in steps],
        y_ticks=[(place((0, value))[1], f"{value:g}") for value in values],
    )


def tick_step(span: float) -> float:
    """A round distance that gives at most five ticks."""
    rough = (span or 1.0) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)


def render_runs(runs: Sequence[ComparedRun], *, created_at: str, versions: Mapping[str, str]) -> str:
    """The report's HTML: differing settings, final figures, loss curves."""
    environment = template_environment(Path(__file__).parent)
    environment.globals["shown"] = shown
    return environment.get_template(TEMPLATE).render(
        runs=runs,
        settings=compared_settings(runs),
        num_equal=len(compared_settings(runs, equal_too=True)) - len(compared_settings(runs)),
        metrics=compared_metrics(runs),
        chart=draw(runs),
        width=WIDTH,
        height=HEIGHT,
        created_at=created_at,
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
    )
