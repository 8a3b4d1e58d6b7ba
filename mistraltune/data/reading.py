"""Rows from JSON Lines files, and files of conversations that stay on disk."""

from __future__ import annotations

import hashlib
import os
import re
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, overload

import jsonlines

from mistraltune.data.checking import RowChecker, RowFormat, parse_row, row_format, row_problems
from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Finding, Findings, counted
from mistraltune.data.lines import MAX_LINE_BYTES, Digest, FileState, Lines, display_name, foreign_format, open_data
from mistraltune.data.strict_json import Json, LineError, decode, loads, parse
from mistraltune.errors import ConfigError, DataError

__all__ = [
    "ConversationFile",
    "LineError",
    "Row",
    "checked_rows",
    "display_name",
    "loads",
    "read_conversation",
    "read_rows",
]

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
            _refuse_errors(found)
            return parse_row(row.value, f"{display_name(path)}:{row.number}")
        if not row.is_row:
            _refuse_errors(found)
    raise ConfigError(f"{display_name(path)} has {counted(num_rows, 'row')}, so no row {number}")


def _refuse_errors(found: Iterable[Finding]) -> None:
    findings = Findings()
    findings.add(found)
    findings.refuse_errors()


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


@dataclass(frozen=True, slots=True)
class RowIndex:
    """Where the rows of a file are.

    Attributes:
        offsets: Where each row starts, in bytes.
        gaps: For each blank line, how many rows stand before it.
        state: Size and time of the file that was indexed.
        sha256: Of its bytes, 64 hex digits.
    """

    offsets: array[int]
    gaps: array[int]
    state: FileState
    sha256: str

    def span(self, row: int) -> range:
        """The bytes that hold row `row`, counted from 0, and perhaps blank lines after it."""
        following = row + 1
        end = self.offsets[following] if following < len(self.offsets) else self.state.num_bytes
        return range(self.offsets[row], end)

    def line_number(self, row: int) -> int:
        """The line, from 1, that row `row`, from 0, stands on: blank lines count too."""
        return row + 1 + bisect_right(self.gaps, row)


class ConversationFile(Sequence[Conversation]):
    """The conversations of a JSON Lines file, parsed when they are asked for.

    Memory holds 8 bytes a row, whatever the rows weigh. Pickled or forked copies open the file for themselves.

    Attributes:
        path: The file.
        sha256: Of its bytes, 64 hex digits.
        warnings: What the check found odd; the first hundred.
    """

    def __init__(self, path: Path, index: RowIndex, *, is_checked: bool, warnings: Sequence[Finding] = ()) -> None:
        """Use `open`.

        Args:
            path: The file.
            index: Where its rows are.
            is_checked: Whether the rows are known to be good.
            warnings: What the check found odd.
        """
        self.path = path
        self.sha256 = index.sha256
        self.warnings = list(warnings)
        self._index = index
        self._is_checked = is_checked
        self._descriptor: int | None = None

    @classmethod
    def open(cls, path: Path, check: bool = True) -> ConversationFile:
        """Read the file once: hash it, note where each row starts, and check each row.

        Args:
            path: JSON Lines with instruct, `messages` or prompt-completion rows.
            check: False leaves the rules of a row to the moment it is asked for; that it is JSON is seen either way.

        Raises:
            ConfigError: There is no such file.
            DataError: With `details["findings"]`: everything that is wrong with the rows.
        """
        rows = checked_rows if check else _unchecked_rows
        findings = Findings()
        digest = hashlib.sha256()
        offsets, gaps = array("Q"), array("Q")
        state = _state_of(path)
        for row, found in rows(path, digest=digest):
            findings.add(found)
            if row.is_row:
                offsets.append(row.offset)
            elif row.problem and row.problem.rule == "blank-line":
                gaps.append(len(offsets))
        findings.refuse_errors()
        index = RowIndex(offsets, gaps, state, digest.hexdigest())
        return cls(path, index, is_checked=check, warnings=findings.warnings)

    def __len__(self) -> int:
        return len(self._index.offsets)

    def statistics(self) -> dict[str, int]:
        """What is known of the rows before they are tokenised, JSON-like: how many there are."""
        return {"num_rows": len(self)}

    @cached_property
    def format(self) -> RowFormat | None:
        """The format of the first row, which a check has found in all others; None where it has none."""
        return row_format(self.value(0))

    def line_number(self, row: int) -> int:
        """The line, counted from 1, of row `row`, counted from 0."""
        return self._index.line_number(row)

    def value(self, row: int) -> dict[str, Any]:
        """Row `row`, counted from 0, as it stands in the file, with the fields that a conversation leaves out.

        Raises:
            DataError: The file has changed since it was opened.
        """
        value: dict[str, Any] = parse_line(decode(self._read(self._index.span(row))))
        return value

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | list[Conversation]:
        """The conversation of one row, or of several.

        Raises:
            DataError: The file has changed since it was opened.
        """
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        line = self.line_number(row)
        name = display_name(self.path)
        value = self.value(row)
        if not self._is_checked:
            _refuse_errors(Finding(name, line, *problem) for problem in row_problems(value))
        return parse_row(value, f"{name}:{line}")

    def _read(self, span: range) -> bytes:
        """The first line of a stretch of the file, without its end.

        Safe in threads and after a fork, as no position is shared.
        """
        if self._descriptor is None:
            self._descriptor = self._open_descriptor()
        if FileState.of(self._descriptor) != self._index.state:
            raise DataError(f"{display_name(self.path)} changed while it was in use", hint="start again")
        line = os.pread(self._descriptor, min(len(span), MAX_LINE_BYTES + 2), span.start)
        return line.partition(b"\n")[0].removesuffix(b"\r")

    def _open_descriptor(self) -> int:
        try:
            with open_data(self.path) as file:
                descriptor = os.dup(file.fileno())
        except LineError as error:
            raise DataError(f"{display_name(self.path)}: {error.message}", hint=error.hint) from error
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_descriptor": None}


def _unchecked_rows(path: Path, *, digest: Digest) -> Iterator[tuple[Row, list[Finding]]]:
    for row in read_rows(path, digest=digest):
        yield row, [row.problem] if row.problem else []


def _state_of(path: Path) -> FileState:
    """The state of a file that nobody has opened yet; what keeps it from being read is left for the reader to say."""
    try:
        return FileState.of(path)
    except OSError:
        return FileState(-1, -1)
