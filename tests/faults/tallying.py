"""The table of what was tried and what held."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HEADING = """\
# What held under faults

Made by `nox -s faults`: each trial is a real process, or a real request, that meets a real fault. What the figures ask
for stands in the tests of `tests/faults` and `tests/serve`. A row is replaced when its trials are run again.

| figure | what | tried | held | date | on |
|---|---|---|---|---|---|
"""


class Row(NamedTuple):
    """One line of the table."""

    figure: str
    what: str
    tried: str
    held: str
    date: str
    machine: str


@dataclass
class Tally:
    """Counts trials by figure, and which of them held."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def __call__(self, figure: str, what: str, problems: dict[str, list[str]]) -> None:
        """Note what came of some trials, and fail where one did not hold.

        Args:
            figure: Such as `R2`.
            what: In words.
            problems: By trial; an empty list where all was well.
        """
        failed = {trial: wrong for trial, wrong in problems.items() if wrong}
        counts = (str(len(problems)), str(len(problems) - len(failed)))
        self.rows[figure, what] = Row(figure, what, *counts, f"{datetime.now(UTC):%Y-%m-%d}", describe_machine())
        assert problems, f"{figure}: nothing was tried"
        assert not failed, "\n".join(f"{trial}: {'; '.join(wrong)}" for trial, wrong in failed.items())

    def count(self, figure: str, what: str, *, trials: int, held: bool) -> None:
        """Note a test that is, or holds, so many trials of a figure, beside those noted before."""
        known = self.rows.get((figure, what))
        tried = trials + (int(known.tried) if known else 0)
        num_held = trials * held + (int(known.held) if known else 0)
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        self.rows[figure, what] = Row(figure, what, str(tried), str(num_held), date, describe_machine())

    def write(self, path: Path) -> None:
        """Put the rows into the table at `path`, in the place of those of the same trials."""
        known = read_rows(path.read_text(encoding="utf-8")) if path.exists() else {}
        rows = sorted((known | self.rows).values())
        path.write_text(HEADING + "".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")


def read_rows(text: str) -> dict[tuple[str, str], Row]:
    """The rows of a table that `Tally.write` wrote."""
    lines = (line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| [A-Z]\d", line))
    return {(row.figure, row.what): row for row in (Row(*cells) for cells in lines)}


def describe_machine() -> str:
    """What a figure was measured on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"
