"""Runs by their settings and figures: conditions such as `quantization=nf4` and `val_loss<0.5`, and an order."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mistraltune.dotted import flatten, value_at
from mistraltune.errors import ConfigError
from mistraltune.overview.values import spelled
from mistraltune.runs import STATUSES

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(rf"\s*([\w.\-]+)\s*({'|'.join(OPERATORS)})\s*(.*?)\s*", re.DOTALL)

_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\+00:00)?)?)?)?)?)?")
_REST_OF_TIME = "0000-01-01T00:00:00+00:00"

TIME = "started_at"
"""A key whose values are times as ISO 8601 writes them, in UTC; a shorter one, such as a date, stands for all of it."""

UNREADABLE = "unreadable"
"""Status of a run that this version cannot read."""

FACTS = ("run_id", "status", "model", TIME)
"""Keys that are neither figures nor settings."""

Summary = dict[str, Any]
"""A run in a line: `run_id`, `status`, `model`, `started_at`, and the mappings `metrics` and `config`."""


class Condition(NamedTuple):
    """What a run must be: the value of `key` compared with `value`."""

    key: str
    operator: str
    value: str

    def holds(self, summary: Summary) -> bool:
        """Whether it holds of a run; of a value that is not there only `!=` does."""
        found = field(summary, self.key)
        if found is None:
            return (self.operator == "=") == (self.value in ("null", "none")) and self.operator in ("=", "!=")
        pair = as_numbers(found, self.value)
        if pair:
            return OPERATORS[self.operator](*pair)
        if self.key == TIME:
            return OPERATORS[self.operator](found[: len(self.value)], self.value)
        value = self.value.lower() if isinstance(found, bool) else self.value
        return self.operator in ("=", "!=") and OPERATORS[self.operator](spelled(found), value)


def parse_condition(text: str) -> Condition:
    """A condition as it is written on a command line, `==` being `=`.

    Raises:
        ConfigError: It has no operator or no value, orders by what is neither a number nor a time, compares a time
            with what is none, or names a status that no run has.
    """
    found = _CONDITION.fullmatch(text)
    if not found or not found[3]:
        raise ConfigError(
            f"--where {text!r} is no condition", hint="KEY and VALUE with one of = != < <= > >= between them"
        )
    key, written, value = found.groups()
    if written in ("<", "<=", ">", ">=") and key != TIME and not is_number(value):
        raise ConfigError(f"--where {text!r}: a number is needed after {written}, not {value!r}")
    if key == TIME:
        value = require_time(value, text)
    if key == "status" and value not in (*STATUSES, UNREADABLE):
        raise ConfigError(f"no run has the status {value!r}", hint=f"one of {', '.join((*STATUSES, UNREADABLE))}")
    return Condition(key, "=" if written == "==" else written, value)


def require_time(value: str, condition: str) -> str:
    """A time, or the beginning of one, as runs write it down.

    Raises:
        ConfigError: It is none.
    """
    written = value.replace(" ", "T").removesuffix("Z")
    try:
        if not _TIME.fullmatch(written):
            raise ValueError
        datetime.fromisoformat(written + _REST_OF_TIME[len(written) :])
    except ValueError:
        raise ConfigError(
            f"--where {condition!r}: a time is needed, not {value!r}",
            hint="in UTC, all of it or its beginning, such as 2026-01-31 or 2026-01-31T09:30",
        ) from None
    return written


def is_number(text: str) -> bool:
    """Whether other numbers are less or greater than this text."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def select(
    summaries: Iterable[Summary],
    *,
    conditions: Sequence[Condition] = (),
    sort: str | None = None,
    reverse: bool = False,
) -> list[Summary]:
    """The runs of which all conditions hold, by the value of `sort`; those that have none come last.

    Raises:
        ConfigError: A key is none that any run has.
    """
    summaries = list(summaries)
    for key in [*(condition.key for condition in conditions), *([sort] if sort else [])]:
        refuse_unknown(key, summaries)
    kept = [summary for summary in summaries if all(condition.holds(summary) for condition in conditions)]
    if sort is None:
        return kept[::-1] if reverse else kept
    valued = [summary for summary in kept if field(summary, sort) is not None]
    valued.sort(key=lambda summary: rank(field(summary, sort)), reverse=reverse)
    return valued + [summary for summary in kept if field(summary, sort) is None]


def field(summary: Summary, key: str) -> Any:
    """A run's figure, setting or fact of that name: `val_loss`, `lora.r`, `training.seed`, `status`."""
    if key in FACTS:
        return summary[key]
    if key in summary["metrics"]:
        return summary["metrics"][key]
    return value_at(summary["config"], key)


def refuse_unknown(key: str, summaries: Sequence[Summary]) -> None:
    """Refuse a key that no run has; of no runs nothing is known.

    Raises:
        ConfigError: Names the nearest key.
    """
    known = set(FACTS)
    for summary in summaries:
        known |= {*summary["metrics"], *flatten(summary["config"])}
    if not summaries or key in known:
        return
    near = [name for name in sorted(known) if name.endswith(f".{key}")] or difflib.get_close_matches(key, known, n=1)
    raise ConfigError(
        f"no run has a figure or a setting {key!r}",
        hint=f"did you mean {near[0]}?" if near else "`mistraltune runs list --json` shows them all",
    )


def as_numbers(found: Any, value: str) -> tuple[float, float] | None:
    """Both as numbers, where both are."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found), float(value)
    except ValueError:
        return None


def rank(value: Any) -> tuple[int, float, str]:
    """What values of mixed kinds are sorted by: numbers first."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, str(value)
