"""Where a model fails: the same metrics on groups of rows that have the same value in a field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mistraltune.data.findings import excerpt
from mistraltune.data.lines import display_name
from mistraltune.data.reading import ConversationFile
from mistraltune.errors import ConfigError
from mistraltune.evaluation.corpus_scores import corpus_scores_of
from mistraltune.evaluation.summarising import differences, summarise
from mistraltune.results import EvalReport, Prediction, Slice, SliceComparison

MAX_SLICES = 50
NO_VALUE = "(none)"

Groups = dict[str, frozenset[int]]
"""Value of a field to the numbers, from 1, of the rows that have it."""


def group_rows(file: ConversationFile, field: str, num_rows: int) -> Groups:
    """The first rows of a file by their value in a field, the largest group first.

    A row with a list of values, such as tags, is in each of their groups; one without a value in `NO_VALUE`.

    Raises:
        ConfigError: No row has the field, its values are no texts or numbers, or there are too many of them.
    """
    groups: dict[str, set[int]] = {}
    is_known = False
    for row in range(num_rows):
        value = file.value(row)
        is_known = is_known or field in value
        for name in value_names(value.get(field), f"{display_name(file.path)}:{file.line_number(row)}", field):
            groups.setdefault(name, set()).add(row + 1)
        if len(groups) > MAX_SLICES:
            reason = f"the field {field!r} has more than {MAX_SLICES} values"
            raise ConfigError(reason, hint="--by groups rows by a field of few values, such as a tag")
    if not is_known:
        fields = ", ".join(map(repr, file.value(0))) if num_rows else "none"
        raise ConfigError(f"no row has a field {field!r}", hint=f"fields of the first row: {fields}")
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return {name: frozenset(rows) for name, rows in ordered}


def value_names(value: Any, place: str, field: str) -> list[str]:
    """The groups of a row with this value.

    Raises:
        ConfigError: The value is no text, number or boolean, and no list of those.
    """
    values = value if isinstance(value, list) else [value]
    found = [one for one in values if one not in (None, "")]
    for one in found:
        if not isinstance(one, str | int | float | bool):
            raise ConfigError(
                f"{place}: {field!r} is {excerpt(value)}", hint="--by takes texts, numbers and lists of them"
            )
    names = [one if isinstance(one, str) else json.dumps(one) for one in found]
    return list(dict.fromkeys(names)) or [NO_VALUE]


def slice_report(report: EvalReport, field: str, groups: Groups) -> list[Slice]:
    """The report's metrics on each group."""
    corpus_scores = corpus_scores_of(report.evaluator)
    found = []
    for value, rows in groups.items():
        predictions = within(report.predictions, rows)
        metrics, intervals = summarise(predictions, corpus_scores=corpus_scores)
        found.append(
            Slice(field=field, value=value, num_examples=len(predictions), metrics=metrics, intervals=intervals)
        )
    return found


def slice_comparison(base: EvalReport, fine_tuned: EvalReport, field: str, groups: Groups) -> list[SliceComparison]:
    """Both reports' metrics on each group, and their differences."""
    corpus_scores = corpus_scores_of(base.evaluator)
    found = []
    for value, rows in groups.items():
        before, after = within(base.predictions, rows), within(fine_tuned.predictions, rows)
        old, new = (summarise(predictions, corpus_scores=corpus_scores) for predictions in (before, after))
        changes = differences(before, after, corpus_scores=corpus_scores)
        found.append(
            SliceComparison(
                field=field,
                value=value,
                num_examples=len(before),
                base=old.metrics,
                fine_tuned=new.metrics,
                differences={
                    name: change for name, change in changes.items() if name in old.intervals.keys() & new.intervals
                },
            )
        )
    return found


def within(predictions: Sequence[Prediction], rows: frozenset[int]) -> list[Prediction]:
    """The predictions of some rows."""
    return [prediction for prediction in predictions if prediction.row in rows]
