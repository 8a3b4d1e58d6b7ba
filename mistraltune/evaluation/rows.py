"""Views of a conversation file that hold nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mistraltune.data.conversation import Conversation
from mistraltune.data.row_view import RowView


class LazyRows(RowView):
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

    def at(self, position: int) -> Conversation:
        """The row at `position`, passed through the function."""
        row = self._rows[position]
        return self._through(row) if self._through else row
