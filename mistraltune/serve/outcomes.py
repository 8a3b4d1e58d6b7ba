"""What becomes of a job whose data check or trainer has ended: decided here, stored by the supervisor."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from mistraltune.errors import MistralTuneError
from mistraltune.runs import RunDir
from mistraltune.secrets import masked
from mistraltune.serve.mapping import RUN_ID, map_hyperparameters, read_plan
from mistraltune.serve.records import DataPlan, JobRecord, Status
from mistraltune.serve.store import NewEvent
from mistraltune.serve.trainers import Ending, ending

MAX_ATTEMPTS = 3
"""So often a check or a trainer is started for a job that keeps being killed."""


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


def outcome_of_check(job: JobRecord, folder: Path) -> Outcome:
    """The job is validated, has failed, or is checked again."""
    end = ending(folder, "check")
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


def outcome_of_training(job: JobRecord, folder: Path) -> Outcome:
    """The job has ended by its run directory and its trainer's last words, or its training is continued."""
    run, end = RunDir(folder / RUN_ID), ending(folder, "trainer")
    try:
        if run.metadata.get("status") == "finished":
            trained_tokens = int(run.metrics.get("trained_tokens") or 0)
            changes = {"fine_tuned_model": tuned_name(job), "trained_tokens": trained_tokens}
            return Outcome(Status.SUCCESS, [], changes)
    except MistralTuneError as error:  # a file of the run is damaged
        end = Ending(None, error.exit_code, error.message)
    if job.status == Status.CANCELLATION_REQUESTED:
        return Outcome(Status.CANCELLED, [], {})
    if not end.is_interruption:
        return Outcome(Status.FAILED, [failure(end.message)], {})
    if job.num_attempts >= MAX_ATTEMPTS:
        return Outcome(Status.FAILED, [failure(f"{end.message}, at attempt {job.num_attempts} as before")], {})
    return Outcome(Status.QUEUED, [note(f"the trainer was interrupted ({end.message}); it is continued")], {})


def with_duration(plan: DataPlan, folder: Path) -> DataPlan:
    """The plan, with how long it may take at the speed of the run in `folder`."""
    try:
        speed = RunDir(folder / RUN_ID).metrics.get("tokens_per_second")
    except MistralTuneError:
        return plan
    return plan.model_copy(update={"expected_seconds": round(plan.train_tokens / speed)}) if speed else plan


def tuned_name(job: JobRecord) -> str:
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
