"""Evaluations and comparisons as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from rich.table import Table
from rich.text import Text

from mistraltune.cli.console import note, show
from mistraltune.cli.tables import Column, show_table
from mistraltune.data.characters import escaped
from mistraltune.evaluation.comparing import Pair, paired
from mistraltune.evaluation.wording import (
    NO_INTERVAL,
    evidence,
    figure,
    headline,
    label,
    probability,
    row_name,
    shorten,
    signed,
    signed_span,
    span,
)
from mistraltune.results import Answer, AnswerPair, Comparison, EvalReport, Prediction, Slice, SliceComparison

NUM_ROWS_SHOWN = 5
CELL_LENGTH = 400
OUTCOMES = {"win": "better", "loss": "worse", "tie": "equal"}


def show_metrics(report: EvalReport) -> None:
    """Print each metric with its interval."""
    rows = []
    for name, value in report.metrics.items():
        interval = report.intervals.get(name)
        rows.append([label(name), figure(name, value), span(name, interval) if interval else ""])
    show_table([Column("metric"), *numbers("value", "95% interval")], rows)
    if any(name not in report.intervals for name in (*scores_of(report.predictions), "average_length")):
        note(NO_INTERVAL)


def show_comparison(comparison: Comparison) -> None:
    """Print the finding, what it rests on, all metrics, and the rows that changed most."""
    show(Text(f"\n{headline(comparison)}", style="bold"))
    show("\n".join(f"  {sentence}" for sentence in evidence(comparison)))
    show("")
    show_differences(comparison)
    show_compared_slices(comparison)
    show_changed_rows(comparison)


def show_differences(comparison: Comparison) -> None:
    """Print each metric of both models, and their difference with its interval; shares in percent and points."""
    has_p_values = any(difference.p_value is not None for difference in comparison.differences.values())
    more = ("McNemar's p",) if has_p_values else ()
    rows = []
    for name, difference in comparison.differences.items():
        reports = (comparison.base, comparison.fine_tuned)
        values = [figure(name, report.metrics[name]) if name in report.metrics else "" for report in reports]
        change = f"{signed(name, difference.value)} ({signed_span(name, difference.interval)})"
        p_value = "" if difference.p_value is None else probability(difference.p_value)
        rows.append([label(name), *values, change, *([p_value] if has_p_values else [])])
    headings = numbers("base", "fine-tuned", "difference (95% interval)", *more)
    show_table([Column("metric", wraps=True), *headings], rows)


def show_slices(report: EvalReport) -> None:
    """Print the scores of each group of rows, a table a field."""
    names = scores_of(report.predictions)
    for field, slices in groupby(report.slices, key=attrgetter("field")):
        rows = []
        for one in slices:
            values = [slice_figure(one, name) if name in one.metrics else "" for name in names]
            rows.append([cell(one.value).plain, f"{one.num_examples:,}", *values])
        show("")
        show_groups(field, [f"{label(name)} (95% interval)" for name in names], rows)
    if any(name in one.metrics and name not in one.intervals for one in report.slices for name in names):
        note(NO_INTERVAL)


def show_compared_slices(comparison: Comparison) -> None:
    """Print how much better or worse each group of rows got, a table a field."""
    names = scores_of(comparison.base.predictions)
    for field, slices in groupby(comparison.slices, key=attrgetter("field")):
        rows = []
        for one in slices:
            values = [slice_change(one, name) if name in one.base else "" for name in names]
            rows.append([cell(one.value).plain, f"{one.num_examples:,}", *values])
        show("")
        show_groups(field, [label(name) for name in names], rows)
    if any(name in one.base and name not in one.differences for one in comparison.slices for name in names):
        note(NO_INTERVAL)


def show_groups(field: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of groups of rows: the field's value, how many rows, and what is told of each metric."""
    show_table([Column(escaped(field), wraps=True), *numbers("rows", *names)], rows)


def slice_figure(one: Slice, name: str) -> str:
    """A score on a group of rows, and its interval where the group is large enough."""
    interval = f" ({span(name, one.intervals[name])})" if name in one.intervals else ""
    return f"{figure(name, one.metrics[name])}{interval}"


def slice_change(one: SliceComparison, name: str) -> str:
    """A score of both models on a group of rows, and the interval of the difference where the group is large enough."""
    interval = f" ({signed_span(name, one.differences[name].interval)})" if name in one.differences else ""
    return f"{figure(name, one.base[name])} → {figure(name, one.fine_tuned[name])}{interval}"


def scores_of(predictions: Sequence[Prediction]) -> list[str]:
    """The scores that the predictions have, in the evaluator's order."""
    return list(dict.fromkeys(name for prediction in predictions for name in prediction.scores))


def show_changed_rows(comparison: Comparison) -> None:
    """Print the first of the rows that changed most, both answers beside each other."""
    pairs = list(paired(comparison.base, comparison.fine_tuned))
    shown = comparison.changed_rows[:NUM_ROWS_SHOWN]
    for place in shown:
        show(changed_row_table(pairs[place - 1]))
    num_more = len(comparison.changed_rows) - len(shown)
    if num_more > 0:
        show(f"{num_more} more rows that changed much are in the report (--html FILE)")


def changed_row_table(pair: Pair) -> Table:
    """One row: what was asked, what was expected, what came."""
    expected = " | ".join(pair.base.references) or describe_calls(pair.base.reference_tool_calls)
    row = row_name(pair.base)
    table = answers_table(f"{row}, {OUTCOMES[pair.outcome]}: {shorten(last_message(pair.base.prompt))}")
    table.add_row(cell(answer_text(pair.base)), cell(answer_text(pair.fine_tuned)))
    table.caption = cell(f"reference: {expected}")
    table.caption_justify = "left"
    table.caption_style = "none"
    return table


def show_answers(pairs: Sequence[AnswerPair]) -> None:
    """Print each prompt with both answers beside each other, in full."""
    for pair in pairs:
        table = answers_table(last_message(pair.prompt))
        table.add_row(Text(escaped(answer_text(pair.base))), Text(escaped(answer_text(pair.fine_tuned))))
        show(table)


def answers_table(title: str) -> Table:
    """An empty table of two equal columns."""
    from rich import box

    table = Table(title=cell(title), title_justify="left", title_style="bold", box=box.ROUNDED, expand=True)
    table.add_column("base", ratio=1, overflow="fold")
    table.add_column("fine-tuned", ratio=1, overflow="fold")
    return table


def numbers(*headings: str) -> list[Column]:
    """Columns of figures."""
    return [Column(heading, is_number=True) for heading in headings]


def answer_text(answer: Answer | Prediction) -> str:
    """An answer with its tool calls, and a word where it was cut."""
    parts = [answer.text, describe_calls(answer.tool_calls)]
    text = "\n".join(part for part in parts if part) or "(empty)"
    return f"{text}\n(cut after {answer.num_tokens} tokens)" if answer.finish_reason == "length" else text


def describe_calls(calls: Sequence[Any]) -> str:
    """Tool calls as `name(arguments)`, one a line."""
    return "\n".join(f"{call.name}({call.arguments})" for call in calls)


def last_message(prompt: Sequence[dict[str, Any]]) -> str:
    """What was asked last."""
    return str(prompt[-1]["content"]) if prompt else ""


def cell(text: str) -> Text:
    """Text for a table cell: literal, of bounded length."""
    shown = escaped(text)
    return Text(shown if len(shown) <= CELL_LENGTH else f"{shown[:CELL_LENGTH].rstrip()} ...")
