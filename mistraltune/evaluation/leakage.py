"""Evaluated rows that the model was trained on: its answers to those tell what it remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mistraltune.data.conversation import Conversation
from mistraltune.data.overlap import MAX_ROWS_LISTED, SharedRows, find_overlap
from mistraltune.errors import DataError
from mistraltune.evaluation.run_rows import run_rows
from mistraltune.results import ModelRef, Overlap
from mistraltune.runs import RunDir, is_run_dir


def overlap_with_training(ref: ModelRef, rows: Sequence[Conversation], *, eval_sha256: str) -> Overlap | None:
    """What the rows share with the training data of a run; None for a model that is no run.

    The run knows its training file by path and hash. Where that is gone or has changed, nothing can be compared, and
    the result says so; but a file that has its hash is that file, wherever it lies. So is the validation file, by
    which a run may have chosen when to end and what to keep.

    Args:
        ref: The model.
        rows: Those that are evaluated.
        eval_sha256: Of the file that they are from.
    """
    if not ref.adapter or not is_run_dir(Path(ref.adapter)):
        return None
    run = RunDir(Path(ref.adapter))
    train = run_rows(run, "train")
    if train is None:
        return None
    parts: tuple[Literal["training", "validation"], ...] = ("training", "validation")
    for known, part in zip((train, run_rows(run, "val")), parts, strict=True):
        if known and known.sha256 == eval_sha256:
            numbers = list(range(1, len(rows) + 1))[:MAX_ROWS_LISTED]
            return Overlap(
                train_file=known.file or "a file of this SHA-256",
                part=part,
                num_exact=len(rows),
                num_near=0,
                rows=numbers,
            )
    if train.rows is None:
        return Overlap(train_file=train.file, problem=train.problem)
    return as_result(find_overlap(train.rows, rows), train.file)


def as_result(shared: SharedRows, train_file: str) -> Overlap:
    """The shared rows as a report keeps them."""
    rows = sorted(row.row + 1 for row in (*shared.exact, *shared.near))
    return Overlap(
        train_file=train_file,
        num_exact=len(shared.exact),
        num_near=len(shared.near),
        rows=rows[:MAX_ROWS_LISTED],
    )


def refuse_overlap(overlap: Overlap | None, *, is_allowed: bool) -> None:
    """Refuse rows that the model was trained or validated on, unless that is allowed.

    Raises:
        DataError: There are such rows.
    """
    if overlap and (overlap.num_exact or overlap.num_near) and not is_allowed:
        hint = "evaluate on rows that `mistraltune data split` has kept apart; or --allow-overlap, which is recorded"
        raise DataError(describe_overlap(overlap), hint=hint, details={"overlap": overlap.model_dump()})


def describe_overlap(overlap: Overlap) -> str:
    """The overlap in a sentence; empty where there is none."""
    if overlap.problem:
        return f"rows were not compared with the training data: {overlap.problem}"
    counts = ((overlap.num_exact, "exactly"), (overlap.num_near, "nearly"))
    parts = [f"{number:,} {how}" for number, how in counts if number]
    if not parts:
        return ""
    named = ", ".join(map(str, overlap.rows[:5]))
    more = " ..." if (overlap.num_exact or 0) + (overlap.num_near or 0) > 5 else ""
    return (
        f"evaluated rows are in the model's {overlap.part} data, {overlap.train_file}: {' and '.join(parts)} "
        f"(rows {named}{more})"
    )
