"""A file of rows without those that say again, or nearly, what an earlier row says."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mistraltune.data.answers import alike_answers
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.splitting import content_key, lines_of_part
from mistraltune.data.writing import write_files

_KEPT, _DROPPED = range(2)


class Duplicate(NamedTuple):
    """A row that is left out.

    Attributes:
        line: Its line in the source.
        duplicate_of: Line of the row that is kept for it.
        similarity: 1.0 where both say the same, letter case, width and white space aside; else that of their shingles.
    """

    line: int
    duplicate_of: int
    similarity: float


class AlikeRow(NamedTuple):
    """A row that stays though it is nearly equal to another one, since it answers differently.

    Attributes:
        line: Its line in the source.
        alike_to: Line of the earlier row, which stays too.
        similarity: That of their shingles.
    """

    line: int
    alike_to: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Deduplication:
    """What was left out of a file.

    Attributes:
        file: The file without duplicates.
        num_rows: Rows of the source.
        num_exact: Rows left out that say the same as a kept one.
        num_near: Rows left out that say nearly the same as a kept one.
        duplicates: All of those, in the order of the source.
        other_answers: Rows that stay, nearly equal to another one but for their answers, in the order of the source.
        is_written: False where the file held the same rows already.
    """

    file: Path
    num_rows: int
    num_exact: int
    num_near: int
    duplicates: list[Duplicate]
    other_answers: list[AlikeRow]
    is_written: bool

    @property
    def num_kept(self) -> int:
        """Rows of the new file."""
        return self.num_rows - len(self.duplicates)


def dedupe_file(
    source: Path,
    target: Path,
    *,
    near: float | None = None,
    replace: bool = False,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> Deduplication:
    """Copy a JSON Lines file without its duplicates: of rows that are alike the first stays, byte for byte.

    Args:
        source: The file.
        target: The file to write.
        near: Least similarity of rows, and of their trained answers, that count as duplicates, see `near_duplicates`;
            None drops equal rows alone.
        replace: Whether a target that holds something else may be replaced.
        on_progress: Hears how many rows have been looked at for near-duplicates.

    Raises:
        ConfigError: No such source; or the target is the source, or holds something else.
        DataError: Rows are refused; every finding is named.
    """
    rows = ConversationFile.open(source)
    kept_for = equal_rows(rows)
    similarity = dict.fromkeys(kept_for, 1.0)
    alike: dict[int, tuple[int, float]] = {}
    if near is not None:
        alike = add_near_rows(rows, near, kept_for, similarity, on_progress=on_progress)
    parts = bytearray(len(rows))
    for row in kept_for:
        parts[row] = _DROPPED
    written = write_files(
        {target: partial(lines_of_part, source, bytes(parts), _KEPT)}, sources=[source], replace=replace
    )
    duplicates = [
        Duplicate(rows.line_number(row), rows.line_number(kept_for[row]), similarity[row]) for row in sorted(kept_for)
    ]
    num_near = sum(duplicate.similarity < 1 for duplicate in duplicates)
    other_answers = [
        AlikeRow(rows.line_number(row), rows.line_number(earlier), value) for row, (earlier, value) in alike.items()
    ]
    num_exact = len(duplicates) - num_near
    return Deduplication(target, len(rows), num_exact, num_near, duplicates, other_answers, bool(written))


def equal_rows(rows: ConversationFile) -> dict[int, int]:
    """Each row that says the same as an earlier one, with the first that does. Memory holds 8 bytes a row."""
    import numpy as np

    keys = np.frombuffer(array("Q", map(content_key, rows)), dtype=np.uint64)
    _, firsts, groups = np.unique(keys, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(firsts[groups] != np.arange(len(keys)))
    return dict(zip(repeats.tolist(), firsts[groups[repeats]].tolist(), strict=True))


def add_near_rows(
    rows: ConversationFile,
    threshold: float,
    kept_for: dict[int, int],
    similarity: dict[int, float],
    *,
    on_progress: Callable[[int], None],
) -> dict[int, tuple[int, float]]:
    """Add rows that are nearly equal to an earlier row that stays, their trained answers too.

    What is nearly equal only to a row that goes stays: otherwise rows would go that are like none that is left.

    Returns:
        Rows that stay for their answers alone, each with the earlier row that it is most like, and how much.

    Args:
        rows: The file.
        threshold: Least similarity.
        kept_for: Each row that goes, with the row that stays for it; gets more of them.
        similarity: How alike the two are; gets more of them.
        on_progress: Hears how many rows have been looked at.
    """
    from mistraltune.data.near_duplicates import near_pairs

    repeats = dict(kept_for)
    have_alike_answers = alike_answers(rows, threshold)
    others: dict[int, tuple[int, float]] = {}
    for row, earlier, alike in near_pairs(rows, threshold, on_progress=on_progress):
        if row in kept_for or earlier in kept_for:  # pairs come in the order of the rows: what goes before is settled
            continue
        if not have_alike_answers(row, earlier):
            others.setdefault(row, (earlier, alike))
            continue
        kept_for[row] = earlier
        similarity[row] = alike
    for row, first in repeats.items():  # the row that it repeats may have gone since
        if first in kept_for:
            kept_for[row] = kept_for[first]
            similarity[row] = similarity[first]
    return {row: found for row, found in others.items() if row not in kept_for}
