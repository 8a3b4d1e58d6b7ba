"""Answers that belong together: turns of one conversation are no independent rows, and intervals must not say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from mistraltune.evaluation.intervals import (
    BLOCK,
    FEWEST_ROWS,
    NUM_RESAMPLES,
    SEED,
    are_scores,
    few_rows_difference_interval,
    newcombe_interval,
    wilson_interval,
)
from mistraltune.results import Interval

Sums = NDArray[np.float64]
"""What adds up over answers, a row for each cluster or each resample."""
Figure = Callable[[Sums], NDArray[np.float64]]
"""The figure of each row of summed values."""


def clustered_mean_interval(values: Sequence[float], clusters: Sequence[int]) -> Interval:
    """The 95 % interval of a mean over answers, of which those of one cluster may be alike.

    A share gets Wilson's interval for as many answers as the clusters are worth (`effective_size`), any other mean the
    bootstrap over clusters.

    Args:
        values: One per answer.
        clusters: The cluster of each.

    Source: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", Survey Methodology 24 (1998), whose design effect goes into Wilson's interval.
    """
    sums = cluster_sums(np.column_stack([values, np.ones(len(values))]), clusters)
    if not all(value in (0, 1) for value in values):
        return bootstrap_clusters(sums, lambda drawn: drawn[:, 0] / drawn[:, 1])
    size = effective_size(values, clusters)
    return wilson_interval(float(np.mean(values)) * size, size)


def clustered_difference_interval(
    base: Sequence[float], fine_tuned: Sequence[float], clusters: Sequence[int]
) -> Interval:
    """The 95 % interval of mean(fine_tuned) - mean(base) over the same answers in clusters.

    Args:
        base: One value per answer.
        fine_tuned: Likewise, of the same answers.
        clusters: The cluster of each answer.
    """
    pairs = list(zip(fine_tuned, base, strict=True))
    change = [tuned - before for tuned, before in pairs]
    if not all(value in (0, 1) for pair in pairs for value in pair):
        num_clusters = len(set(clusters))
        if num_clusters < FEWEST_ROWS and are_scores(base) and are_scores(fine_tuned):
            return few_rows_difference_interval(fmean(base), fmean(fine_tuned), num_rows=num_clusters)
        sums = cluster_sums(np.column_stack([change, np.ones(len(change))]), clusters)
        return bootstrap_clusters(sums, lambda drawn: drawn[:, 0] / drawn[:, 1])
    weight = effective_size(change, clusters) / len(pairs)
    return newcombe_interval(
        both=weight * pairs.count((1, 1)),
        first_only=weight * pairs.count((1, 0)),
        second_only=weight * pairs.count((0, 1)),
        neither=weight * pairs.count((0, 0)),
    )


def effective_size(values: Sequence[float], clusters: Sequence[int]) -> float:
    """So many independent answers would tell the mean as precisely; from 1 to the number of answers.

    That is their number over the design effect, the variance of the mean over clusters (linearised) divided by what it
    were with independent answers (L. Kish, "Survey Sampling", 1965). Where all values are equal nothing can be
    estimated: then each cluster counts once.
    """
    observed = np.asarray(values, dtype=np.float64)
    spread = observed.var()
    sums = cluster_sums(np.column_stack([observed - observed.mean(), np.ones(len(observed))]), clusters)
    num_clusters = len(sums)
    if num_clusters == 1:
        return 1.0
    if spread == 0:
        return float(num_clusters)
    variance = num_clusters / (num_clusters - 1) * np.square(sums[:, 0]).sum() / len(observed) ** 2
    independent = spread / len(observed)
    return float(np.clip(len(observed) * independent / variance, 1, len(observed))) if variance > 0 else len(observed)


def cluster_sums(values: Sums, clusters: Sequence[int]) -> Sums:
    """What each cluster adds up to, a row a cluster."""
    names, places = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, places, values)
    return sums


def bootstrap_clusters(sums: Sums, figure: Figure) -> Interval:
    """The seeded percentile bootstrap interval of a figure of summed values, whole clusters drawn.

    Args:
        sums: What each cluster, or each independent answer, adds.
        figure: The figure, of sums.
    """
    drawn = np.concatenate([figure(resample) for resample in _resampled_sums(sums)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(low=float(low), high=float(high))


def _resampled_sums(sums: Sums) -> Iterator[Sums]:
    """Sums of `NUM_RESAMPLES` resamples, in blocks of bounded size; equal rows are drawn as one."""
    generator = np.random.default_rng(SEED)
    distinct, counts = np.unique(sums, axis=0, return_counts=True)
    block = max(1, BLOCK // len(distinct))
    for start in range(0, NUM_RESAMPLES, block):
        size = min(block, NUM_RESAMPLES - start)
        yield generator.multinomial(len(sums), counts / len(sums), size=size) @ distinct
