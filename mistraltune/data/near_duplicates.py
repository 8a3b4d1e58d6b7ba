"""Rows that say nearly the same, found without comparing every row with every other.

MinHash signatures (Broder 1997) by rensa, banded (LSH: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4).
Rows whose signatures agree in a whole band are candidates, and a candidate counts only if the shingles themselves,
compared one by one, are alike enough. So no pair is claimed that is none, while a few may be missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mistraltune.data.conversation import Conversation
from mistraltune.data.shingles import MIX, Shingles, common_shingles, jaccard, shingles_of
from mistraltune.data.spreading import Work, spread

NUM_PERMUTATIONS = 128
SEED = 42
RECALL = 0.99
"""Probability that two rows which are just alike enough share a band."""
MAX_CANDIDATES = 8
"""Rows that a row is compared with: so many that share the most bands. Keeps the work linear in the rows."""
ROWS_KEPT = 4_096
"""Sets of shingles that stay in memory while candidates are compared."""

BandKeys = NDArray[np.uint64]
"""A row of 64-bit keys for each row of data, one key a band; equal keys mean that the band agrees."""


class NearPair(NamedTuple):
    """Two rows that are alike.

    Attributes:
        row: The later one, counted from 0.
        earlier: The earlier one.
        similarity: Jaccard similarity of their shingles, 0 to 1.
    """

    row: int
    earlier: int
    similarity: float


def near_pairs(
    conversations: Sequence[Conversation],
    threshold: float,
    *,
    num_first: int = 0,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> Iterator[NearPair]:
    """Each row with earlier rows that it is nearly equal to, in the order of the rows, the most alike first.

    Not every such pair comes: of many rows that are all alike, each comes with a few of the others. What comes is the
    same every time. Memory holds 8 bytes a row and band, of which there are 16 at a threshold of 0.9.

    Args:
        conversations: The rows; other processes read a share of many.
        threshold: Least similarity, above 0 and at most 1.
        num_first: So many rows are the first of two sets, and only pairs across both sets are wanted; 0 means one set.
        on_progress: Hears how many rows have been read.
    """
    num_bands = bands(threshold)
    common = common_shingles(conversations, num_rows=num_first or len(conversations))
    keys = band_keys(conversations, common, num_bands, on_progress=on_progress)

    @lru_cache(maxsize=ROWS_KEPT)
    def shingles(row: int) -> Shingles:
        return shingles_of(conversations[row], common=common)

    for row, earlier_rows in candidates(keys, num_first=num_first):
        pairs = (NearPair(row, earlier, jaccard(shingles(row), shingles(earlier))) for earlier in earlier_rows)
        yield from sorted((pair for pair in pairs if pair.similarity >= threshold), key=lambda pair: -pair.similarity)


def bands(threshold: float) -> int:
    """The fewest bands, of a number that divides `NUM_PERMUTATIONS`, that find a pair of this similarity.

    Fewer and wider bands give fewer candidates. Two rows of similarity s share one of b bands of r hashes with
    probability 1 - (1 - s^r)^b.

    Raises:
        ValueError: The threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a similarity lies above 0 and is at most 1, and {threshold} does not")
    for num_bands in (4, 8, 16, 32, 64):
        if 1 - (1 - threshold ** (NUM_PERMUTATIONS / num_bands)) ** num_bands >= RECALL:
            return num_bands
    return NUM_PERMUTATIONS


def band_keys(
    conversations: Sequence[Conversation],
    common: Shingles,
    num_bands: int,
    *,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> BandKeys:
    """The keys of every row, computed by several processes where there are many."""
    work = partial(_keys_of_rows, conversations, common, num_bands)
    open_work: Callable[[], Work[BandKeys]] = partial(partial, _keys_of_rows, conversations, common, num_bands)
    keys = np.empty((len(conversations), num_bands), dtype=np.uint64)
    num_done = 0
    with closing(spread(work, len(conversations), open_work=open_work)) as parts:
        for part in parts:
            keys[num_done : num_done + len(part)] = part
            num_done += len(part)
            on_progress(num_done)
    return keys


def _keys_of_rows(conversations: Sequence[Conversation], common: Shingles, num_bands: int, rows: range) -> BandKeys:
    """The keys of some of the rows."""
    from rensa import RMinHash

    sets = [shingles_of(conversations[row], common=common) for row in rows]
    offsets = np.cumsum([0, *map(len, sets)], dtype=np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(sets), offsets, num_perm=NUM_PERMUTATIONS, seed=SEED
    )
    signatures = np.array(matrix.to_rows(), dtype=np.uint64).reshape(len(sets), num_bands, -1)
    keys = np.zeros(signatures.shape[:2], dtype=np.uint64)
    for column in range(signatures.shape[2]):
        keys = keys * MIX + signatures[:, :, column] + np.uint64(1)
    return keys


def candidates(keys: BandKeys, *, num_first: int = 0) -> Iterator[tuple[int, list[int]]]:
    """Each row that has any, ascending, with up to `MAX_CANDIDATES` earlier rows that it shares the most bands with.

    Of all rows that share a band with it, only the first and the one right before it are looked at, so that a band
    which a thousand rows share gives two thousand pairs and not half a million.

    Args:
        keys: Of all rows.
        num_first: So many rows are the first of two sets, and only pairs across both are wanted; 0 means one set.
    """
    if not len(keys):
        return
    pairs = np.concatenate([pair for band in keys.T for pair in _pairs_in_band(band, num_first)])
    codes, counts = np.unique(pairs, return_counts=True)
    rows, earlier = np.divmod(codes, np.uint64(len(keys)))
    order = np.lexsort((earlier, -counts, rows))
    starts = [0, *(np.flatnonzero(rows[1:] != rows[:-1]) + 1).tolist(), len(rows)]
    for start, end in pairwise(starts):
        if end > start:
            yield int(rows[start]), earlier[order[start:end][:MAX_CANDIDATES]].astype(int).tolist()


def _pairs_in_band(band: NDArray[np.uint64], num_first: int) -> Iterator[NDArray[np.uint64]]:
    """Pairs of rows that agree in a band, each as one number: row times the number of rows, plus the earlier row."""
    num_rows = np.uint64(len(band))
    order = np.argsort(band, kind="stable")  # rows that agree stand beside each other, ascending
    ordered = band[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]]
    firsts = order[np.maximum.accumulate(np.where(begins, np.arange(len(band)), 0))]
    if num_first:
        # The row of the first set that stands last in front of each place, if it agrees.
        places = np.maximum.accumulate(np.where(order < num_first, np.arange(len(band)), -1))
        others = (firsts, order[places])
        wanted = [(order >= num_first) & (earlier < num_first) & (places >= 0) for earlier in others]
        wanted[1] &= ordered[places] == ordered
    else:
        others = (firsts, np.r_[order[:1], order[:-1]])
        wanted = [~begins, ~begins]
    for earlier, is_wanted in zip(others, wanted, strict=True):
        yield order[is_wanted].astype(np.uint64) * num_rows + earlier[is_wanted].astype(np.uint64)
