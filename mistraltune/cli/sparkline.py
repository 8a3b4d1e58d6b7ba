"""Figures as a row of characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], *, width: int = 40) -> str:
    """`values` as bars between the smallest and the largest; more than `width` of them as means of neighbours."""
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else [0]
    means = [fmean(values[start:end]) for start, end in pairwise(edges)]
    return "".join(bar(mean, low=min(means), high=max(means)) for mean in means)


def curve_line(points: Sequence[tuple[int, float]], *, low: float, high: float, last: int, width: int = 40) -> str:
    """A curve as `width` bars from step 0 to `last`, for curves on one scale.

    Where several points share a place it shows their mean; a place without a point repeats the one before it.

    Args:
        points: Steps and values, ascending.
        low: What the lowest bar stands for.
        high: What the highest stands for.
        last: The step at the right end.
        width: Places for all steps; a curve that ends before `last` is shorter.
    """
    if not points or last == 0:
        return ""
    places: dict[int, list[float]] = {}
    for step, value in points:
        places.setdefault(min(width - 1, step * width // last), []).append(value)
    shown, drawn = " ", []
    for place in range(max(places) + 1):
        if found := places.get(place):
            shown = bar(fmean(found), low=low, high=high)
        drawn.append(shown)
    return "".join(drawn)


def bar(value: float, *, low: float, high: float) -> str:
    """One bar for a value between `low` and `high`; the lowest where these are equal."""
    share = (value - low) / (high - low) if high > low else 0.0
    return BARS[round(share * (len(BARS) - 1))]
