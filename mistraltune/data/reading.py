"""Rows from JSON Lines files, in order, with everything that could not be read as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import jsonlines

from mistraltune.data.checking import RowChecker, parse_row
from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Finding, counted, refuse_errors
from mistraltune.data.lines import Digest, FileState, Lines, display_name, foreign_format, open_data
from mistraltune.data.strict_json import Json, LineError, parse
from mistraltune.errors import ConfigError

_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_BLANK = object()
_END = object()


class Row(NamedTuple):
    """A parsed row, or what was found where a row should be.

    Attributes:
        number: Line number, counted from 1; 0 for what concerns the file as a whole.
        offset: Where the row starts, in bytes.
        text: The line as it stands in the file, without its end.
        value: The parsed JSON; None where there is a problem.
        problem: An error (the row could not be read) or a warning (no row: a blank line, a byte order mark).
    """

    number: int
    offset: int
    text: bytes
    value: Json
    problem: Finding | None = None

    @property
    def is_row(self) -> bool:
        """Whether the line counts as a row, readable or not."""
        return self.number > 0 and (self.problem is None or (self.problem.is_error and bool(self.text)))


def read_rows(path: Path, *, digest: Digest | None = None) -> Iterator[Row]:
    """Each row of a JSON Lines file, in order, and everything that could not be read as one.

    Problems are yielded, not raised, so that one pass finds them all.

    Args:
        path: The file.
        digest: Is fed with every byte.

    Raises:
        ConfigError: There is no such file.
    """
    name = display_name(path)
    try:
        file = open_data(path)
    except LineError as error:
        yield _problem(name, 0, error)
        return
    with file:
        before = FileState.of(file.fileno())
        yield from _read_lines(file, name, digest)
        if FileState.of(file.fileno()) != before:
            yield _problem(name, 0, LineError("changed", "the file changed while it was read"))


def checked_rows(path: Path, *, digest: Digest | None = None) -> Iterator[tuple[Row, list[Finding]]]:
    """Each line of `read_rows` with what a check finds in it."""
    checker = RowChecker(display_name(path))
    for row in read_rows(path, digest=digest):
        if row.problem:
            yield row, [row.problem]
        else:
            yield row, checker.check(row.value, row.number, text=row.text)


def read_conversation(path: Path, number: int) -> Conversation:
    """The conversation of row `number`, counted from 1; the file is read no further.

    Raises:
        ConfigError: No such file, or no such row.
        DataError: The row is refused, or what stands before it ends the file.
    """
    num_rows = 0
    for row, found in checked_rows(path):
        num_rows += row.is_row
        if row.is_row and num_rows == number:
            refuse_errors(found)
            return parse_row(row.value, f"{display_name(path)}:{row.number}")
        if not row.is_row:
            refuse_errors(found)
    raise ConfigError(f"{display_name(path)} has {counted(num_rows, 'row')}, so no row {number}")


def _read_lines(file: BufferedReader, name: str, digest: Digest | None) -> Iterator[Row]:
    if error := foreign_format(file.peek(4)[:4]):
        yield _problem(name, 1, error)
        return
    lines = Lines(file, digest)
    reader = jsonlines.Reader(lines, loads=parse_line)
    is_first = True
    for value in iter(partial(_read, reader), _END):
        if lines.has_bom and lines.number == 1:
            yield _problem(name, 1, LineError("bom", "starts with a UTF-8 byte order mark"), is_error=False)
        if value is _BLANK:
            yield _problem(name, lines.number, LineError("blank-line", "a blank line"), is_error=False)
            continue
        if is_first and (error := _no_json_lines(lines, value)):
            yield _problem(name, lines.number, error)
            return
        is_first = False
        if isinstance(value, LineError):
            yield _problem(name, lines.number, _completed(value, lines), lines)
        else:
            yield Row(lines.number, lines.offset, lines.text, value)
    if is_first:
        yield _problem(name, 1, LineError("empty", "there are no rows in the file"))


def _read(reader: Any) -> Json:
    """The next value of a jsonlines reader, the `LineError` that stands in its place, or `_END`."""
    try:
        return reader.read(allow_none=True)
    except EOFError:
        return _END
    except LineError as error:  # from the line
        return error
    except jsonlines.InvalidLineError as error:  # from parsing it
        return error.__cause__


def parse_line(text: str) -> Json:
    """The value of one line; `_BLANK` where there is none.

    Raises:
        LineError: The line is no JSON as `strict_json` wants it, or holds an escaped NUL, which few tokenizers survive.
    """
    if not text.strip(" \t"):
        return _BLANK
    value = parse(text)
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise LineError("nul", "holds an escaped NUL (\\u0000)", hint="remove it")
    return value


def _no_json_lines(lines: Lines, value: Json) -> LineError | None:
    """An error where the first row shows that the whole file is no JSON Lines: saying it once is enough."""
    start = lines.text.lstrip()
    if start.startswith(b"[") and (isinstance(value, LineError) or (value and isinstance(value[0], dict | list))):
        return LineError("json-array", "the file is one JSON array", hint="JSON array: use `mistraltune data convert`")
    if start.rstrip() == b"{":
        message = "the first row goes on over several lines"
        return LineError("json", message, hint="write each row on one line, for one with `jq -c .`")
    return None


def _completed(error: LineError, lines: Lines) -> LineError:
    """A syntax error that says when the file itself seems to end too early."""
    if error.rule == "json" and not lines.raw.endswith(b"\n") and _looks_cut(error, lines.text.decode()):
        return LineError("json", f"{error.message}; the file looks truncated", hint="was it copied whole?")
    return error


def _looks_cut(error: LineError, text: str) -> bool:
    rest = text[error.position or 0 :]
    is_in_word = len(rest) <= len("\\u00e") or error.message.startswith("Unterminated string")
    return not rest or (is_in_word and not text.rstrip().endswith("}"))


def _problem(name: str, number: int, error: LineError, lines: Lines | None = None, *, is_error: bool = True) -> Row:
    finding = Finding(name, number, error.rule, error.message, error.hint, is_error)
    return Row(number, lines.offset if lines else 0, lines.text if lines else b"", None, finding)
