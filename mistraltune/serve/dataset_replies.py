"""Uploaded files as the console reads them: what a check found, how long rows are, which are nearly equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from typing_extensions import TypedDict

from mistraltune.data.findings import Finding
from mistraltune.data.lines import display_name
from mistraltune.data.statistics import DataStatistics
from mistraltune.data.validating import FileReport
from mistraltune.serve.records import FileRecord
from mistraltune.serve.row_replies import line_of


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
        "too_long": [{"line": line_of(row["row"]), "num_tokens": row["num_tokens"]} for row in found.too_long],
        "refused": [describe_finding(finding) for finding in found.refused],
        "rows_per_step": found.rows_per_step,
        "steps_per_epoch": found.steps_per_epoch,
    }
