"""Rows that are longer than a model reads: refused, dropped, or cut to their most recent turns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mistraltune.data.conversation import Conversation
from mistraltune.data.rendered import Rendered, RowError, turn_starts
from mistraltune.data.reopening import Render

OnTooLong = Literal["error", "drop", "truncate"]

TOO_LONG = "too-long"
"""The rule that a refused row breaks."""


def without_oldest_turns(conversation: Conversation, num_turns: int) -> Conversation:
    """`conversation` without its first `num_turns` turns, answers and tool results included; system messages stay.

    Raises:
        ValueError: That would take the last turn.
    """
    starts = turn_starts(conversation.messages)
    if not 0 <= num_turns < len(starts):
        raise ValueError(f"cannot take {num_turns} of {len(starts)} turns")
    start = starts[num_turns]
    system = tuple(message for message in conversation.messages[:start] if message.role == "system")
    return replace(conversation, messages=system + conversation.messages[start:])


@dataclass(frozen=True, slots=True)
class Fit:
    """How a row was made to fit: its sequences, None where the row is dropped, and how many turns that took."""

    sequences: list[Rendered] | None
    turns_cut: int = 0


def make_fit(
    conversation: Conversation,
    sequences: list[Rendered],
    render: Render,
    *,
    max_length: int | None,
    on_too_long: OnTooLong,
) -> Fit:
    """What becomes of a row whose longest sequence may have `max_length` tokens; None means any length will do.

    Args:
        conversation: The row.
        sequences: What it renders to.
        render: Renders it anew without some of its turns.
        max_length: Tokens of the longest sequence.
        on_too_long: What happens to a longer row.

    Raises:
        RowError: It is longer, and that is an error.
    """
    if max_length is None or longest_of(sequences) <= max_length:
        return Fit(sequences)
    match on_too_long:
        case "error":
            raise RowError(conversation, TOO_LONG, f"{longest_of(sequences):,} tokens, {max_length:,} are allowed")
        case "drop":
            return Fit(None)
        case "truncate":
            return _truncate(conversation, render, max_length)


def _truncate(conversation: Conversation, render: Render, max_length: int) -> Fit:
    """The most recent turns that fit and train something; dropped where the last turn alone does not."""
    num_turns = len(turn_starts(conversation.messages))

    def fits(num_cut: int) -> bool:
        return longest_of(render(without_oldest_turns(conversation, num_cut))) <= max_length

    turns_cut = bisect_left(range(num_turns), True, lo=1, key=fits)  # fewer turns are fewer tokens
    if turns_cut >= num_turns:
        return Fit(None)
    sequences = render(without_oldest_turns(conversation, turns_cut))
    is_trained = any(any(sequence.loss_mask) for sequence in sequences)
    return Fit(sequences, turns_cut) if is_trained and longest_of(sequences) <= max_length else Fit(None)


def longest_of(sequences: Sequence[Rendered]) -> int:
    """Tokens of the longest sequence."""
    return max(len(sequence.token_ids) for sequence in sequences)
