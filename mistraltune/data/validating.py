"""The check of whole files: every error and every warning in one pass."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.data.checking import RowFormat, row_format
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.findings import Finding, Findings
from mistraltune.data.lines import display_name
from mistraltune.data.reading import checked_rows
from mistraltune.errors import DataError

if TYPE_CHECKING:
    from mistraltune.data.reopening import RowRenderer

_FEW_ROWS = 50_000


@dataclass
class FileReport:
    """What was found in one file.

    Attributes:
        file: Its name as messages show it.
        format: `instruct`, `messages` or `prompt-completion`; None where no row could be read.
        num_rows: Lines that hold a row, readable or not.
        findings: Errors and warnings.
        tokens: Counts of tokens and sequences, where a tokenizer was asked.
    """

    file: str
    format: RowFormat | None = None
    num_rows: int = 0
    findings: Findings = field(default_factory=Findings)
    tokens: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON, without the findings themselves."""
        return {
            "file": self.file,
            "format": self.format,
            "num_rows": self.num_rows,
            "num_errors": self.findings.num_errors,
            "num_warnings": self.findings.num_warnings,
            **self.tokens,
        }


@dataclass(frozen=True)
class CheckReport:
    """What was found in several files, one report each, in the order given."""

    files: tuple[FileReport, ...]

    @property
    def num_errors(self) -> int:
        """Errors in all files."""
        return sum(report.findings.num_errors for report in self.files)

    @property
    def num_warnings(self) -> int:
        """Warnings in all files."""
        return sum(report.findings.num_warnings for report in self.files)

    @property
    def findings(self) -> list[Finding]:
        """The findings that were kept, file by file: errors, then warnings."""
        return [finding for report in self.files for finding in (*report.findings.errors, *report.findings.warnings)]

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "num_errors": self.num_errors,
            "num_warnings": self.num_warnings,
            "files": [report.as_dict() for report in self.files],
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_files(paths: Sequence[Path]) -> CheckReport:
    """Every error and warning in JSON Lines files, rows that stand in them twice included.

    Memory holds 8 bytes a row, and twice that while equal rows are looked for.

    Raises:
        ConfigError: One of the files does not exist.
    """
    fingerprints = RowFingerprints()
    reports = tuple(check_file(path, fingerprints) for path in paths)
    for index, finding in fingerprints.duplicates([report.file for report in reports]):
        reports[index].findings.add([finding])
    return CheckReport(reports)


def count_tokens(
    path: Path,
    report: FileReport,
    renderer: RowRenderer,
    *,
    open_renderer: Callable[[], RowRenderer],
    max_length: int | None = None,
) -> None:
    """Add to the report of a file without errors how many tokens it has, or which rows the tokenizer refuses.

    Args:
        path: The file.
        report: Its report.
        renderer: The model's.
        open_renderer: Opens the same in other processes, which render a share of many rows.
        max_length: Longest sequence in tokens; a longer row is an error.
    """
    from mistraltune.data.measuring import Rules, measure
    from mistraltune.data.reopening import Reopening

    try:
        conversations = ConversationFile.open(path, check=False)
        reopening = Reopening(open_renderer, renderer.fingerprint)
        measured = measure(conversations, renderer.render, rules=Rules(max_length), reopening=reopening)
        report.tokens = measured.figures()
    except DataError as error:
        report.findings.add(Finding(**fields) for fields in error.details.get("findings", ()))
        report.findings.num_errors = max(report.findings.num_errors, error.details.get("num_errors", 0))


def check_file(path: Path, fingerprints: RowFingerprints) -> FileReport:
    """Errors and warnings of one file; its rows are noted in `fingerprints`."""
    report = FileReport(display_name(path))
    fingerprints.begin_file()
    for row, found in checked_rows(path):
        report.findings.add(found)
        report.num_rows += row.is_row
        if row.problem:
            continue
        fingerprints.add(row.number, row.text)
        if report.format is None and isinstance(row.value, dict):
            report.format = row_format(row.value)
    return report


class RowFingerprints:
    """Remembers rows of several files by 64 bits each, to find those that are equal byte for byte.

    Lines follow from counting, but where lines without a row part the rows: there it is noted how far both are apart.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._file_starts: list[int] = []
        self._parted_at, self._apart = array("Q"), array("q")

    def begin_file(self) -> None:
        """What is added from here on belongs to the next file."""
        self._file_starts.append(len(self._hashes))

    def add(self, line: int, text: bytes) -> None:
        """Note one row of the current file."""
        apart = line - len(self._hashes)
        if not self._apart or self._apart[-1] != apart:
            self._parted_at.append(len(self._hashes))
            self._apart.append(apart)
        self._hashes.append(hash(text))

    def duplicates(self, names: Sequence[str]) -> Iterator[tuple[int, Finding]]:
        """A warning for each row that equals an earlier one, with the index of its file.

        Args:
            names: The files' names as messages show them.
        """
        for earlier, later in self._equal_pairs():
            file = self._file_of(later)
            place = f"{names[self._file_of(earlier)]}:{self._line_of(earlier)}"
            message = f"the same row as {place}"
            yield file, Finding(names[file], self._line_of(later), "duplicate", message, is_error=False)

    def _equal_pairs(self) -> Iterator[tuple[int, int]]:
        """Each row that equals an earlier one, after the last such row, in the order of the files."""
        if len(self._hashes) < _FEW_ROWS and len(set(self._hashes)) == len(self._hashes):
            return  # quicker than importing numpy
        import numpy as np

        hashes = np.frombuffer(self._hashes, dtype=np.int64)
        ascending = np.sort(hashes)
        repeated = np.unique(ascending[1:][ascending[1:] == ascending[:-1]])
        del ascending
        if not len(repeated):
            return
        last_rows = array("q", [-1]) * len(repeated)
        for start in range(0, len(hashes), _FEW_ROWS):
            block = hashes[start : start + _FEW_ROWS]
            places = np.searchsorted(repeated[:-1], block)
            is_repeated = repeated[places] == block
            rows = np.flatnonzero(is_repeated) + start
            for row, place in zip(rows.tolist(), places[is_repeated].tolist(), strict=True):
                if last_rows[place] >= 0:
                    yield last_rows[place], row
                last_rows[place] = row

    def _file_of(self, row: int) -> int:
        return bisect_right(self._file_starts, row) - 1

    def _line_of(self, row: int) -> int:
        return row + self._apart[bisect_right(self._parted_at, row) - 1]
