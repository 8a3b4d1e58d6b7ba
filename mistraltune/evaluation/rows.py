"""Views of a conversation file that hold nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from mistraltune.data.conversation import Conversation


class LazyRows(Sequence[Conversation]):
    """The first rows of a sequence, each passed through a function when it is asked for."""

    def __init__(
        self,
        rows: Sequence[Conversation],
        through: Callable[[Conversation], Conversation] | None = None,
        *,
        limit: int | None = None,
    ) -> None:
        self._rows = rows
        self._through = through
        self._length = len(rows) if limit is None else min(limit, len(rows))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | list[Conversation]:
        # A range knows Python's rules for negative indices and slices, and raises IndexError at the end.
        positions = range(self._length)[index]
        if isinstance(positions, range):
            return [self[position] for position in positions]
        row = self._rows[positions]
        return self._through(row) if self._through else row
