"""A row of figures as a row of characters."""

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
    if not means:
        return ""
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0
    return "".join(BARS[round((value - low) * scale)] for value in means)
