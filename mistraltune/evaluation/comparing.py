"""Two evaluations of the same rows against each other: differences with intervals, wins, losses, what changed most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from mistraltune.errors import ConfigError
from mistraltune.evaluation.evaluator import measure
from mistraltune.evaluation.intervals import difference_interval
from mistraltune.results import Comparison, Difference, EvalReport, Prediction

MAX_CHANGED_ROWS = 20

Outcome = Literal["win", "tie", "loss"]


class Pair(NamedTuple):
    """The same row, answered by both models."""

    base: Prediction
    fine_tuned: Prediction

    @property
    def outcome(self) -> Outcome:
        """`win` where the fine-tuned model scores higher; the first score that differs decides."""
        before, after = self.ranks
        if after == before:
            return "tie"
        return "win" if after > before else "loss"

    @property
    def ranks(self) -> tuple[list[float], list[float]]:
        """The scores of both in the same order: `exact_match` before `f1` with the evaluator `text`."""
        names = list(self.base.scores)
        return [self.base.scores[name] for name in names], [self.fine_tuned.scores[name] for name in names]

    @property
    def change(self) -> list[float]:
        """Size of the change of each score, comparable between rows."""
        return [abs(after - before) for before, after in zip(*self.ranks, strict=True)]


def compare(base: EvalReport, fine_tuned: EvalReport) -> Comparison:
    """Both reports side by side: per metric the difference over paired rows, per row a win, a tie or a loss.

    Raises:
        ConfigError: The reports are not about the same rows, or not by the same evaluator.
    """
    require_same_rows(base, fine_tuned)
    pairs = list(paired(base, fine_tuned))
    outcomes = Counter(pair.outcome for pair in pairs)
    return Comparison(
        base=base,
        fine_tuned=fine_tuned,
        differences=differences(base, fine_tuned),
        wins=outcomes["win"],
        ties=outcomes["tie"],
        losses=outcomes["loss"],
        changed_rows=changed_rows(pairs),
    )


def paired(base: EvalReport, fine_tuned: EvalReport) -> Iterator[Pair]:
    """The rows of both reports, in the order of the file."""
    return map(Pair, base.predictions, fine_tuned.predictions)


def require_same_rows(base: EvalReport, fine_tuned: EvalReport) -> None:
    """Make sure that row N of one report is row N of the other.

    Raises:
        ConfigError: It is not; the message says where they part.
    """
    hint = "evaluate both models on the same file, with the same --limit and --evaluator"
    if base.evaluator != fine_tuned.evaluator:
        raise ConfigError(f"different evaluators: {base.evaluator} and {fine_tuned.evaluator}", hint=hint)
    if len(base.predictions) != len(fine_tuned.predictions):
        raise ConfigError(
            f"{len(base.predictions)} rows of the base, {len(fine_tuned.predictions)} of the other", hint=hint
        )
    for pair in paired(base, fine_tuned):
        if question(pair.base) != question(pair.fine_tuned):
            raise ConfigError(f"row {pair.base.row} of the two reports is not the same row", hint=hint)


def question(prediction: Prediction) -> tuple[object, ...]:
    """What a row asks, without what a model answered."""
    return (
        prediction.row,
        prediction.prompt,
        prediction.references,
        prediction.reference_tool_calls,
        sorted(prediction.scores),
    )


def differences(base: EvalReport, fine_tuned: EvalReport) -> dict[str, Difference]:
    """Metric name to its paired difference: the scores, then the answers' lengths and `share_cut`."""
    before, after = measure(base.predictions), measure(fine_tuned.predictions)
    return {name: difference(before[name], after[name]) for name in before}


def difference(base: Sequence[float], fine_tuned: Sequence[float]) -> Difference:
    """Mean of `fine_tuned` minus mean of `base`, with its interval over the pairs."""
    return Difference(value=fmean(fine_tuned) - fmean(base), interval=difference_interval(base, fine_tuned))


def by_change(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, those whose scores changed most first, losses before wins; without a change as they stand."""
    return sorted(pairs, key=lambda pair: (pair.change, pair.outcome == "loss"), reverse=True)


def changed_rows(pairs: list[Pair]) -> list[int]:
    """Numbers of up to `MAX_CHANGED_ROWS` rows whose scores changed most, the biggest change first, losses before wins.

    Half of the places are kept for losses and half for wins, as far as there are any: a reader who saw only what
    improved would be misled.
    """
    ranked = by_change([pair for pair in pairs if any(pair.change)])
    wins = [pair for pair in ranked if pair.outcome == "win"]
    losses = [pair for pair in ranked if pair.outcome == "loss"]
    num_losses = min(len(losses), max(MAX_CHANGED_ROWS // 2, MAX_CHANGED_ROWS - len(wins)))
    shown = {pair.base.row for pair in losses[:num_losses] + wins[: MAX_CHANGED_ROWS - num_losses]}
    return [pair.base.row for pair in ranked if pair.base.row in shown]
