"""The scores that an answer can get against its references, each from 0 to 1, higher being better.

ROUGE-L, BLEU and chrF are those of their reference implementations, rouge-score and sacrebleu, loaded when asked for.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

from mistraltune.errors import ConfigError
from mistraltune.evaluation.metrics import best_over, exact_match, token_f1
from mistraltune.evaluation.normalising import normaliser

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

Score = Callable[[str, Sequence[str]], float]
"""The score of an answer, given its references."""

DEFAULT_METRICS = ("exact_match", "f1")

_WORD = re.compile(r"[^\W_]+")


def edit_similarity(prediction: str, reference: str) -> float:
    """1 minus the edit distance in characters over the longer length; 1.0 for two empty texts (Levenshtein 1966)."""
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(prediction, reference))


def json_valid(prediction: str, references: Sequence[str] = ()) -> float:
    """1.0 where the whole answer is JSON by RFC 8259, white space around it aside; the references do not matter."""
    try:
        json.loads(prediction, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return 0.0
    return 1.0


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def rouge_l(prediction: str, references: Sequence[str]) -> float:
    """ROUGE-L's F measure without stemming, the best over the references (Lin 2004).

    Words are runs of letters and digits of any script: rouge-score's own splitting drops every letter but a to z, and
    on texts of those it gives the same words.
    """
    score: float = _rouge_scorer().score_multi(list(references), prediction)["rougeL"].fmeasure
    return score


@cache
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False, tokenizer=Words())


class Words:
    """rouge-score's tokenizer for all scripts."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, in lower case."""
        return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def chrf(prediction: str, references: Sequence[str]) -> float:
    """The sentence chrF2 of sacrebleu over 100, the best over the references (Popović 2015)."""
    return float(_chrf().sentence_score(prediction, list(references)).score) / 100


@cache
def _chrf() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def sentence_bleu(prediction: str, references: Sequence[str]) -> float:
    """The sentence BLEU of sacrebleu over 100, of as many orders as the answer has; reports have the corpus BLEU.

    Source: Papineni et al. 2002; sacrebleu (Post 2018, arXiv:1804.08771), tokenizer 13a, exponential smoothing.
    """
    return float(sentence_scorer().sentence_score(prediction, list(references)).score) / 100


@cache
def sentence_scorer() -> BLEU:
    """The BLEU of sacrebleu for single sentences."""
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)


def _normalised(score: Callable[..., float], language: str) -> Score:
    """A score of normalised words, the best over the references."""
    over_words = partial(score, normalise=normaliser(language))
    return lambda prediction, references: best_over(references, over_words, prediction)


_SCORES: dict[str, Callable[[str], Score]] = {
    "exact_match": partial(_normalised, exact_match),
    "f1": partial(_normalised, token_f1),
    "rouge_l": lambda language: rouge_l,
    "chrf": lambda language: chrf,
    "bleu": lambda language: sentence_bleu,
    "json_valid": lambda language: json_valid,
    "edit_similarity": lambda language: (
        lambda prediction, references: best_over(references, edit_similarity, prediction)
    ),
}

METRICS = tuple(_SCORES)
"""Names of the metrics of text."""

GRADED = tuple(name for name in METRICS if name not in ("exact_match", "json_valid"))
"""Those that may lie between 0 and 1: no shares of right answers, even where each happens to be 0 or 1."""


def score_functions(metrics: Iterable[str], language: str) -> dict[str, Score]:
    """The metrics' functions for texts of a language, by name."""
    return {name: _SCORES[name](language) for name in metrics}


def require_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The names, none twice, if all are known.

    Raises:
        ConfigError: One is not; the message lists the valid ones.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in _SCORES:
            near = difflib.get_close_matches(name, METRICS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"metrics: {', '.join(METRICS)}"
            raise ConfigError(f"there is no metric {name!r}", hint=hint)
    return found
