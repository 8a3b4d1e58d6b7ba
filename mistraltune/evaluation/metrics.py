"""Scores of one answer: exact match and token F1 as SQuAD v1.1 defines them, and agreement of tool calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from mistraltune.data.conversation import ToolCall
from mistraltune.evaluation.normalising import Normalise, normalise_english


def exact_match(prediction: str, reference: str, *, normalise: Normalise = normalise_english) -> float:
    """1.0 when both texts are equal after normalisation, else 0.0; two empty texts are equal.

    Source: `exact_match_score` of SQuAD v1.1's evaluate-v1.1.py (Rajpurkar et al. 2016, arXiv:1606.05250).
    """
    return float(normalise(prediction) == normalise(reference))


def token_f1(prediction: str, reference: str, *, normalise: Normalise = normalise_english) -> float:
    """Harmonic mean of precision and recall over normalised words, 0.0 to 1.0, each word counted as often as it occurs.

    Without a common word the score is 0.0. That holds for two empty texts too, although they match exactly: v1.1 has
    no rule for them, the one that gives 1.0 came with SQuAD v2.0.

    Source: `f1_score` of SQuAD v1.1's evaluate-v1.1.py (Rajpurkar et al. 2016, arXiv:1606.05250).
    """
    predicted, expected = normalise(prediction).split(), normalise(reference).split()
    num_common = (Counter(predicted) & Counter(expected)).total()
    if num_common == 0:
        return 0.0
    precision, recall = num_common / len(predicted), num_common / len(expected)
    return 2 * precision * recall / (precision + recall)


def best_over(references: Iterable[str], score: Callable[[str, str], float], prediction: str) -> float:
    """The best score of `prediction` over all accepted answers, as SQuAD takes it.

    Raises:
        ValueError: There is no reference.
    """
    return max(score(prediction, reference) for reference in references)


def tool_call_match(predicted: Sequence[ToolCall], expected: Sequence[ToolCall]) -> float:
    """1.0 when the same functions are called with the same arguments, else 0.0.

    Call ids do not count, and neither does the order: parallel calls have none. Every call counts as often as it
    occurs. Arguments are compared as JSON values (`canonical_json`).
    """
    return float(Counter(map(call_key, predicted)) == Counter(map(call_key, expected)))


def call_key(call: ToolCall) -> tuple[str, str]:
    """What makes two tool calls the same call."""
    return call.name, canonical_json(call.arguments)


def canonical_json(text: str) -> str:
    """One spelling per JSON value: keys sorted, no white space, `1.0` as `1`; blank text counts as `{}`.

    Text that is no JSON comes back stripped, so that it equals nothing but itself.
    """
    if not text.strip():
        return "{}"
    try:
        value = json.loads(text, parse_float=integral)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):  # a model can write nesting deeper than Python follows
        return text.strip()


def integral(number: str) -> int | float:
    """The number, as an int where it has no fraction: JSON does not tell `1.0` from `1`."""
    value = float(number)
    return int(value) if value.is_integer() else value
