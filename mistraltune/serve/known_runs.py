"""Every run directory that the server knows: those of its jobs, and those below folders that it was told of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from pydantic import ValidationError
from typing_extensions import TypedDict

from mistraltune.errors import MistralTuneError
from mistraltune.results import EvalReport
from mistraltune.runs import Event, RunDir, find_runs, is_run_dir
from mistraltune.serve.mapping import RUN_ID
from mistraltune.serve.records import TrainingRecord
from mistraltune.serve.refusals import unknown
from mistraltune.serve.store import Store

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


class StepPoint(TypedDict):
    """A logged step; losses in nats per trained token, null where something was not logged."""

    step: int
    loss: float | None
    learning_rate: float | None
    tokens_per_second: float | None


class ValidationPoint(TypedDict):
    """A validated step."""

    step: int
    val_loss: float | None
    val_accuracy: float | None


class SeriesReply(TypedDict):
    """The curves of a run behind `after_step`; thinned to the lowest and highest losses where there are many steps."""

    run_id: str
    last_step: int
    num_steps_logged: int
    steps: list[StepPoint]
    validation: list[ValidationPoint]


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


class KnownRuns:
    """The runs that can be looked at.

    Args:
        store: Knows the jobs.
        job_dir: Holds their run directories.
        folders: Hold further run directories, as `--output-dir` of `mistraltune train` does.
    """

    def __init__(self, store: Store, job_dir: Path, folders: Sequence[Path] = ()) -> None:
        self.store = store
        self.job_dir = job_dir
        self.folders = tuple(folder.resolve() for folder in folders)
        self._finished: dict[str, RunReply] = {}

    def summaries(self) -> list[RunReply]:
        """All runs, the newest first; of one that has finished, nothing changes any more."""
        summaries = []
        for known in self:
            summary = self._finished.get(known.id) or describe_run(known)
            if summary["status"] == "finished":
                self._finished[known.id] = summary
            summaries.append(summary)
        return sorted(summaries, key=lambda summary: summary["started_at"], reverse=True)

    def __iter__(self) -> Iterator[KnownRun]:
        """All of them."""
        for job in self.store.jobs(TrainingRecord):
            if is_run_dir(self.job_dir / job.id / RUN_ID):
                yield KnownRun(job.id, RunDir(self.job_dir / job.id / RUN_ID), job.id)
        for folder in self.folders:
            for run in find_runs(folder):
                yield KnownRun(hashlib.sha256(str(run.path).encode("utf-8", "replace")).hexdigest()[:32], run)

    def find(self, run_id: str) -> KnownRun:
        """The run of that id.

        Raises:
            Refusal: 404.
        """
        for known in self:
            if known.id == run_id:
                return known
        raise unknown("run", run_id)


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


def describe_series(run: RunDir, run_id: str, *, after_step: int, max_points: int) -> SeriesReply:
    """The curves of a run."""
    history = [event for event in run.history() if event["step"] > after_step]
    steps = [event for event in history if event["event"] == "step"]
    validated = [event for event in history if event["event"] == "validation"]
    return {
        "run_id": run_id,
        "last_step": max((event["step"] for event in history), default=after_step),
        "num_steps_logged": len(steps),
        "steps": [describe_step(event) for event in thinned(steps, max_points, figure="loss")],
        "validation": [describe_validation(event) for event in thinned(validated, max_points, figure="val_loss")],
    }


def describe_step(event: Event) -> StepPoint:
    """A logged step."""
    return {
        "step": event["step"],
        "loss": finite(event.get("loss")),
        "learning_rate": finite(event.get("learning_rate")),
        "tokens_per_second": finite(event.get("tokens_per_second")),
    }


def describe_validation(event: Event) -> ValidationPoint:
    """A validated step."""
    return {
        "step": event["step"],
        "val_loss": finite(event.get("val_loss")),
        "val_accuracy": finite(event.get("val_accuracy")),
    }


def thinned(steps: Sequence[Event], max_points: int, *, figure: str) -> list[Event]:
    """At most so many steps: the first, the last, and of each stretch between them the lowest and the highest."""
    if len(steps) <= max_points:
        return list(steps)
    kept = {0, len(steps) - 1}
    num_stretches = max(1, (max_points - 2) // 2)
    inner = range(1, len(steps) - 1)
    for number in range(num_stretches):
        stretch = inner[number * len(inner) // num_stretches : (number + 1) * len(inner) // num_stretches]
        by_loss = sorted(stretch, key=lambda index: steps[index][figure])
        kept |= {by_loss[0], by_loss[-1]}
    return [steps[index] for index in sorted(kept)]


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


def run_routes(runs: KnownRuns) -> APIRouter:
    """`/api/runs`."""
    routes = APIRouter(prefix="/api/runs", tags=["runs"])

    @routes.get("")
    def list_all(
        page: Annotated[int, Query(ge=0, le=10**9)] = 0,
        page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> RunList:
        """The runs of the server's jobs and of the folders that it was told of, newest first."""
        found = runs.summaries()
        return {"total": len(found), "runs": found[page * page_size : (page + 1) * page_size]}

    @routes.get("/{run_id}")
    def get(run_id: str) -> RunDetails:
        """One run: configuration, metadata, figures, evaluations, files."""
        return describe_details(runs.find(run_id))

    @routes.get("/{run_id}/metrics")
    def metrics(
        run_id: str,
        after_step: Annotated[int, Query(ge=0, le=10**12)] = 0,
        max_points: Annotated[int, Query(ge=4, le=100_000)] = 2000,
    ) -> SeriesReply:
        """Losses, learning rate and speed by step, those behind `after_step`, thinned to `max_points` steps."""
        return describe_series(runs.find(run_id).run, run_id, after_step=after_step, max_points=max_points)

    @routes.get("/{run_id}/file", response_class=FileResponse)
    def file(run_id: str, name: Annotated[str, Query(max_length=1000)]) -> Response:
        """One of the run's files, to keep."""
        path = files_of(runs.find(run_id).run).get(name)
        if path is None:
            raise unknown("file", name)
        headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(path.name, safe='')}"}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    return routes
