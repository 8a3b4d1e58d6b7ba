"""Rows that are made when they are asked for, and never held."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

from mistraltune.data.conversation import Conversation


class RowView(Sequence[Conversation]):
    """A sequence that knows how long it is and how to make the row at a place; indices and slices follow from that."""

    @abstractmethod
    def at(self, position: int) -> Conversation:
        """The row at `position`, from 0 to below the length."""

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | list[Conversation]:
        """The row at an index, or those of a slice; negative ones count from the end."""
        # A range knows Python's rules for negative indices and slices, and raises IndexError at the end.
        positions = range(len(self))[index]
        if isinstance(positions, range):
            return [self.at(position) for position in positions]
        return self.at(positions)
