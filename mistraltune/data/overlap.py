"""Rows that two sets share, word for word or nearly: what was trained on says nothing when it is asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import counted
from mistraltune.data.row_view import RowView
from mistraltune.data.splitting import content_key

NEAR = 0.9
"""Similarity from which a held-out row counts as nearly one of the training rows."""
NUM_ROWS_NAMED = 5
MAX_ROWS_LISTED = 100


@dataclass(frozen=True, slots=True)
class SharedRow:
    """A held-out row that stands in the training data too.

    Attributes:
        row: Its place among the held-out rows, from 0.
        source: Its `file:line`.
        same_as: `file:line` of the training row that is most like it.
        similarity: 1.0 where both say the same, letter case, width and white space aside; else that of their shingles.
    """

    row: int
    source: str
    same_as: str
    similarity: float


@dataclass(frozen=True, slots=True)
class SharedRows:
    """What held-out rows share with the training data.

    Attributes:
        exact: Rows that say the same as a training row.
        near: Other rows that say nearly the same, from `NEAR` on.
    """

    exact: tuple[SharedRow, ...] = ()
    near: tuple[SharedRow, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any such row."""
        return bool(self.exact or self.near)

    def counts(self) -> dict[str, int]:
        """How many there are, for JSON."""
        return {"num_exact": len(self.exact), "num_near": len(self.near)}

    def as_dict(self) -> dict[str, Any]:
        """The counts and the first hundred rows of each kind, for JSON."""
        rows = [asdict(shared) for shared in (*self.exact[:MAX_ROWS_LISTED], *self.near[:MAX_ROWS_LISTED])]
        return {**self.counts(), "rows": rows}

    def describe(self, noun: str, where: str) -> str:
        """`2 validation rows are in WHERE too: FILE:LINE, ...; 1 is nearly in it: ...`."""
        parts = []
        if self.exact:
            verb = "is" if len(self.exact) == 1 else "are"
            parts.append(f"{counted(len(self.exact), f'{noun} row')} {verb} in {where} too: {named(self.exact)}")
        if self.near:
            verb = "is" if len(self.near) == 1 else "are"
            subject = f"{len(self.near):,} more" if self.exact else counted(len(self.near), f"{noun} row")
            parts.append(f"{subject} {verb} nearly in {where}: {named(self.near)}")
        return "; ".join(parts)


def named(rows: Sequence[SharedRow]) -> str:
    """The first of the rows, each with the training row that it is like."""
    shown = [
        row.source if row.similarity == 1 else f"{row.source} (like {row.same_as}, {row.similarity:.2f})"
        for row in rows[:NUM_ROWS_NAMED]
    ]
    more = f" and {len(rows) - NUM_ROWS_NAMED:,} more" if len(rows) > NUM_ROWS_NAMED else ""
    return f"{', '.join(shown)}{more}"


def find_overlap(
    train: Sequence[Conversation],
    held_out: Sequence[Conversation],
    *,
    near: float | None = NEAR,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> SharedRows:
    """The held-out rows that stand in the training data too.

    Args:
        train: The training rows; read twice.
        held_out: The others.
        near: Least similarity of rows that nearly say the same, see `near_duplicates`; None looks for equal rows alone.
        on_progress: Hears how many rows of both have been looked at for near-duplicates.
    """
    exact = tuple(_equal_rows(train, held_out))
    if near is None or not len(train) or not len(held_out):
        return SharedRows(exact)
    from mistraltune.data.near_duplicates import near_pairs

    known = {shared.row for shared in exact}
    both = _Both(train, held_out)
    nearest: dict[int, SharedRow] = {}
    for pair in near_pairs(both, near, num_first=len(train), on_progress=on_progress):
        row = pair.row - len(train)
        if row not in known and row not in nearest:  # the most alike comes first
            nearest[row] = SharedRow(row, held_out[row].source, train[pair.earlier].source, pair.similarity)
    return SharedRows(exact, tuple(nearest.values()))


def _equal_rows(train: Sequence[Conversation], held_out: Sequence[Conversation]) -> list[SharedRow]:
    """The held-out rows that say the same as a training row; memory holds a number for each held-out row."""
    keys = [content_key(conversation) for conversation in held_out]
    wanted = set(keys)
    places: dict[int, str] = {}
    for conversation in train:
        key = content_key(conversation)
        if key in wanted:
            places.setdefault(key, conversation.source)
    return [SharedRow(row, held_out[row].source, places[key], 1.0) for row, key in enumerate(keys) if key in places]


class _Both(RowView):
    """Two sets of rows as one; holds nothing of them."""

    def __init__(self, first: Sequence[Conversation], second: Sequence[Conversation]) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def at(self, position: int) -> Conversation:
        num_first = len(self._first)
        return self._first[position] if position < num_first else self._second[position - num_first]
