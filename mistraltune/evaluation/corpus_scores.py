"""Scores of all answers together that are no mean of scores: corpus BLEU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mistraltune.evaluation.text_metrics import sentence_scorer
from mistraltune.results import Prediction

Statistics = NDArray[np.float64]
"""What adds up over answers, a row for each answer or each resample."""

_MAX_ORDER = 4


class CorpusScore(NamedTuple):
    """A score of many answers.

    Attributes:
        statistics: What one answer adds.
        score: The score, 0 to 1, of each row of summed statistics.
    """

    statistics: Callable[[Prediction], Sequence[float]]
    score: Callable[[Statistics], NDArray[np.float64]]


def bleu_statistics(prediction: Prediction) -> list[float]:
    """Length, reference length, matching n-grams and n-grams of one answer, as sacrebleu counts them."""
    found = sentence_scorer().sentence_score(prediction.text, prediction.references)
    return [found.sys_len, found.ref_len, *found.counts, *found.totals]


def bleu(summed: Statistics) -> NDArray[np.float64]:
    """Corpus BLEU over 100 of each row, with sacrebleu's exponential smoothing of orders without a match.

    Source: `BLEU.compute_bleu` of sacrebleu (Post 2018, arXiv:1804.08771), which the tests compare it with.
    """
    length, reference_length = summed[:, 0], summed[:, 1]
    matches, totals = summed[:, 2 : 2 + _MAX_ORDER], summed[:, 2 + _MAX_ORDER :]
    halvings = np.cumsum((matches == 0) & (totals > 0), axis=1)
    smoothed = np.where(matches == 0, 0.5**halvings, matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(smoothed / totals)
        brevity = np.where(length < reference_length, 1 - reference_length / length, 0.0)
        scores: NDArray[np.float64] = np.exp(logs.mean(axis=1) + brevity)
    is_empty = (totals == 0).any(axis=1) | (matches.sum(axis=1) == 0)
    return np.where(is_empty, 0.0, scores)


CORPUS_SCORES = {"bleu": CorpusScore(bleu_statistics, bleu)}
"""By the name of the metric, for which each prediction has a score of its own too."""


def corpus_scores_of(evaluator: str) -> Mapping[str, CorpusScore]:
    """The metrics of an evaluator that are no means over rows; a plugin's are means, whatever their names."""
    return CORPUS_SCORES if evaluator == "text" else {}
