"""Two evaluations of the same rows against each other: differences with intervals, wins, losses, what changed most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from mistraltune.errors import ConfigError
from mistraltune.evaluation.corpus_scores import corpus_scores_of
from mistraltune.evaluation.summarising import differences
from mistraltune.results import Comparison, EvalReport, Prediction

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
        differences=differences(
            base.predictions, fine_tuned.predictions, corpus_scores=corpus_scores_of(base.evaluator)
        ),
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


def by_change(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, those whose scores changed most first, losses before wins; without a change as they stand."""
    return sorted(pairs, key=_rank, reverse=True)


def _rank(pair: Pair) -> tuple[list[float], bool]:
    return pair.change, pair.outcome == "loss"


def changed_rows(pairs: Sequence[Pair]) -> list[int]:
    """Places of up to `MAX_CHANGED_ROWS` pairs whose scores changed most, the biggest change first, losses before wins.

    Half of the places are kept for losses and half for wins, as far as there are any: a reader who saw only what
    improved would be misled.
    """
    ranked = sorted(range(len(pairs)), key=lambda place: _rank(pairs[place]), reverse=True)
    wins = [place for place in ranked if pairs[place].outcome == "win"]
    losses = [place for place in ranked if pairs[place].outcome == "loss"]
    num_losses = min(len(losses), max(MAX_CHANGED_ROWS // 2, MAX_CHANGED_ROWS - len(wins)))
    shown = {*losses[:num_losses], *wins[: MAX_CHANGED_ROWS - num_losses]}
    return [place + 1 for place in ranked if place in shown]
