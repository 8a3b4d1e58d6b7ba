"""What a data set is like before anything is trained on it: rows, lengths in tokens, duplicates, steps."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mistraltune.data.checking import RowFormat
from mistraltune.data.conversation import Conversation
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.findings import Finding, Findings
from mistraltune.data.lines import display_name
from mistraltune.data.overlap import find_overlap
from mistraltune.data.rendered import RowError, as_finding
from mistraltune.data.reopening import Render, Reopening
from mistraltune.data.splitting import content_key
from mistraltune.data.spreading import Work, spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BINS = 16
NEAR_ROWS = 20_000
"""Rows of two files up to which they are compared nearly too: some seconds."""
MAX_ROWS_NAMED = 100
PERCENTILES = (5, 25, 50, 75, 95, 99)
_ROUND = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram.

    Attributes:
        low: Shortest length in it.
        high: Longest length in it; that of a last bin of few very long sequences is the longest of all.
        count: Sequences of such a length.
    """

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the sequences of a file are, in tokens.

    Attributes:
        shortest: Tokens of the shortest; 0 where there are none, as everything here.
        longest: Tokens of the longest.
        mean: Tokens of a sequence on average.
        percentiles: `p5`, `p25`, `p50`, `p75`, `p95` and `p99`: so many percent are at most so long (nearest rank).
        bins: Histogram, ascending and without a gap.
    """

    shortest: int
    longest: int
    mean: float
    percentiles: dict[str, int]
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class DataStatistics:
    """What one file is like.

    Attributes:
        file: Its name as messages show it.
        sha256: Of its bytes.
        format: Format of its rows.
        num_rows: Rows.
        num_duplicates: Rows that repeat an earlier one, letter case, width and white space aside.
        num_refused: Rows that the tokenizer cannot hold; they are left out of everything below.
        num_sequences: Sequences that the other rows render to: one a row, or one a user turn where there are tools.
        num_tokens: Tokens of those.
        num_trained_tokens: Tokens of those that carry loss.
        lengths: Tokens a sequence.
        max_length: What a sequence is allowed; None where nothing was said.
        num_too_long: Rows with a longer sequence.
        too_long: The first of those, each with its line and its tokens.
        refused: The first refused rows, and why.
        rows_per_step: Rows of an optimizer step.
        steps_per_epoch: Optimizer steps of one pass over all rows.
        keys: What each row says, in 64 bits, for `overlaps`.
    """

    file: str
    sha256: str
    format: RowFormat | None
    num_rows: int
    num_duplicates: int
    num_refused: int
    num_sequences: int
    num_tokens: int
    num_trained_tokens: int
    lengths: Lengths
    max_length: int | None
    num_too_long: int
    too_long: tuple[dict[str, Any], ...]
    refused: tuple[Finding, ...]
    rows_per_step: int
    steps_per_epoch: int
    keys: array[int] = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The statistics for JSON, without `keys`."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "keys"}
        return values | {"lengths": asdict(self.lengths), "refused": [asdict(finding) for finding in self.refused]}


@dataclass(frozen=True, slots=True)
class Overlap:
    """Rows that two files share.

    Attributes:
        first: Name of one file.
        second: Name of the other.
        num_rows: Rows of `second` that stand in `first` too, letter case, width and white space aside.
        num_near: Other rows of `second` that are nearly one of `first`, see `find_overlap`; None where there were too
            many rows to compare nearly.
    """

    first: str
    second: str
    num_rows: int
    num_near: int | None


def describe(  # noqa: PLR0913 - options by name
    conversations: ConversationFile,
    render: Render,
    *,
    reopening: Reopening | None = None,
    max_length: int | None = None,
    rows_per_step: int = 16,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> DataStatistics:
    """The statistics of a file; every row is rendered once and none is held.

    Memory holds 12 bytes a row.

    Args:
        conversations: The open file.
        render: A renderer's `render`.
        reopening: Lets other processes render a share of many rows.
        max_length: Longest sequence that is wanted, in tokens: longer rows are counted and named.
        rows_per_step: Rows of an optimizer step: batch size times accumulation steps times devices.
        on_progress: Hears, every few hundred rows, how many are done.
    """
    work = partial(_describe_rows, conversations, render, max_length)
    open_work = partial(_open_work, reopening, conversations, max_length) if reopening else None
    total = _Tally()
    with closing(spread(work, len(conversations), open_work=open_work)) as parts:
        for part in parts:
            total.add(part)
            on_progress(len(total.keys))
    return DataStatistics(
        file=display_name(conversations.path),
        sha256=conversations.sha256,
        format=conversations.format,
        num_rows=len(total.keys),
        num_duplicates=len(total.keys) - len(set(total.keys)),
        num_refused=total.refused.num_errors,
        num_sequences=len(total.lengths),
        num_tokens=sum(total.lengths),
        num_trained_tokens=total.num_trained_tokens,
        lengths=summarise_lengths(total.lengths),
        max_length=max_length,
        num_too_long=total.num_too_long,
        too_long=tuple(total.too_long),
        refused=tuple(total.refused.errors),
        rows_per_step=rows_per_step,
        steps_per_epoch=math.ceil(len(total.keys) / rows_per_step),
        keys=total.keys,
    )


def overlaps(files: Sequence[DataStatistics], rows: Sequence[ConversationFile]) -> list[Overlap]:
    """What each two files share, in the order of the files.

    Args:
        files: Their statistics.
        rows: The open files, in the same order.
    """
    both = zip(files, rows, [set(file.keys) for file in files], strict=True)
    found = []
    for (first, first_rows, keys), (second, second_rows, _) in combinations(both, 2):
        num_near = None
        if len(first_rows) + len(second_rows) <= NEAR_ROWS:
            num_near = len(find_overlap(first_rows, second_rows).near)
        found.append(Overlap(first.file, second.file, sum(key in keys for key in second.keys), num_near))
    return found


def summarise_lengths(lengths: Sequence[int]) -> Lengths:
    """Mean, percentiles and histogram of lengths in tokens."""
    import numpy as np

    if not len(lengths):
        return Lengths(0, 0, 0.0, {f"p{percent}": 0 for percent in PERCENTILES}, ())
    values = np.sort(np.asarray(lengths, dtype=np.int64))
    ranks = [math.ceil(percent / 100 * len(values)) - 1 for percent in PERCENTILES]
    percentiles = {f"p{percent}": int(values[rank]) for percent, rank in zip(PERCENTILES, ranks, strict=True)}
    return Lengths(
        shortest=int(values[0]),
        longest=int(values[-1]),
        mean=float(values.mean()),
        percentiles=percentiles,
        bins=histogram(values, until=percentiles["p99"]),
    )


def histogram(values: NDArray[np.int64], *, until: int) -> tuple[Bin, ...]:
    """At most `MAX_BINS` bins: of one round width from the shortest to `until`, then one of all that is longer.

    Few very long rows would otherwise press all others into the first bin.

    Args:
        values: Lengths, ascending.
        until: What the last bin of that width holds.
    """
    import numpy as np

    num_bins = MAX_BINS - int(values[-1] > until)
    width = round_width(int(values[0]), until, num_bins=num_bins)
    first, last = int(values[0]) // width, until // width
    found = np.bincount(np.minimum(values // width, last + 1) - first, minlength=last - first + 2)
    *counts, num_longer = found.tolist()
    lows = range(first * width, (last + 1) * width, width)
    bins = tuple(Bin(low, low + width - 1, count) for low, count in zip(lows, counts, strict=True))
    return (*bins, Bin(lows.stop, int(values[-1]), num_longer)) if num_longer else bins


def round_width(low: int, high: int, *, num_bins: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 ... of which `num_bins` bins hold all numbers from `low` to `high`."""
    scale = 1
    while True:
        for step in _ROUND:
            width = scale * step
            if high // width - low // width < num_bins:
                return width
        scale *= 10


@dataclass(slots=True)
class _Tally:
    """Counts while rows go by."""

    keys: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    num_trained_tokens: int = 0
    num_too_long: int = 0
    too_long: list[dict[str, Any]] = field(default_factory=list)
    refused: Findings = field(default_factory=lambda: Findings(max_kept=MAX_ROWS_NAMED))

    def add(self, following: _Tally) -> None:
        """Count the rows that come after these."""
        self.keys += following.keys
        self.lengths += following.lengths
        self.num_trained_tokens += following.num_trained_tokens
        self.num_too_long += following.num_too_long
        self.too_long += following.too_long[: MAX_ROWS_NAMED - len(self.too_long)]
        self.refused.add(following.refused.errors)


def _describe_rows(
    conversations: Sequence[Conversation], render: Render, max_length: int | None, rows: range
) -> _Tally:
    """The counts of some of the rows."""
    tally = _Tally(refused=Findings(max_kept=len(rows)))
    for row in rows:
        conversation = conversations[row]
        tally.keys.append(content_key(conversation))
        try:
            sequences = render(conversation)
        except RowError as error:
            tally.refused.add([as_finding(error, conversation, row=row)])
            continue
        lengths = [len(sequence.token_ids) for sequence in sequences]
        tally.lengths.extend(lengths)
        tally.num_trained_tokens += sum(sequence.num_trained_tokens for sequence in sequences)
        if max_length is not None and max(lengths) > max_length:
            tally.num_too_long += 1
            tally.too_long.append({"row": conversation.source, "num_tokens": max(lengths)})
    return tally


def _open_work(reopening: Reopening, conversations: Sequence[Conversation], max_length: int | None) -> Work[_Tally]:
    """What describes rows in another process."""
    return partial(_describe_rows, conversations, reopening.render(), max_length)
