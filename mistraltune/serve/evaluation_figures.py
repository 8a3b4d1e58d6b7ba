"""What an evaluation or a comparison found, read from the last words of `mistraltune eval` and `compare`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from mistraltune.results import Difference, Interval, Overlap, Result, Slice, SliceComparison

NameData = Callable[[str], str]


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
    options: Annotated[dict[str, Any], Field(default_factory=dict)]
    """How they were judged, where that is not the usual way: `metrics`, `language`, `turns`."""
    overlap: Overlap | None = None
    """What the rows share with the data that the model was trained on; null for a model that is no run."""
    slices: Annotated[list[Slice], Field(default_factory=list)]
    """The same metrics on groups of rows, for each field of `by`."""


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
    slices: Annotated[list[SliceComparison], Field(default_factory=list)]
    """The same on groups of rows, for each field of `by`."""


def evaluation_figures(words: dict[str, Any], name_data: NameData) -> EvaluationFigures:
    """The figures of an evaluation that has printed `words`.

    Args:
        words: What it printed.
        name_data: Says of training data how its reader calls it.
    """
    figures = EvaluationFigures.model_validate(picked(words, EvaluationFigures))
    if figures.overlap is None:
        return figures
    changes = {name: name_data(getattr(figures.overlap, name)) for name in ("train_file", "problem")}
    return figures.model_copy(update={"overlap": figures.overlap.model_copy(update=changes)})


def comparison_figures(words: dict[str, Any], name_data: NameData) -> ComparisonFigures | None:
    """The figures of a comparison that has printed `words`; None where it was on prompts alone."""
    if "differences" not in words:
        return None
    sides = {side: evaluation_figures(words[side], name_data) for side in ("base", "fine_tuned")}
    return ComparisonFigures.model_validate({**picked(words, ComparisonFigures), **sides})


def picked(words: dict[str, Any], model: type[Result]) -> dict[str, Any]:
    """Those of `words` that `model` knows."""
    return {name: words[name] for name in model.model_fields if name in words}
