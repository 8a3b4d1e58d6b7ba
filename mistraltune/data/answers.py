"""What a row trains: rows that ask nearly the same are duplicates only where they answer nearly the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from mistraltune.data.conversation import Conversation
from mistraltune.data.shingles import Shingles, common_shingles, jaccard, shingles_of
from mistraltune.data.splitting import content_key

SHORT = 10
"""Pairs of words below which answers must be the same: there, a sign or a word is much of what is said."""
ROWS_KEPT = 4_096


class Answers(NamedTuple):
    """The trained answers of a row.

    Attributes:
        key: Of what they say, see `content_key`.
        shingles: All their shingles.
        telling: Those that few rows have: a usual frame around two labels does not make them one.
    """

    key: int
    shingles: Shingles
    telling: Shingles


def trained_answers(conversation: Conversation) -> Conversation:
    """The assistant messages that carry loss, with their tool calls."""
    trained = (message for message in conversation.messages if message.role == "assistant" and message.weight)
    return Conversation(tuple(trained))


def alike_answers(rows: Sequence[Conversation], threshold: float) -> Callable[[int, int], bool]:
    """What tells of two rows, by their numbers, whether their trained answers are nearly equal.

    They are where they say the same, letter case, width and white space aside, or where they are not short and their
    shingles are alike, all of them and the telling ones.

    Args:
        rows: All rows.
        threshold: Least similarity.
    """
    common = common_shingles(rows, num_rows=len(rows))

    @lru_cache(maxsize=ROWS_KEPT)
    def answers_of(row: int) -> Answers:
        answers = trained_answers(rows[row])
        return Answers(content_key(answers), shingles_of(answers), shingles_of(answers, common=common))

    def are_alike(row: int, other: int) -> bool:
        first, second = answers_of(row), answers_of(other)
        if first.key == second.key:
            return True
        if min(len(first.shingles), len(second.shingles)) < SHORT:
            return False
        similarity = min(jaccard(first.shingles, second.shingles), jaccard(first.telling, second.telling))
        return similarity >= threshold

    return are_alike
