"""A row as the set of its shingles, pairs of neighbouring words, and how much two rows have in common."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mistraltune.data.conversation import Conversation, Message

Shingles: TypeAlias = NDArray[np.uint64]
"""Hashes of the pairs of words of a row, ascending, none twice."""

SAMPLE = 1_000
"""Rows that are looked at to find what many rows have in common."""
COMMON_SHARE = 0.1
FEW_ROWS = 10

# Scripts that put no space between words: there, a character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio; a hash times this, plus another, tells a pair of hashes from its mirror image."""


def shingles_of(conversation: Conversation, *, common: Shingles | None = None) -> Shingles:
    """The shingles of a row: who speaks and the first word, the first word and the second, and so on.

    Case, width, punctuation and spacing do not count; the order of the words does.

    Args:
        conversation: The row.
        common: Shingles that say nothing, as `common_shingles` finds them; a row that has no others keeps them.
    """
    parts = [_pairs(message) for message in conversation.messages]
    found: Shingles = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.uint64)
    if common is None or not len(common):
        return found
    telling: Shingles = found[~np.isin(found, common, assume_unique=True)]
    return telling if len(telling) else found


def common_shingles(conversations: Sequence[Conversation], *, num_rows: int) -> Shingles:
    """The shingles of more than a tenth of the rows, and of more than ten: shared instructions, usual answers.

    If they counted, all rows of one task would be alike. Seen in some thousand rows, evenly spread over the first
    `num_rows`.
    """
    step = max(1, num_rows // SAMPLE)
    sample = [shingles_of(conversations[row]) for row in range(0, num_rows, step)]
    if not sample:
        return np.empty(0, dtype=np.uint64)
    shingles, counts = np.unique(np.concatenate(sample), return_counts=True)
    common: Shingles = shingles[counts > max(FEW_ROWS, COMMON_SHARE * len(sample))]
    return common


def jaccard(first: Shingles, second: Shingles) -> float:
    """Shingles of both over shingles of either, 0.0 to 1.0; 1.0 where neither has any (Jaccard 1912)."""
    if not len(first) and not len(second):
        return 1.0
    num_shared = len(np.intersect1d(first, second, assume_unique=True))
    return num_shared / (len(first) + len(second) - num_shared)


def _pairs(message: Message) -> Shingles:
    """The shingles of a message, in their order."""
    words = [zlib.crc32(word.encode()) for word in _words(message)]
    hashes = np.array([zlib.crc32(message.role.encode()), *words], dtype=np.uint64)
    pairs: Shingles = hashes[:-1] * MIX + hashes[1:]
    return pairs


def _words(message: Message) -> Iterator[str]:
    texts = (message.content, *(text for call in message.tool_calls for text in (call.name, call.arguments)))
    for text in texts:
        yield from _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
