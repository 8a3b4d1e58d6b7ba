"""Where a model fails: the same metrics on groups of rows that have the same value in a field."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.findings import excerpt
from mistraltune.data.lines import display_name
from mistraltune.errors import ConfigError
from mistraltune.evaluation.corpus_scores import corpus_scores_of
from mistraltune.evaluation.summarising import differences, summarise
from mistraltune.results import EvalReport, Prediction, Slice, SliceComparison

MAX_SLICES = 50
MAX_FIELDS = 100
"""So many fields of a file's rows are looked at where the one that is meant is looked for."""

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
            raise ConfigError(reason, hint="rows are grouped by a field of few values, such as a tag")
    if not is_known:
        raise ConfigError(f"no row has a field {field!r}", hint=near_field(field, field_names(file, num_rows)))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return {name: frozenset(rows) for name, rows in ordered}


def grouping_fields(file: ConversationFile) -> dict[str, int]:
    """The fields by which all rows of a file can be grouped, as the rows name them, and into how many groups."""
    found = {}
    for field in field_names(file, len(file)):
        with suppress(ConfigError):
            found[field] = len(group_rows(file, field, len(file)))
    return found


def field_names(file: ConversationFile, num_rows: int) -> list[str]:
    """The first `MAX_FIELDS` fields that the first rows of a file have, each once."""
    names: dict[str, None] = {}
    for row in range(num_rows):
        names |= dict.fromkeys(file.value(row))
        if len(names) >= MAX_FIELDS:
            break
    return list(names)[:MAX_FIELDS]


def near_field(field: str, known: Collection[str]) -> str:
    """What to do about a field that no row has."""
    near = difflib.get_close_matches(field, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"fields of the rows: {', '.join(map(repr, known)) or 'none'}"


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
                f"{place}: {field!r} is {excerpt(value)}", hint="texts, numbers and lists of them make groups"
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
