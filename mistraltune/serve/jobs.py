"""Fine-tuning jobs: made, listed, looked at, started and cancelled."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header

from mistraltune.configuring import dump_yaml
from mistraltune.publishing import publish_dir, publish_text
from mistraltune.results import ModelRef
from mistraltune.serve.catalogue import describe_unknown
from mistraltune.serve.commands import check_of
from mistraltune.serve.files import Files
from mistraltune.serve.job_replies import (
    DETAILS,
    DryRunReply,
    JobDetails,
    JobList,
    JobReply,
    describe_details,
    describe_dry_run,
    describe_job,
)
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.mapping import CONFIG_FILE, TRAIN_FILE, VAL_FILE, map_hyperparameters, read_plan
from mistraltune.serve.outcomes import with_duration
from mistraltune.serve.paging import Page, PageSize, on_page
from mistraltune.serve.parts import note_parts
from mistraltune.serve.processes import CHECK, ending, start
from mistraltune.serve.queue import Queue, new_id, refusing_illegal_steps
from mistraltune.serve.records import DataPlan, TrainingRecord
from mistraltune.serve.refusals import Refusal, problem
from mistraltune.serve.store import now
from mistraltune.serve.supervisor import Supervisor
from mistraltune.training import rerunnable

DRY_RUN_SECONDS = 300.0

UserAgent = Annotated[str, Header(alias="user-agent", include_in_schema=False)]


class Jobs:
    """The fine-tuning jobs of a data directory.

    Args:
        queue: Where they stand among other jobs.
        files: What they train on.
        catalogue: Public names of base models.
    """

    def __init__(self, queue: Queue, files: Files, catalogue: Mapping[str, ModelRef]) -> None:
        self.queue = queue
        self.store = queue.store
        self.folder = queue.folder
        self.files = files
        self.catalogue = catalogue
        self._measuring = threading.Lock()

    def find(self, job_id: str) -> TrainingRecord:
        """The job of that id.

        Raises:
            Refusal: 404.
        """
        return self.queue.find(job_id, TrainingRecord)

    def create(self, request: JobRequest) -> TrainingRecord:
        """A new job, with a copy of its rows.

        Raises:
            Refusal: 409 a job like it is open, 422 model or files are unknown, 429 too many jobs are open.
        """
        base = self.base_of(request)
        at = now()
        job = TrainingRecord(
            id=new_id(),
            created_at=at,
            modified_at=at,
            request=request,
            base=base,
            is_started=request.starts_itself,
        )
        folder = self.folder / job.id
        self.queue.add(job, lambda staging: self.fill(staging, request, base, folder), events=remarks(request))
        return job

    def measure(self, request: JobRequest) -> DataPlan:
        """What a job would do; none is made.

        Raises:
            Refusal: 422, as `create`, or because of the data; 503 when it takes too long.
        """
        base = self.base_of(request)
        with self._measuring:  # a check takes a processor for seconds
            return self._measure(request, base)

    def _measure(self, request: JobRequest, base: ModelRef) -> DataPlan:
        folder = self.folder / f".dry-run-{new_id()}.tmp"
        try:
            with publish_dir(folder) as staging:
                self.fill(staging, request, base, folder)
            process = start(check_of(folder), folder, CHECK)
            if not process.wait(DRY_RUN_SECONDS):
                process.kill()
                raise Refusal(503, "the data takes too long to check; make a job of it", headers={"Retry-After": "60"})
            end = ending(folder, CHECK)
            if end.result is None:
                raise Refusal(503 if end.is_interruption else 422, end.message)
            plan = read_plan(end.result, map_hyperparameters(request, base, folder))
            return with_duration(plan, base, self.store, self.folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def base_of(self, request: JobRequest) -> ModelRef:
        """The model behind a job's public name, its files looked up too.

        Raises:
            Refusal: 422, with what is unknown.
        """
        if request.model not in self.catalogue:
            message = describe_unknown(request.model, list(self.catalogue))
            if any(job.fine_tuned_model == request.model for job in self.store.jobs(TrainingRecord)):
                message = f"{request.model} is a fine-tuned model, which cannot be fine-tuned further here; name a base"
            raise Refusal(422, message, details=[problem("unknown_model", message, "model")])
        named = [
            *(("training_files", file.file_id) for file in request.training_files),
            *(("validation_files", file_id) for file_id in request.validation_files),
        ]
        missing = [
            problem("unknown_file", f"there is no file {name[:100]}", place)
            for place, name in named
            if self.store.find_file(name) is None
        ]
        if missing:
            raise Refusal(422, missing[0]["msg"], details=missing)
        return self.catalogue[request.model]

    def fill(self, staging: Path, request: JobRequest, base: ModelRef, folder: Path) -> None:
        """Write down what a trainer needs: the rows, and the configuration.

        Args:
            staging: Where that is written; it becomes `folder`.
            request: The job.
            base: The model behind its public name.
            folder: The job's folder.
        """
        copies = {TRAIN_FILE: self.files.join([file.file_id for file in request.training_files], staging / TRAIN_FILE)}
        if request.validation_files:
            copies[VAL_FILE] = self.files.join(request.validation_files, staging / VAL_FILE)
        note_parts(staging, copies)
        config = rerunnable(map_hyperparameters(request, base, folder))
        publish_text(staging / CONFIG_FILE, dump_yaml(config))


def remarks(request: JobRequest) -> list[tuple[str, dict[str, Any]]]:
    """What a client should know of its request that no field of the reply says."""
    if not request.integrations:
        return []
    return [("note", {"text": "integrations are not reported to: figures stay on this machine"})]


def read_time(text: str | None, name: str) -> float | None:
    """A time of a filter in seconds since 1970; without a zone it is UTC.

    Raises:
        Refusal: 422, it is no ISO 8601 time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        message = "a time is written as 2026-11-24T12:00:00Z"
        raise Refusal(422, message, details=[{"type": "datetime", "loc": ["query", name], "msg": message}]) from None


def job_routes(jobs: Jobs, supervisor: Supervisor) -> APIRouter:
    """`/v1/fine_tuning/jobs`."""
    routes = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["jobs"])

    @routes.post("")
    def create(request: JobRequest, dry_run: bool | None = None, user_agent: UserAgent = "") -> JobReply | DryRunReply:
        """Make a job, or with `dry_run` only say what it would do."""
        if dry_run:
            return describe_dry_run(jobs.measure(request))
        return describe_job(jobs.create(request), user_agent=user_agent)

    @routes.get("")
    def list_jobs(  # noqa: PLR0913, PLR0917 - the wire's filters
        page: Page = 0,
        page_size: PageSize = 100,
        model: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        created_by_me: bool | None = None,
        status: str | None = None,
        wandb_project: str | None = None,
        wandb_name: str | None = None,
        suffix: str | None = None,
        user_agent: UserAgent = "",
    ) -> JobList:
        """The jobs, newest first."""
        after, before = read_time(created_after, "created_after"), read_time(created_before, "created_before")
        chosen = [
            job
            for job in jobs.store.jobs(TrainingRecord)
            if (model is None or job.request.model == model)
            and (after is None or job.created_at > after)
            and (before is None or job.created_at < before)
            and (suffix is None or job.request.suffix == suffix)
            and (wandb_project is None or any(each.project == wandb_project for each in job.request.integrations))
            and (wandb_name is None or any(each.name == wandb_name for each in job.request.integrations))
        ]
        described = [describe_job(job, user_agent=user_agent) for job in chosen]
        found = [job for job in described if status is None or job["status"] == status]  # in the client's words
        return {"object": "list", "total": len(found), "data": on_page(found, page, page_size)}

    @routes.get("/{job_id}")
    def get(job_id: str, user_agent: UserAgent = "") -> JobDetails:
        """One job, with its events and checkpoints."""
        return details(jobs.find(job_id), user_agent)

    @routes.post("/{job_id}/start")
    def start(job_id: str, user_agent: UserAgent = "") -> JobDetails:
        """Let a job run that was made with `auto_start` false."""
        with refusing_illegal_steps("started"):
            return details(supervisor.begin(jobs.find(job_id)), user_agent)

    @routes.post("/{job_id}/cancel")
    def cancel(job_id: str, user_agent: UserAgent = "") -> JobDetails:
        """Stop a job; a running one saves a checkpoint first."""
        with refusing_illegal_steps("cancelled"):
            return details(supervisor.cancel(jobs.find(job_id)), user_agent)

    def details(job: TrainingRecord, user_agent: str) -> JobDetails:
        return describe_details(job, jobs.store.events(job.id, names=DETAILS), user_agent=user_agent)

    return routes


def resume_routes(jobs: Jobs) -> APIRouter:
    """`/api/jobs`: what Mistral's API has no word for."""
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"])

    @routes.post("/{job_id}/resume")
    def resume(job_id: str) -> JobDetails:
        """Let a job go on that was cancelled or failed: from its newest checkpoint, or from the beginning."""
        with refusing_illegal_steps("resumed"):
            job = jobs.queue.resume(jobs.find(job_id))
        return describe_details(job, jobs.store.events(job.id, names=DETAILS))

    return routes
