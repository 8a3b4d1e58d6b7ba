"""What an evaluation or a comparison found, read from the last words of `mistraltune eval` and `compare`."""

from __future__ import annotations

from typing import Any

from mistraltune.results import Difference, Interval, Overlap, Result


class EvaluationFigures(Result):
    """One model's figures on one file."""

    evaluator: str
    eval_sha256: str
    """Hash of the file that was evaluated."""
    num_examples: int
    metrics: dict[str, float]
    """Means over the examples, and figures such as `tokens_per_second`."""
    intervals: dict[str, Interval]
    """95 % intervals of the metrics that are means over examples."""
    sampling: dict[str, Any]
    """How the answers were generated."""
    overlap: Overlap | None = None
    """What the rows share with the data that the model was trained on; null for a model that is no run."""


class ComparisonFigures(Result):
    """Two models' figures on the same file."""

    base: EvaluationFigures
    fine_tuned: EvaluationFigures
    differences: dict[str, Difference]
    """Metric to fine-tuned minus base, paired over the rows."""
    wins: int
    """Rows that the fine-tuned model answers better."""
    ties: int
    losses: int


def evaluation_figures(words: dict[str, Any]) -> EvaluationFigures:
    """The figures of an evaluation that has printed `words`."""
    return EvaluationFigures.model_validate(picked(words, EvaluationFigures))


def comparison_figures(words: dict[str, Any]) -> ComparisonFigures | None:
    """The figures of a comparison that has printed `words`; None where it was on prompts alone."""
    if "differences" not in words:
        return None
    sides = {side: evaluation_figures(words[side]) for side in ("base", "fine_tuned")}
    return ComparisonFigures.model_validate({**picked(words, ComparisonFigures), **sides})


def picked(words: dict[str, Any], model: type[Result]) -> dict[str, Any]:
    """Those of `words` that `model` knows."""
    return {name: words[name] for name in model.model_fields if name in words}
