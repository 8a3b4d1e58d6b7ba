"""Files of conversations that stay on disk: a row is read and parsed when it is asked for."""

from __future__ import annotations

import hashlib
import os
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mistraltune.data.checking import RowFormat, parse_row, row_format, row_problems
from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Finding, Findings, refuse_errors
from mistraltune.data.lines import MAX_LINE_BYTES, Digest, FileState, display_name, open_data
from mistraltune.data.reading import Row, checked_rows, parse_line, read_rows
from mistraltune.data.row_view import RowView
from mistraltune.data.strict_json import LineError, decode
from mistraltune.errors import DataError


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


class ConversationFile(RowView):
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

    def at(self, position: int) -> Conversation:
        """The conversation of row `position`, counted from 0.

        Raises:
            DataError: The file has changed since it was opened, or was not checked and the row is refused.
        """
        line = self.line_number(position)
        name = display_name(self.path)
        value = self.value(position)
        if not self._is_checked:
            refuse_errors(Finding(name, line, *problem) for problem in row_problems(value))
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
