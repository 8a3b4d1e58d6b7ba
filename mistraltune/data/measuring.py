"""Which rows a model can train on: each rendered once before the first step, counted, or refused by name."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from heapq import heappush, heapreplace

from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Finding, Findings, counted
from mistraltune.data.rendered import RowError, as_finding, check_rendered
from mistraltune.data.reopening import Render, Reopening
from mistraltune.data.spreading import Work, spread
from mistraltune.data.truncating import TOO_LONG, Fit, OnTooLong, longest_of, make_fit
from mistraltune.errors import DataError

NUM_LONGEST = 64
"""Rows whose length is remembered, the longest ones."""


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


def measure(
    conversations: Sequence[Conversation],
    render: Render,
    *,
    rules: Rules,
    reopening: Reopening | None = None,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> TokenStatistics:
    """Token counts of all rows, each rendered once and none held.

    Args:
        conversations: The rows.
        render: A renderer's `render`.
        rules: What a rendered row must keep.
        reopening: Lets other processes render a share of many rows; `conversations` are then pickled.
        on_progress: Hears every 250 rows, and at the end, how many are done.

    Raises:
        DataError: Rows are refused, or none is left. The message names the first hundred by file and line,
            `details["findings"]` holds those, `details["num_errors"]` counts all.
    """
    work = partial(_measure_rows, conversations, render, rules)
    open_work = partial(_open_work, reopening, conversations, rules) if reopening else None
    total = _Tally(Findings())
    with closing(spread(work, len(conversations), open_work=open_work)) as parts:
        for part in parts:
            total.add_all(part)
            on_progress(total.num_rows)
    return total.statistics(rules.max_length)


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
            fitted = make_fit(
                conversation, sequences, render, max_length=rules.max_length, on_too_long=rules.on_too_long
            )
            tally.add(row, fitted)
        except RowError as error:
            tally.refuse(as_finding(error, conversation, row=row))
    return tally


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

    def add(self, row: int, fitted: Fit) -> None:
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
        self.longest = max(self.longest, longest_of(fitted.sequences))

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
        is_too_long = any(finding.rule == TOO_LONG for finding in shown)
        hint = "raise data.max_length, or set data.on_too_long to drop or truncate" if is_too_long else ""
        return DataError("\n".join(lines), hint=hint, details=self.findings.as_dict())
