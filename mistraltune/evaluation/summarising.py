"""Many predictions as figures: each metric with its interval, and the difference of two models on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from mistraltune.evaluation.clusters import (
    Sums,
    bootstrap_clusters,
    cluster_sums,
    clustered_difference_interval,
    clustered_mean_interval,
)
from mistraltune.evaluation.corpus_scores import CORPUS_SCORES, CorpusScore
from mistraltune.evaluation.intervals import (
    FEWEST_ROWS,
    are_binary,
    bootstrap_interval,
    difference_interval,
    mean_interval,
)
from mistraltune.evaluation.significance import mcnemar_p_value
from mistraltune.evaluation.text_metrics import GRADED
from mistraltune.results import Difference, Interval, Prediction

LENGTHS = ("average_length", "average_length_tokens")
"""Means of counts: no shares, even where every answer has one word."""


class Summary(NamedTuple):
    """What predictions come to.

    Attributes:
        metrics: Metric name to its mean over the predictions that have it, or to the score of all of them together.
        intervals: Their 95 % intervals; figures that are no shares have none where they are of few rows.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval]


def summarise(
    predictions: Sequence[Prediction], *, corpus_scores: Mapping[str, CorpusScore] = CORPUS_SCORES
) -> Summary:
    """Each metric over all predictions; turns of one conversation count as one cluster, not as independent rows.

    Args:
        predictions: Of one model.
        corpus_scores: The metrics that are no means.
    """
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    for name in measure(predictions):
        judged = with_metric(predictions, name)
        metrics[name], interval = figure(judged, name, corpus_scores.get(name))
        if has_enough_rows(judged, name, corpus_scores.get(name)):
            intervals[name] = interval
    return Summary(metrics, intervals)


def differences(
    base: Sequence[Prediction],
    fine_tuned: Sequence[Prediction],
    *,
    corpus_scores: Mapping[str, CorpusScore] = CORPUS_SCORES,
) -> dict[str, Difference]:
    """Metric name to its paired difference: the scores, then the answers' lengths and `share_cut`.

    Args:
        base: Predictions of one model.
        fine_tuned: Predictions of the other on the same rows, in the same order.
        corpus_scores: The metrics that are no means.
    """
    return {
        name: difference(with_metric(base, name), with_metric(fine_tuned, name), name, corpus_scores.get(name))
        for name in measure(base)
    }


def measure(predictions: Iterable[Prediction]) -> dict[str, list[float]]:
    """Metric name to its value on each row that has it: the scores first, then lengths and `share_cut`."""
    scores: dict[str, list[float]] = {}
    lengths: dict[str, list[float]] = {"average_length": [], "average_length_tokens": [], "share_cut": []}
    for prediction in predictions:
        for name, value in prediction.scores.items():
            scores.setdefault(name, []).append(value)
        for name, value in shape(prediction).items():
            lengths[name].append(value)
    return {name: values for name, values in (scores | lengths).items() if values}


def shape(prediction: Prediction) -> dict[str, float]:
    """How an answer looks, however right it is: words, tokens, and 1.0 where it was cut."""
    return {
        "average_length": len(prediction.text.split()),
        "average_length_tokens": prediction.num_tokens,
        "share_cut": float(prediction.finish_reason == "length"),
    }


def with_metric(predictions: Sequence[Prediction], metric: str) -> list[Prediction]:
    """The predictions that have a metric."""
    return [prediction for prediction in predictions if metric in prediction.scores or metric in shape(prediction)]


def values_of(predictions: Sequence[Prediction], metric: str) -> list[float]:
    """A metric of each prediction; all have it."""
    return [prediction.scores.get(metric, shape(prediction).get(metric, 0.0)) for prediction in predictions]


def figure(predictions: Sequence[Prediction], metric: str, corpus_score: CorpusScore | None) -> tuple[float, Interval]:
    """A metric of predictions that all have it, and its interval."""
    if corpus_score:
        sums = corpus_sums(corpus_score, predictions)
        value = float(corpus_score.score(sums.sum(axis=0, keepdims=True))[0])
        return value, bootstrap_clusters(sums, corpus_score.score)
    values = values_of(predictions, metric)
    if are_clustered(predictions):
        return fmean(values), clustered_mean_interval(values, clusters_of(predictions))
    return fmean(values), bootstrap_interval(values) if metric in LENGTHS else mean_interval(values)


def has_enough_rows(predictions: Sequence[Prediction], metric: str, corpus_score: CorpusScore | None) -> bool:
    """Whether an interval of the metric says something: of shares always, of others from `FEWEST_ROWS` rows on."""
    is_share = not corpus_score and are_shares(metric, values_of(predictions, metric))
    return is_share or len(set(clusters_of(predictions))) >= FEWEST_ROWS


def are_shares(metric: str, *values: Sequence[float]) -> bool:
    """Whether the mean of a metric is a share of the rows.

    Its kind decides, not whether the few rows at hand happen to be all wrong; of a metric that is none of ours, a
    plugin's, nothing is known but its values.
    """
    return metric not in (*LENGTHS, *GRADED) and all(map(are_binary, values))


def difference(
    base: Sequence[Prediction], fine_tuned: Sequence[Prediction], metric: str, corpus_score: CorpusScore | None
) -> Difference:
    """Fine-tuned minus base, of predictions that all have the metric; with McNemar's p-value where it is a share."""
    if corpus_score:
        return corpus_difference(corpus_score, base, fine_tuned)
    before, after = values_of(base, metric), values_of(fine_tuned, metric)
    value = fmean(after) - fmean(before)
    if are_clustered(base):
        interval = clustered_difference_interval(before, after, clusters_of(base))
        return Difference(value=value, interval=interval)  # McNemar's test takes rows to be independent
    p_value = None
    if are_shares(metric, before, after):
        pairs = list(zip(after, before, strict=True))
        p_value = mcnemar_p_value(pairs.count((1, 0)), pairs.count((0, 1)))
    return Difference(value=value, interval=difference_interval(before, after), p_value=p_value)


def corpus_difference(
    corpus_score: CorpusScore, base: Sequence[Prediction], fine_tuned: Sequence[Prediction]
) -> Difference:
    """The difference of two scores of all answers together, rows drawn in pairs."""
    sums = np.hstack([corpus_sums(corpus_score, base), corpus_sums(corpus_score, fine_tuned)])
    middle = sums.shape[1] // 2

    def change(drawn: Sums) -> Sums:
        return corpus_score.score(drawn[:, middle:]) - corpus_score.score(drawn[:, :middle])

    value = float(change(sums.sum(axis=0, keepdims=True))[0])
    return Difference(value=value, interval=bootstrap_clusters(sums, change))


def corpus_sums(corpus_score: CorpusScore, predictions: Sequence[Prediction]) -> Sums:
    """What each row, or each conversation of several turns, adds to a score of all answers together."""
    statistics = np.array([corpus_score.statistics(prediction) for prediction in predictions], dtype=np.float64)
    return cluster_sums(statistics, clusters_of(predictions)) if are_clustered(predictions) else statistics


def are_clustered(predictions: Sequence[Prediction]) -> bool:
    """Whether several predictions may be of one row."""
    return any(prediction.turn is not None for prediction in predictions)


def clusters_of(predictions: Sequence[Prediction]) -> list[int]:
    """The row of each prediction."""
    return [prediction.row for prediction in predictions]
