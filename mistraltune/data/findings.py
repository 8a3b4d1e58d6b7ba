"""What a check found, and how it is worded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from mistraltune.data.strict_json import Json
from mistraltune.errors import DataError

MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        file: The file's name, quoted where it would not print.
        line: Counted from 1; 0 where the finding is about the file as a whole.
        rule: Short id, such as `duplicate-key`.
        message: What is wrong.
        hint: What to do about it; may be empty.
        is_error: False for a warning.
    """

    file: str
    line: int
    rule: str
    message: str
    hint: str = ""
    is_error: bool = True

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        level = "" if self.is_error else "warning: "
        return f"{place} {self.rule} {level}{self.message}" + (f"; {self.hint}" if self.hint else "")


class Problem(NamedTuple):
    """A finding that does not know its place yet."""

    rule: str
    message: str
    hint: str = ""
    is_error: bool = True


class Findings:
    """The findings of a pass over many rows: the first hundred errors and warnings are kept, all are counted.

    Attributes:
        errors: The first errors.
        warnings: The first warnings.
        num_errors: All errors.
        num_warnings: All warnings.
    """

    def __init__(self, *, max_kept: int = MAX_FINDINGS) -> None:
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []
        self.num_errors = 0
        self.num_warnings = 0
        self._max_kept = max_kept

    def add(self, found: Iterable[Finding]) -> None:
        """Count what was found and keep it while there is room."""
        for finding in found:
            kept = self.errors if finding.is_error else self.warnings
            self.num_errors += finding.is_error
            self.num_warnings += not finding.is_error
            if len(kept) < self._max_kept:
                kept.append(finding)

    @property
    def num_hidden(self) -> int:
        """Findings that were counted and not kept."""
        return self.num_errors + self.num_warnings - len(self.errors) - len(self.warnings)

    def refuse_errors(self, *, max_shown: int = 10, hint: str = "`mistraltune data validate` lists them") -> None:
        """Raise where there are errors.

        Args:
            max_shown: So many errors stand in the message.
            hint: What to do.

        Raises:
            DataError: The first errors as text, those that were kept in `details["findings"]`.
        """
        if not self.errors:
            return
        shown = self.errors[:max_shown]
        lines = [f"{counted(self.num_errors, 'error')} in the data", *map(str, shown)]
        if self.num_errors > len(shown):
            lines.append(f"... and {self.num_errors - len(shown)} more")
        raise DataError("\n".join(lines), hint=hint, details=self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The findings for JSON: `findings` (errors, then warnings), `num_errors`, `num_warnings`."""
        return {
            "num_errors": self.num_errors,
            "num_warnings": self.num_warnings,
            "findings": [asdict(finding) for finding in (*self.errors, *self.warnings)],
        }


def refuse_errors(found: Iterable[Finding]) -> None:
    """Raise where an error was found.

    Raises:
        DataError: As of `Findings.refuse_errors`.
    """
    findings = Findings()
    findings.add(found)
    findings.refuse_errors()


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`, `1,000 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def unknown_fields(value: dict[str, Any], known: set[str], where: str) -> list[Problem]:
    """Fields that no renderer would read; null ones are forgiven."""
    return [
        Problem("unknown-field", f"{where} has the field {excerpt(key)}, which would be ignored", "remove it")
        for key, content in value.items()
        if key not in known and content is not None
    ]


def type_name(value: Json) -> str:
    """What JSON calls a value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def excerpt(value: Json) -> str:
    """A value as a message shows it: short, and with what does not print escaped."""
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
