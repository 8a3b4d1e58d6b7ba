"""Uploaded files as the console reads them: what a check found, how long rows are, what of them is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.findings import Finding
from mistraltune.data.lines import display_name
from mistraltune.data.rendered import Rendered
from mistraltune.data.statistics import DataStatistics
from mistraltune.data.validating import FileReport
from mistraltune.interfaces import Renderer
from mistraltune.serve.files import FileReply
from mistraltune.serve.records import FileRecord, Status


class FindingReply(TypedDict):
    """One thing that a check found."""

    line: int
    rule: str
    message: str
    hint: str
    is_error: bool


class ReportReply(TypedDict):
    """What a check found in a file: counts of everything, and the first findings of each kind."""

    file_id: str
    format: str | None
    num_rows: int
    num_errors: int
    num_warnings: int
    num_hidden: int
    findings: list[FindingReply]


class BinReply(TypedDict):
    """One bar of a histogram: sequences of `low` to `high` tokens."""

    low: int
    high: int
    count: int


class LengthsReply(TypedDict):
    """Tokens a sequence; `percentiles` holds p5, p25, p50, p75, p95 and p99."""

    shortest: int
    longest: int
    mean: float
    percentiles: dict[str, int]
    bins: list[BinReply]


class LongRow(TypedDict):
    """A row that is longer than wished."""

    line: int
    num_tokens: int


class StatisticsReply(TypedDict):
    """What a file is like for a model."""

    file_id: str
    model: str
    format: str | None
    num_rows: int
    num_duplicates: int
    num_refused: int
    num_sequences: int
    num_tokens: int
    num_trained_tokens: int
    lengths: LengthsReply
    max_length: int | None
    num_too_long: int
    too_long: list[LongRow]
    refused: list[FindingReply]
    rows_per_step: int
    steps_per_epoch: int


class NearPairReply(TypedDict):
    """Two rows that say nearly the same; `similarity` is that of their shingles, 0 to 1."""

    row: int
    line: int
    earlier_row: int
    earlier_line: int
    similarity: float


class NearDuplicatesReply(TypedDict):
    """Rows that say nearly what an earlier row says; the first pairs, rows counted from 1."""

    file_id: str
    threshold: float
    num_rows: int
    num_near_rows: int
    pairs: list[NearPairReply]


class RowToolCall(TypedDict):
    """A tool call of a message; `arguments` is JSON as it stands in the file."""

    id: str
    name: str
    arguments: str


class RowMessage(TypedDict):
    """One message of a row."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    is_trained: bool
    tool_calls: NotRequired[list[RowToolCall]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


class Segment(TypedDict):
    """A stretch of text whose tokens are all trained, or all not."""

    text: str
    is_trained: bool
    num_tokens: int


class SequenceReply(TypedDict):
    """One sequence that a row renders to, as the model reads it."""

    num_tokens: int
    num_trained_tokens: int
    segments: list[Segment]


class RowReply(TypedDict):
    """A row; its sequences where a model was named, or why that model cannot read it."""

    row: int
    line: int
    messages: list[RowMessage]
    tools: list[dict[str, Any]]
    sequences: list[SequenceReply] | None
    problem: str | None


class RowList(TypedDict):
    """Some rows of a file, in its order; `row` counts from 1."""

    total: int
    offset: int
    rows: list[RowReply]


class FileUse(TypedDict):
    """A job that was made with a file; it has a copy of its own and loses nothing when the file is deleted."""

    id: str
    kind: Literal["job", "evaluation", "comparison"]
    status: Status
    role: Literal["training", "validation", "evaluation"]


class UsesReply(TypedDict):
    """What was made with a file; of those that have not ended, how many."""

    file_id: str
    num_open: int
    uses: list[FileUse]


class SplitReply(TypedDict):
    """The files that a split made; each keeps the name of the whole with its part."""

    train: FileReply
    val: FileReply | None
    test: FileReply | None
    num_duplicates: int


class ConversionReply(TypedDict):
    """The file that a conversion made."""

    file: FileReply
    num_rows: int
    num_tool_calls: int
    warnings: list[FindingReply]


def describe_finding(finding: Finding) -> FindingReply:
    """A finding without the file's name, which is known."""
    return {
        "line": finding.line,
        "rule": finding.rule,
        "message": finding.message,
        "hint": finding.hint,
        "is_error": finding.is_error,
    }


def describe_report(file: FileRecord, report: FileReport) -> ReportReply:
    """A whole report; where it speaks of the file, by the name that its owner knows."""
    findings = report.findings
    name = display_name(Path(file.filename))
    return {
        "file_id": file.id,
        "format": report.format,
        "num_rows": report.num_rows,
        "num_errors": findings.num_errors,
        "num_warnings": findings.num_warnings,
        "num_hidden": findings.num_hidden,
        "findings": [
            describe_finding(replace(finding, message=finding.message.replace(report.file, name)))
            for finding in (*findings.errors, *findings.warnings)
        ],
    }


def describe_statistics(file_id: str, model: str, found: DataStatistics) -> StatisticsReply:
    """Whole statistics."""
    lengths = found.lengths
    return {
        "file_id": file_id,
        "model": model,
        "format": found.format,
        "num_rows": found.num_rows,
        "num_duplicates": found.num_duplicates,
        "num_refused": found.num_refused,
        "num_sequences": found.num_sequences,
        "num_tokens": found.num_tokens,
        "num_trained_tokens": found.num_trained_tokens,
        "lengths": {
            "shortest": lengths.shortest,
            "longest": lengths.longest,
            "mean": lengths.mean,
            "percentiles": lengths.percentiles,
            "bins": [{"low": each.low, "high": each.high, "count": each.count} for each in lengths.bins],
        },
        "max_length": found.max_length,
        "num_too_long": found.num_too_long,
        "too_long": [
            {"line": int(row["row"].rpartition(":")[2]), "num_tokens": row["num_tokens"]} for row in found.too_long
        ],
        "refused": [describe_finding(finding) for finding in found.refused],
        "rows_per_step": found.rows_per_step,
        "steps_per_epoch": found.steps_per_epoch,
    }


def line_of(source: str) -> int:
    """The line in `file:line`."""
    return int(source.rpartition(":")[2])


def describe_messages(conversation: Conversation) -> list[RowMessage]:
    """The messages of a row."""
    return [describe_message(message) for message in conversation.messages]


def describe_message(message: Message) -> RowMessage:
    """One message; what it does not have is left out."""
    told: RowMessage = {
        "role": message.role,
        "content": message.content,
        "is_trained": message.role == "assistant" and message.weight > 0,
    }
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    if message.name:
        told["name"] = message.name
    return told


def describe_sequences(sequences: Sequence[Rendered], renderer: Renderer) -> list[SequenceReply]:
    """The sequences of a row, cut where training begins and ends."""
    return [
        {
            "num_tokens": len(sequence.token_ids),
            "num_trained_tokens": sequence.num_trained_tokens,
            "segments": list(cut(sequence, renderer)),
        }
        for sequence in sequences
    ]


def cut(sequence: Rendered, renderer: Renderer) -> list[Segment]:
    """The stretches of a sequence."""
    segments: list[Segment] = []
    tokens = zip(sequence.token_ids, sequence.loss_mask, strict=True)
    for is_trained, run in groupby(tokens, key=lambda token: bool(token[1])):
        token_ids = [token_id for token_id, _ in run]
        text = renderer.decode(token_ids, skip_special_tokens=False)
        segments.append({"text": text, "is_trained": is_trained, "num_tokens": len(token_ids)})
    return segments
