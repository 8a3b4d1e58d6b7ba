"""The rows of a data set that a model can train on, as a sequence that is never held."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice

from mistraltune.data.conversation import Conversation
from mistraltune.data.measuring import Rules, TokenStatistics, measure
from mistraltune.data.reopening import Render, Reopening
from mistraltune.data.row_view import RowView
from mistraltune.data.truncating import without_oldest_turns


class Fitted(RowView):
    """The rows of a data set that are left, truncated where they must be; read anew each time, never held.

    Args:
        conversations: All rows, usually a lazy file.
        measured: What `measure` found of them.
    """

    def __init__(self, conversations: Sequence[Conversation], measured: TokenStatistics) -> None:
        self.conversations = conversations
        self.measured = measured

    def __len__(self) -> int:
        return self.measured.num_kept

    def at(self, position: int) -> Conversation:
        """The row that is left at `position`, truncated where it must be."""
        row = position if self.measured.kept is None else self.measured.kept[position]
        return self._fit(row, self.conversations[row])

    def __iter__(self) -> Iterator[Conversation]:
        kept = iter(range(self.measured.num_rows) if self.measured.kept is None else self.measured.kept)
        wanted = next(kept, None)
        for row, conversation in enumerate(self.conversations):
            if row == wanted:
                yield self._fit(row, conversation)
                wanted = next(kept, None)

    def longest_batch(self, num_rows: int) -> list[tuple[int, int]]:
        """The batch of so many rows that has the most tokens: index and tokens of each row, the longest first.

        Beyond the first 64 rows, these are repeated.
        """
        kept = self.measured.kept
        longest = [
            (row if kept is None else bisect_left(kept, row), tokens) for tokens, row in self.measured.longest_rows
        ]
        return list(islice(cycle(longest), min(num_rows, len(self))))

    def statistics(self) -> dict[str, int]:
        """Rows, sequences and tokens, JSON-like."""
        return self.measured.figures()

    def _fit(self, row: int, conversation: Conversation) -> Conversation:
        truncated = self.measured.truncated
        place = bisect_left(truncated, row)
        if place == len(truncated) or truncated[place] != row:
            return conversation
        return without_oldest_turns(conversation, self.measured.turns_cut[place])


def fit(
    conversations: Sequence[Conversation],
    render: Render,
    *,
    rules: Rules,
    reopening: Reopening | None = None,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> Fitted:
    """The conversations that can be trained on, as a lazy sequence; arguments and errors as of `measure`."""
    return Fitted(
        conversations, measure(conversations, render, rules=rules, reopening=reopening, on_progress=on_progress)
    )
