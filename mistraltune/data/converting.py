"""Rows of other formats made into rows that are read here: ShareGPT, instruct or messages, to messages or instruct."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mistraltune.data.checking import row_problems
from mistraltune.data.findings import Finding, Findings
from mistraltune.data.lines import display_name, foreign_format, open_data
from mistraltune.data.reading import read_rows
from mistraltune.data.reshaping import CannotConvert, to_instruct, to_messages
from mistraltune.data.strict_json import Json, LineError, loads
from mistraltune.data.writing import write_files
from mistraltune.errors import DataError

MAX_ERRORS = 10_000

TargetFormat = Literal["messages", "instruct"]


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Attributes:
        file: The converted file.
        num_rows: Its rows: as many as were read.
        num_tool_calls: Tool calls in them.
        is_written: False where the file held the same rows already.
        warnings: What was odd about the source; the first ones.
    """

    file: Path
    num_rows: int
    num_tool_calls: int
    is_written: bool
    warnings: list[Finding]


class SourceRow(NamedTuple):
    """A row to convert.

    Attributes:
        number: Counted from 1, rows only.
        line: Its line; 0 where the source is one JSON array.
        value: The parsed row.
        problem: What was found in place of a row, or beside it.
    """

    number: int
    line: int
    value: Json
    problem: Finding | None = None


RowSource = Callable[[], Iterator[SourceRow]]


def convert_file(source: Path, target: Path, *, to: TargetFormat = "messages", replace: bool = False) -> Conversion:
    """Convert JSON Lines or one JSON array to JSON Lines that `mistraltune data validate` accepts.

    Rows are converted twice, once to see whether all can be and once to write them, so that memory stays constant; a
    JSON array is held in memory whole.

    Args:
        source: JSON Lines, or one JSON array of rows.
        target: The file to write.
        to: Its format.
        replace: Whether a target that holds something else may be replaced.

    Raises:
        ConfigError: No such source; or the target is the source, or holds something else.
        DataError: Rows that cannot be converted, each with its number. Nothing is written then.
    """
    rows = open_source(source)
    findings = Findings(max_kept=MAX_ERRORS)
    num_rows = num_tool_calls = 0
    for result in convert_rows(rows, display_name(source), to):
        if isinstance(result, Finding):
            findings.add([result])
        else:
            num_rows += 1
            num_tool_calls += count_tool_calls(result)
    findings.refuse_errors(max_shown=MAX_ERRORS, hint="mend or drop these rows; nothing was written")
    written = write_files({target: partial(_lines, rows, source, to)}, sources=[source], replace=replace)
    return Conversion(target, num_rows, num_tool_calls, bool(written), findings.warnings)


def convert_rows(rows: RowSource, file: str, to: TargetFormat) -> Iterator[dict[str, Any] | Finding]:
    """Each converted row, or what keeps it from being one."""
    for row in rows():
        if row.problem:
            yield row.problem
            continue
        try:
            converted = convert_row(row.value, row.number, to)
        except CannotConvert as error:
            yield Finding(file, row.line, error.rule, f"row {row.number}: {error}", error.hint)
            continue
        errors = [problem for problem in row_problems(converted) if problem.is_error]
        for problem in errors:
            yield Finding(file, row.line, problem.rule, f"row {row.number}: {problem.message}", problem.hint)
        if not errors:
            yield converted


def convert_row(row: Json, number: int, to: TargetFormat) -> dict[str, Any]:
    """One row in the wanted format, unchecked.

    Args:
        row: The parsed row.
        number: Its number, from which ids of tool calls are made.
        to: The wanted format.

    Raises:
        CannotConvert: It has no format that is known here, or does not fit into the wanted one.
    """
    messages = to_messages(row, number)
    return messages if to == "messages" else to_instruct(row, messages)


def count_tool_calls(row: dict[str, Any]) -> int:
    """The tool calls of a converted row."""
    return sum(len(message.get("tool_calls") or ()) for message in row.get("messages", ()))


def open_source(path: Path) -> RowSource:
    """The rows of a JSON Lines file or of a JSON array, to be read as often as they are wanted."""
    return partial(_array_rows, load_array(path)) if is_json_array(path) else partial(_line_rows, path)


def is_json_array(path: Path) -> bool:
    """Whether a file begins as a JSON array does."""
    try:
        with open_data(path) as file:
            head = file.read(2**16)
    except LineError:
        return False  # reading it as lines will say what is wrong
    return foreign_format(head[:4]) is None and head.removeprefix("\ufeff".encode()).lstrip().startswith(b"[")


def load_array(path: Path) -> list[Json]:
    """The values of a file that holds one JSON array.

    Raises:
        DataError: It is no JSON, or an empty array.
    """
    name = display_name(path)
    findings = Findings()
    with open_data(path) as file:
        text = file.read().removeprefix("\ufeff".encode())
    try:
        rows: list[Json] = loads(text)
    except LineError as error:
        findings.add([Finding(name, 0, error.rule, error.message, error.hint)])
    else:
        findings.add([] if rows else [Finding(name, 0, "empty", "there are no rows in the file")])
    findings.refuse_errors()
    return rows


def _array_rows(values: list[Json]) -> Iterator[SourceRow]:
    for number, value in enumerate(values, start=1):
        yield SourceRow(number, 0, value)


def _line_rows(path: Path) -> Iterator[SourceRow]:
    number = 0
    for row in read_rows(path):
        number += row.is_row
        yield SourceRow(number, row.number, row.value, row.problem)


def _lines(rows: RowSource, source: Path, to: TargetFormat) -> Iterator[bytes]:
    """The lines to write.

    Raises:
        DataError: The source has changed since it was found to be convertible.
    """
    for result in convert_rows(rows, display_name(source), to):
        if not isinstance(result, Finding):
            yield json.dumps(result, ensure_ascii=False).encode() + b"\n"
        elif result.is_error:
            raise DataError(f"{display_name(source)} changed while it was read", hint="start again")
