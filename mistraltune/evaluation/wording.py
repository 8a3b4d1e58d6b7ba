"""A comparison in plain words: names of metrics, figures as people write them, and what can honestly be said."""

from __future__ import annotations

from typing import Literal

from mistraltune.data.findings import counted
from mistraltune.evaluation.gates import score_names
from mistraltune.evaluation.intervals import FEWEST_ROWS
from mistraltune.results import Comparison, Difference, EvalReport, Interval, Prediction

Verdict = Literal["higher", "lower", "no clear difference"]

LABELS = {
    "exact_match": "Exact match",
    "f1": "F1",
    "rouge_l": "ROUGE-L",
    "chrf": "chrF",
    "bleu": "BLEU",
    "json_valid": "Valid JSON",
    "edit_similarity": "Edit similarity",
    "tool_call_match": "Tool calls matched",
    "average_length": "Length in words",
    "average_length_tokens": "Length in tokens",
    "share_cut": "Answers cut at the limit",
    "tokens_per_second": "Tokens per second",
}
SHARES = {
    "exact_match",
    "f1",
    "rouge_l",
    "chrf",
    "bleu",
    "json_valid",
    "edit_similarity",
    "tool_call_match",
    "share_cut",
}
"""Metrics between 0 and 1, written in percent."""

FEW_ROWS = 30
SUMMARY_LENGTH = 110
MANY_CUT = 0.05
NO_INTERVAL = f"no interval for a figure that is no share where it is of fewer than {FEWEST_ROWS} rows"


def label(metric: str) -> str:
    """The metric's name for people."""
    return LABELS.get(metric, metric)


def figure(metric: str, value: float) -> str:
    """A value: `71.8%` for shares, `12.3` otherwise."""
    return f"{value:.1%}" if metric in SHARES else f"{value:.1f}" if metric in LABELS else f"{value:.4g}"


def gain(metric: str, value: float) -> str:
    """A difference with its sign: `+68.2 points` for shares, `-1.3` otherwise."""
    return f"{signed(metric, value)} points" if metric in SHARES else signed(metric, value)


def signed(metric: str, value: float) -> str:
    """A difference with its sign, shares in percentage points; what rounds to zero has no minus."""
    text = f"{100 * value if metric in SHARES else value:+.1f}"
    return "+0.0" if text == "-0.0" else text


def span(metric: str, interval: Interval) -> str:
    """An interval: `62.8% to 79.4%`."""
    return f"{figure(metric, interval.low)} to {figure(metric, interval.high)}"


def signed_span(metric: str, interval: Interval) -> str:
    """A difference's interval: `+58.1 to +76.0`."""
    return f"{signed(metric, interval.low)} to {signed(metric, interval.high)}"


def shorten(text: str) -> str:
    """The start of `text` on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SUMMARY_LENGTH else f"{line[:SUMMARY_LENGTH].rstrip()}…"


def verdict(difference: Difference) -> Verdict:
    """What a difference says: nothing clear while its interval includes 0."""
    if difference.interval.low > 0:
        return "higher"
    return "lower" if difference.interval.high < 0 else "no clear difference"


def headline(comparison: Comparison) -> str:
    """The finding in one sentence, no stronger than the intervals allow."""
    scores = score_names(comparison)
    if not scores:
        return "No score to compare: the evaluator gives none per row."
    verdicts = {name: verdict(comparison.differences[name]) for name in scores}
    clear = [name for name in scores if verdicts[name] != "no clear difference"]
    if not clear:
        return f"No clear difference: {against(comparison, scores[0])}."
    if len({verdicts[name] for name in clear}) > 1:
        return f"A mixed result: {'; '.join(against(comparison, name) for name in clear)}."
    word = "better" if verdicts[clear[0]] == "higher" else "worse"
    return f"The fine-tuned model is {word}: {against(comparison, clear[0])}."


def against(comparison: Comparison, metric: str) -> str:
    """Both models' values of a metric in words."""
    tuned, base = comparison.fine_tuned.metrics[metric], comparison.base.metrics[metric]
    return f"{within_sentence(metric)} {figure(metric, tuned)}, base {figure(metric, base)}"


def within_sentence(metric: str) -> str:
    """The metric's name in the middle of a sentence: `exact match`, `valid JSON`, `ROUGE-L`."""
    name = label(metric)
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def evidence(comparison: Comparison) -> list[str]:
    """What the headline rests on: a sentence per score, then the rows won and lost, then what to mind."""
    scores = [score_sentence(comparison, name) for name in score_names(comparison)]
    return [*scores, outcome_sentence(comparison), *caveats(comparison)]


def score_sentence(comparison: Comparison, metric: str) -> str:
    """One score's difference, its interval, the rows that it judges where others judge more, and how to read it."""
    difference = comparison.differences[metric]
    judged = sum(metric in prediction.scores for prediction in comparison.base.predictions)
    where = f" on {judged} of the rows" if judged < comparison.base.num_examples else ""
    reading = ", which includes 0" if verdict(difference) == "no clear difference" else ""
    interval = signed_span(metric, difference.interval)
    p_value = f", McNemar's p {probability(difference.p_value)}" if difference.p_value is not None else ""
    return f"{label(metric)}: {gain(metric, difference.value)}{where}, 95% interval {interval}{reading}{p_value}."


def probability(p_value: float) -> str:
    """A p-value: `0.031`, or `< 0.001`."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def outcome_sentence(comparison: Comparison) -> str:
    """On how many rows the fine-tuned model wins, ties and loses."""
    return (
        f"Of {rows(comparison.base)} the fine-tuned model answers {comparison.wins} better, "
        f"{comparison.losses} worse and {comparison.ties} equally well."
    )


def rows(report: EvalReport) -> str:
    """`1 row`, `40 rows`, or `120 turns of 40 conversations` where every answer is judged."""
    if all(prediction.turn is None for prediction in report.predictions):
        return counted(report.num_examples, "row")
    num_conversations = len({prediction.row for prediction in report.predictions})
    return f"{counted(report.num_examples, 'turn')} of {counted(num_conversations, 'conversation')}"


def row_name(prediction: Prediction) -> str:
    """`row 3`, or `row 3, turn 2` where every answer is judged."""
    turn = f", turn {prediction.turn}" if prediction.turn is not None else ""
    return f"row {prediction.row}{turn}"


def caveats(comparison: Comparison) -> list[str]:
    """What a reader should mind: few rows, answers that were cut."""
    found = []
    if comparison.base.num_examples < FEW_ROWS:
        found.append(f"With {rows(comparison.base)} only, the intervals are wide; more rows would say more.")
    for name, report in (("base", comparison.base), ("fine-tuned model", comparison.fine_tuned)):
        if cut_share(report) > MANY_CUT:
            limit = report.sampling.get("max_new_tokens", "?")
            found.append(
                f"{figure('share_cut', cut_share(report))} of the {name}'s answers were cut at {limit} tokens."
            )
    return found


def cut_share(report: EvalReport) -> float:
    """Share of answers that reached the token limit; 0 where the evaluator does not say."""
    return report.metrics.get("share_cut", 0.0)
