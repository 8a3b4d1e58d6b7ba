"""A run directory as clients read it: in a line, or with its files, figures and evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from typing_extensions import TypedDict

from mistraltune.errors import MistralTuneError
from mistraltune.results import EvalReport
from mistraltune.runs import RunDir

NOT_LISTED = ("checkpoints",)
"""Folders of a run whose files are for its trainer alone."""


class RunReply(TypedDict):
    """A run in a line; `problem` says why a run cannot be read, and figures are null until they are known."""

    id: str
    name: str
    job_id: str | None
    folder: str
    status: str
    model: str
    started_at: str
    num_steps: float | None
    train_loss: float | None
    val_loss: float | None
    problem: str | None


class RunList(TypedDict):
    """Runs, newest first."""

    total: int
    runs: list[RunReply]


class RunFileReply(TypedDict):
    """A file of a run."""

    name: str
    num_bytes: int


class RunEvaluation(TypedDict):
    """An evaluation that lies in the run."""

    file: str
    eval_file: str
    evaluator: str
    num_examples: int
    metrics: dict[str, float]


class RunDetails(RunReply):
    """All that a run says of itself."""

    config: str
    metadata: dict[str, Any]
    metrics: dict[str, float | None]
    evaluations: list[RunEvaluation]
    files: list[RunFileReply]


@dataclass(frozen=True)
class KnownRun:
    """A run and how the server names it.

    Attributes:
        id: The job's id, or a hash of the directory's place.
        run: The run.
        job_id: The job that it belongs to, if any.
    """

    id: str
    run: RunDir
    job_id: str | None = None


def describe_run(known: KnownRun) -> RunReply:
    """A run in a line; one that cannot be read does not hide the others."""
    run = known.run
    told: RunReply = {
        "id": known.id,
        "name": printable(run.run_id if known.job_id is None else known.job_id),
        "job_id": known.job_id,
        "folder": printable(str(run.path)),
        "status": "unreadable",
        "model": "",
        "started_at": "",
        "num_steps": None,
        "train_loss": None,
        "val_loss": None,
        "problem": None,
    }
    try:
        metadata, metrics = run.metadata, run.metrics
        told["model"] = str(metadata["identity"]["config"]["model"])
        told["started_at"] = str(metadata["started_at"])
        told["status"] = run.status
        told["num_steps"] = finite(metrics.get("num_steps"))
        told["train_loss"] = finite(metrics.get("train_loss"))
        told["val_loss"] = finite(metrics.get("val_loss"))
    except MistralTuneError as error:
        told["problem"] = error.message
    except (KeyError, TypeError):
        told["problem"] = "its metadata lacks what every run has"
    return told


def describe_details(known: KnownRun) -> RunDetails:
    """A run with its configuration, its files and what was measured on it."""
    told = describe_run(known)
    is_readable = told["problem"] is None
    run = known.run
    return {
        **told,
        "config": read_text(run.path / "config.yaml"),
        "metadata": run.metadata if is_readable else {},
        "metrics": {name: finite(value) for name, value in run.metrics.items()} if is_readable else {},
        "evaluations": list(evaluations_of(run)),
        "files": [{"name": printable(name), "num_bytes": path.stat().st_size} for name, path in files_of(run).items()],
    }


def evaluations_of(run: RunDir) -> Iterator[RunEvaluation]:
    """The evaluations that lie in a run; a file that is none is passed over."""
    for path in sorted((run.path / "evals").glob("*.json")):
        try:
            report = EvalReport.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        yield {
            "file": printable(f"evals/{path.name}"),
            "eval_file": report.eval_file,
            "evaluator": report.evaluator,
            "num_examples": report.num_examples,
            "metrics": {name: value for name, value in report.metrics.items() if math.isfinite(value)},
        }


def files_of(run: RunDir) -> dict[str, Path]:
    """The run's files by their place in it; what lies elsewhere, is hidden, or is its trainer's alone is not listed."""
    root = run.path.resolve()
    found = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        is_listed = parts[0] not in NOT_LISTED and not any(part.startswith(".") for part in parts)
        if is_listed and path.is_file() and path.resolve().is_relative_to(root):
            found["/".join(parts)] = path
    return found


def finite(value: Any) -> float | None:
    """A figure as JSON can hold it."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def read_text(path: Path) -> str:
    """The text of a small file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def printable(text: str) -> str:
    """Text that JSON in UTF-8 can hold: a file's name may be any bytes."""
    return text.encode("utf-8", "replace").decode()
