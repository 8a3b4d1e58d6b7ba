"""What becomes of a job whose process or data check has ended: decided here, stored by the supervisor."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from mistraltune.errors import ExitCode, MistralTuneError
from mistraltune.results import ModelRef
from mistraltune.runs import RunDir
from mistraltune.secrets import masked
from mistraltune.serve.evaluation_figures import comparison_figures, evaluation_figures
from mistraltune.serve.mapping import RUN_ID, map_hyperparameters, read_plan
from mistraltune.serve.parts import name_uploads
from mistraltune.serve.processes import CHECK, JOB, Ending, ending
from mistraltune.serve.records import (
    ComparisonRecord,
    DataPlan,
    EvaluationRecord,
    JobRecord,
    Status,
    TrainingRecord,
)
from mistraltune.serve.store import NewEvent, Store

MAX_ATTEMPTS = 3
"""So often a process is started for a job that keeps being killed."""


class Outcome(NamedTuple):
    """A change of a job, as `Store.update_job` takes it.

    Attributes:
        status: The job's next status.
        events: What is told of it.
        changes: Further fields of the record.
    """

    status: Status
    events: list[NewEvent]
    changes: dict[str, Any]


def outcome_of_check(job: TrainingRecord, folder: Path) -> Outcome:
    """The job is validated, has failed, or is checked again."""
    end = ending(folder, CHECK)
    if end.result is None and not end.is_interruption:
        return Outcome(Status.FAILED_VALIDATION, [failure(end.message)], {})
    if end.result is None and job.num_attempts + 1 >= MAX_ATTEMPTS:
        return Outcome(Status.FAILED, [failure(end.message)], {})
    if end.result is None:
        return Outcome(Status.QUEUED, [], {"num_attempts": job.num_attempts + 1})
    plan = read_plan(end.result, map_hyperparameters(job.request, job.base, folder))
    allowed = job.request.invalid_sample_skip_percentage
    if plan.num_dropped > allowed * plan.num_rows:
        words = f"{plan.num_dropped} of {plan.num_rows} rows are too long; a share of {allowed} may be left out"
        return Outcome(Status.FAILED_VALIDATION, [failure(words)], {"plan": plan})
    return Outcome(Status.VALIDATED, [], {"plan": plan, "num_attempts": 0})


def outcome_of_job(job: JobRecord, folder: Path) -> Outcome:
    """The job has ended by what its process left, or is continued."""
    end = ending(folder, JOB)
    try:
        found = found_by(job, folder, end)
    except (MistralTuneError, ValidationError) as error:  # a file of the run is damaged
        found, end = None, Ending(None, ExitCode.BUG, str(error))
    if found is not None:
        return Outcome(Status.SUCCESS, [], found)
    if job.status == Status.CANCELLATION_REQUESTED:
        return Outcome(Status.CANCELLED, [], {})
    if not end.is_interruption:
        return Outcome(Status.FAILED, [failure_of(job, end)], {})
    if job.num_attempts >= MAX_ATTEMPTS:
        return Outcome(Status.FAILED, [failure(f"{end.message}, at attempt {job.num_attempts} as before")], {})
    return Outcome(Status.QUEUED, [note(f"it was interrupted ({end.message}) and is continued")], {})


def found_by(job: JobRecord, folder: Path, end: Ending) -> dict[str, Any] | None:
    """What a finished job adds to its record; None where it has not finished.

    A training's run directory says so itself, whatever became of the process; other jobs say it in their last words.

    Raises:
        MistralTuneError: A file of the run is damaged.
    """
    if isinstance(job, EvaluationRecord | ComparisonRecord):
        figures = evaluation_figures if isinstance(job, EvaluationRecord) else comparison_figures
        return {"figures": figures(end.result, partial(name_training_data, job=job))} if end.result else None
    run = RunDir(folder / RUN_ID)
    if not isinstance(job, TrainingRecord) or run.metadata.get("status") != "finished":
        return None
    return {
        "fine_tuned_model": tuned_name(job),
        "finished_at": int(datetime.fromisoformat(run.metadata["finished_at"]).timestamp()),
        "trained_tokens": int(run.metrics.get("trained_tokens") or 0),
    }


def with_duration(plan: DataPlan, base: ModelRef, store: Store, folder: Path) -> DataPlan:
    """The plan, with how long it may take at the speed of the last training of the same base.

    Args:
        plan: What a job will do.
        base: The model that it trains.
        store: The jobs.
        folder: Holds a folder for each job.
    """
    done = store.jobs(TrainingRecord, statuses=[Status.SUCCESS])
    like = next((job for job in done if job.base == base), None)
    if like is None:
        return plan
    try:
        speed = RunDir(folder / like.id / RUN_ID).metrics.get("tokens_per_second")
    except MistralTuneError:
        return plan
    return plan.model_copy(update={"expected_seconds": round(plan.train_tokens / speed)}) if speed else plan


def tuned_name(job: TrainingRecord) -> str:
    """`ft:MODEL:selfhost:YYYYMMDD[:SUFFIX]:JOB`, as Mistral names its own, with a word for the organisation."""
    day = time.strftime("%Y%m%d", time.gmtime(job.created_at))
    suffix = [job.request.suffix] if job.request.suffix else []
    return ":".join(["ft", job.request.model, "selfhost", day, *suffix, job.id[:8]])


def note(text: str) -> NewEvent:
    """Something to know."""
    return "note", {"text": text}


def failure(message: str) -> NewEvent:
    """Why a job failed: the wire has no field for it."""
    return "error", {"message": masked(message)}


def failure_of(job: JobRecord, end: Ending) -> NewEvent:
    """Why a job failed, with the rows that a model was trained on where an evaluation was refused for them."""
    name, data = failure(name_training_data(end.message, job=job))
    if not isinstance(job, EvaluationRecord | ComparisonRecord) or not end.overlap:
        return name, data
    train_file = name_training_data(end.overlap["train_file"], job=job)
    return name, data | {"overlap": end.overlap | {"train_file": train_file}}


def name_training_data(text: str, *, job: JobRecord) -> str:
    """The text, with what the models of an evaluation or a comparison were trained on named as it was uploaded."""
    match job:
        case EvaluationRecord():
            refs = [job.model]
        case ComparisonRecord():
            refs = [job.base, job.fine_tuned]
        case _:
            refs = []
    for ref in refs:
        if ref.adapter:  # a run in a job's folder
            text = name_uploads(text, Path(ref.adapter).parent)
    return text
