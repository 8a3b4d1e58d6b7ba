"""Which rows a model can train on: rendered once before the first step, counted, fitted, or refused by name."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from heapq import heappush, heapreplace
from itertools import cycle, islice
from typing import Literal, Protocol, overload

from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Finding, Findings, counted
from mistraltune.data.rendered import Rendered, RowError, turn_starts
from mistraltune.data.spreading import Work, spread
from mistraltune.errors import DataError

OnTooLong = Literal["error", "drop", "truncate"]
Render = Callable[[Conversation], list[Rendered]]

NUM_LONGEST = 64
"""Rows whose length is remembered, the longest ones."""

_TOO_LONG = "too-long"
_SPAN_END = re.compile(b"\1\0", re.DOTALL)  # in a loss mask as bytes


class RowRenderer(Protocol):
    """What of a Renderer is needed here."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the tokenizer or the template does."""
        ...

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss masks of a row."""
        ...


@dataclass(frozen=True, slots=True)
class Reopening:
    """How another process opens a renderer.

    Attributes:
        open: Opens it; can be pickled, or else there will be no other process.
        fingerprint: The renderer's, by which the other process knows that it has the same one.
    """

    open: Callable[[], RowRenderer | None]
    fingerprint: str

    def render(self) -> Render:
        """The `render` of a renderer that is opened here.

        Raises:
            ValueError: It is another one.
        """
        renderer = self.open()
        if renderer is None or renderer.fingerprint != self.fingerprint:
            raise ValueError("this is another renderer")
        return renderer.render


@dataclass(frozen=True, slots=True)
class Rules:
    """What a rendered row must keep.

    Attributes:
        max_length: Longest sequence in tokens; None means any length will do.
        on_too_long: What happens to a longer row.
        bos_id: The beginning-of-sequence token, which must not be doubled.
        end_ids: Tokens of which one must end every trained span; without any, spans are not looked at.
    """

    max_length: int | None
    on_too_long: OnTooLong = "error"
    bos_id: int | None = None
    end_ids: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """What a data set comes to in tokens, and which of its rows are left.

    Attributes:
        num_rows: Rows in the file.
        num_sequences: Sequences that the kept rows render to.
        num_tokens: Tokens of those sequences.
        num_trained_tokens: Tokens of those that carry loss.
        longest: Tokens of the longest of them.
        longest_rows: Of the rows with the most tokens in all of their sequences, tokens and index; the longest first.
        num_dropped: Rows left out, being too long.
        num_truncated: Rows that lost their oldest turns.
        kept: Indices of the kept rows, ascending; None where all are.
        truncated: Indices of the truncated rows, ascending.
        turns_cut: For each of those, how many turns it lost.
    """

    num_rows: int
    num_sequences: int
    num_tokens: int
    num_trained_tokens: int
    longest: int
    num_dropped: int
    num_truncated: int
    kept: array[int] | None = None
    truncated: array[int] = field(default_factory=lambda: array("Q"))
    turns_cut: array[int] = field(default_factory=lambda: array("Q"))
    longest_rows: tuple[tuple[int, int], ...] = ()

    @property
    def num_kept(self) -> int:
        """Rows that are left."""
        return self.num_rows - self.num_dropped

    def figures(self) -> dict[str, int]:
        """The counts, JSON-like."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}


class Fitted(Sequence[Conversation]):
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

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Conversation]: ...
    def __getitem__(self, index: int | slice) -> Conversation | list[Conversation]:
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        position = range(len(self))[index]
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


def fit(  # noqa: PLR0913
    conversations: Sequence[Conversation],
    render: Render,
    *,
    max_length: int | None,
    on_too_long: OnTooLong = "error",
    bos_id: int | None = None,
    end_ids: Collection[int] = (),
    reopening: Reopening | None = None,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> Fitted:
    """The conversations that can be trained on, as a lazy sequence; arguments and errors as of `measure`."""
    measured = measure(
        conversations,
        render,
        max_length=max_length,
        on_too_long=on_too_long,
        bos_id=bos_id,
        end_ids=end_ids,
        reopening=reopening,
        on_progress=on_progress,
    )
    return Fitted(conversations, measured)


def measure(  # noqa: PLR0913
    conversations: Sequence[Conversation],
    render: Render,
    *,
    max_length: int | None,
    on_too_long: OnTooLong = "error",
    bos_id: int | None = None,
    end_ids: Collection[int] = (),
    reopening: Reopening | None = None,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> TokenStatistics:
    """Token counts of all rows, each rendered once and none held.

    Args:
        conversations: The rows.
        render: A renderer's `render`.
        max_length: Longest sequence in tokens; None means any length will do.
        on_too_long: What happens to a longer row.
        bos_id: The beginning-of-sequence token, which must not be doubled.
        end_ids: Tokens of which one must end every trained span; without any, spans are not looked at.
        reopening: Lets other processes render a share of many rows; `conversations` are then pickled.
        on_progress: Hears every 250 rows, and at the end, how many are done.

    Raises:
        DataError: Rows are refused, or none is left. The message names the first hundred by file and line,
            `details["findings"]` holds those, `details["num_errors"]` counts all.
    """
    rules = Rules(max_length, on_too_long, bos_id, tuple(end_ids))
    work = partial(_measure_rows, conversations, render, rules)
    open_work = partial(_open_work, reopening, conversations, rules) if reopening else None
    total = _Tally(Findings())
    with closing(spread(work, len(conversations), open_work=open_work)) as parts:
        for part in parts:
            total.add_all(part)
            on_progress(total.num_rows)
    return total.statistics(max_length)


def _open_work(reopening: Reopening, conversations: Sequence[Conversation], rules: Rules) -> Work[_Tally]:
    """What measures rows in another process."""
    return partial(_measure_rows, conversations, reopening.render(), rules)


def _measure_rows(conversations: Sequence[Conversation], render: Render, rules: Rules, rows: range) -> _Tally:
    """The counts of some of the rows, and all that is wrong with them."""
    tally = _Tally(Findings(max_kept=len(rows)))
    for row in rows:
        conversation = conversations[row]
        try:
            sequences = render(conversation)
            check_rendered(sequences, conversation, bos_id=rules.bos_id, end_ids=rules.end_ids)
            tally.add(row, _fit_length(conversation, sequences, render, rules))
        except RowError as error:
            tally.refuse(as_finding(error, conversation, row=row))
    return tally


def check_rendered(
    sequences: Sequence[Rendered],
    conversation: Conversation,
    *,
    bos_id: int | None = None,
    end_ids: Collection[int] = (),
) -> None:
    """Refuse a rendered row that would train nothing, or something other than whole answers.

    Args:
        sequences: What the row was rendered to.
        conversation: The row, for its name.
        bos_id: The beginning-of-sequence token, if the tokenizer has one.
        end_ids: Tokens of which one must end every trained span; without any, spans are not looked at.

    Raises:
        RowError: No token is trained, a trained span has no trained end, or the beginning of sequence is doubled.
    """
    if not any(any(sequence.loss_mask) for sequence in sequences):
        hint = "give an assistant message weight 1, or leave the row out"
        raise RowError(conversation, "nothing-trained", "no token of this row is trained", hint=hint)
    for sequence in sequences:
        if bos_id is not None and sequence.token_ids[:2] == [bos_id] * 2:
            raise RowError(conversation, "doubled-bos", "the beginning-of-sequence token is doubled")
        if end_ids and not _ends_are_trained(sequence, end_ids):
            raise RowError(conversation, "untrained-end", "an answer is trained without the token that ends it")


def as_finding(error: RowError, conversation: Conversation, *, row: int) -> Finding:
    """The finding that `error` is, at the place that the conversation names, else at row `row`, counted from 0."""
    file, _, line = conversation.source.rpartition(":")
    if not line.isdecimal():
        file, line = conversation.source or "row", str(row + 1)
    return Finding(file=file, line=int(line), rule=error.rule, message=error.reason, hint=error.hint)


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
class _Fit:
    """How a row was made to fit: its sequences, None where the row is dropped, and how many turns that took."""

    sequences: list[Rendered] | None
    turns_cut: int = 0


def _fit_length(
    conversation: Conversation,
    sequences: list[Rendered],
    render: Render,
    rules: Rules,
) -> _Fit:
    max_length = rules.max_length
    if max_length is None or _longest(sequences) <= max_length:
        return _Fit(sequences)
    match rules.on_too_long:
        case "error":
            raise RowError(conversation, _TOO_LONG, f"{_longest(sequences):,} tokens, {max_length:,} are allowed")
        case "drop":
            return _Fit(None)
        case "truncate":
            return _truncate(conversation, render, max_length)


def _truncate(conversation: Conversation, render: Render, max_length: int) -> _Fit:
    """The most recent turns that fit and train something; dropped where the last turn alone does not."""
    num_turns = len(turn_starts(conversation.messages))

    def fits(num_cut: int) -> bool:
        return _longest(render(without_oldest_turns(conversation, num_cut))) <= max_length

    turns_cut = bisect_left(range(num_turns), True, lo=1, key=fits)  # fewer turns are fewer tokens
    if turns_cut >= num_turns:
        return _Fit(None)
    sequences = render(without_oldest_turns(conversation, turns_cut))
    is_trained = any(any(sequence.loss_mask) for sequence in sequences)
    return _Fit(sequences, turns_cut) if is_trained and _longest(sequences) <= max_length else _Fit(None)


def _longest(sequences: Sequence[Rendered]) -> int:
    return max(len(sequence.token_ids) for sequence in sequences)


def _ends_are_trained(sequence: Rendered, end_ids: Collection[int]) -> bool:
    """Whether every trained token that no trained token follows is one of `end_ids`."""
    marks = bytes(sequence.loss_mask) + b"\0"
    return all(sequence.token_ids[end.start()] in end_ids for end in _SPAN_END.finditer(marks))


@dataclass(slots=True)
class _Tally:
    """Counts while rows go by; holds numbers only, eight bytes for a row that is dropped or truncated."""

    findings: Findings
    num_rows: int = 0
    num_sequences: int = 0
    num_tokens: int = 0
    num_trained_tokens: int = 0
    longest: int = 0
    dropped: array[int] = field(default_factory=lambda: array("Q"))
    truncated: array[int] = field(default_factory=lambda: array("Q"))
    turns_cut: array[int] = field(default_factory=lambda: array("Q"))
    longest_rows: list[tuple[int, int]] = field(default_factory=list)  # tokens and row, negated so that the first wins

    def add(self, row: int, fitted: _Fit) -> None:
        """Count row `row`, kept or dropped."""
        self.num_rows += 1
        if fitted.sequences is None:
            self.dropped.append(row)
            return
        if fitted.turns_cut:
            self.truncated.append(row)
            self.turns_cut.append(fitted.turns_cut)
        self.num_sequences += len(fitted.sequences)
        num_tokens = sum(len(sequence.token_ids) for sequence in fitted.sequences)
        self.num_tokens += num_tokens
        self._remember((num_tokens, -row))
        self.num_trained_tokens += sum(sequence.num_trained_tokens for sequence in fitted.sequences)
        self.longest = max(self.longest, _longest(fitted.sequences))

    def add_all(self, following: _Tally) -> None:
        """Count the rows that come after these."""
        self.num_rows += following.num_rows
        self.num_sequences += following.num_sequences
        self.num_tokens += following.num_tokens
        self.num_trained_tokens += following.num_trained_tokens
        self.longest = max(self.longest, following.longest)
        for entry in following.longest_rows:
            self._remember(entry)
        self.dropped += following.dropped
        self.truncated += following.truncated
        self.turns_cut += following.turns_cut
        self.findings.add(following.findings.errors)

    def _remember(self, entry: tuple[int, int]) -> None:
        """Keep a row in mind if it is one of the longest so far."""
        if len(self.longest_rows) < NUM_LONGEST:
            heappush(self.longest_rows, entry)
        elif entry > self.longest_rows[0]:
            heapreplace(self.longest_rows, entry)

    def refuse(self, finding: Finding) -> None:
        """Count a refused row and remember why."""
        self.num_rows += 1
        self.findings.add([finding])

    def statistics(self, max_length: int | None) -> TokenStatistics:
        """The counts.

        Raises:
            DataError: Rows were refused, or none is left.
        """
        if self.findings.num_errors:
            raise self._refusal()
        if self.num_rows == len(self.dropped):
            if not self.num_rows:
                raise DataError("there are no rows")
            reason = f"none of {counted(self.num_rows, 'row')} fits into {max_length} tokens"
            raise DataError(reason, hint="raise data.max_length")
        return TokenStatistics(
            num_rows=self.num_rows,
            num_sequences=self.num_sequences,
            num_tokens=self.num_tokens,
            num_trained_tokens=self.num_trained_tokens,
            longest=self.longest,
            num_dropped=len(self.dropped),
            num_truncated=len(self.truncated),
            kept=self._kept() if self.dropped else None,
            truncated=self.truncated,
            turns_cut=self.turns_cut,
            longest_rows=tuple((tokens, -row) for tokens, row in sorted(self.longest_rows, reverse=True)),
        )

    def _kept(self) -> array[int]:
        """Indices of all rows but the dropped ones."""
        kept = array("Q")
        start = 0
        for row in (*self.dropped, self.num_rows):
            kept.extend(range(start, row))
            start = row + 1
        return kept

    def _refusal(self) -> DataError:
        shown = self.findings.errors
        lines = [f"{self.findings.num_errors:,} of {self.num_rows:,} rows cannot be trained on", *map(str, shown)]
        if self.findings.num_errors > len(shown):
            lines.append(f"... and {self.findings.num_errors - len(shown):,} more")
        is_too_long = any(finding.rule == _TOO_LONG for finding in shown)
        hint = "raise data.max_length, or set data.on_too_long to drop or truncate" if is_too_long else ""
        return DataError("\n".join(lines), hint=hint, details=self.findings.as_dict())
