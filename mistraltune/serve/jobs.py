"""Fine-tuning jobs: made, listed, looked at, started and cancelled."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import uuid4

from fastapi import APIRouter, Header, Query

from mistraltune.configuring import dump_yaml
from mistraltune.publishing import naming_failed_writes, publish_dir, publish_text
from mistraltune.results import ModelRef
from mistraltune.serve import trainers
from mistraltune.serve.catalogue import describe_unknown
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
from mistraltune.serve.records import DataPlan, JobRecord
from mistraltune.serve.refusals import Refusal, problem, unknown
from mistraltune.serve.store import IllegalStepError, Store, now
from mistraltune.serve.supervisor import Supervisor
from mistraltune.settings import ServerSettings
from mistraltune.training import rerunnable

DRY_RUN_SECONDS = 300.0

UserAgent = Annotated[str, Header(alias="user-agent", include_in_schema=False)]


class Jobs:
    """The jobs of a data directory.

    Args:
        store: Their index.
        folder: Holds a folder for each.
        files: What they train on.
        catalogue: Public names of base models.
        settings: The server's limits.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        files: Files,
        catalogue: Mapping[str, ModelRef],
        settings: ServerSettings,
    ) -> None:
        self.store = store
        self.folder = folder
        self.files = files
        self.catalogue = catalogue
        self.settings = settings
        self._creating = threading.Lock()
        self._measuring = threading.Lock()

    def find(self, job_id: str) -> JobRecord:
        """The job of that id.

        Raises:
            Refusal: 404.
        """
        job = self.store.find_job(job_id)
        if job is None:
            raise unknown("job", job_id)
        return job

    def create(self, request: JobRequest) -> JobRecord:
        """A new job, with a copy of its rows.

        Raises:
            Refusal: 409 a job like it is open, 422 model or files are unknown, 429 too many jobs are open.
        """
        with self._creating:
            return self._create(request, self.base_of(request))

    def _create(self, request: JobRequest, base: ModelRef) -> JobRecord:
        open_jobs = self.store.open_jobs()
        for other in open_jobs:
            if other.request == request:
                raise Refusal(409, f"job {other.id} asks for the same and is {other.status}; cancel it first")
        if len(open_jobs) >= self.settings.max_open_jobs:
            raise Refusal(429, f"{len(open_jobs)} jobs are open; wait for one to end", headers={"Retry-After": "60"})
        at = now()
        job = JobRecord(
            id=str(uuid4()),
            created_at=at,
            modified_at=at,
            request=request,
            base=base,
            is_started=request.starts_itself,
        )
        self.fill(self.folder / job.id, job.request, base)
        try:
            self.store.add_job(job, events=remarks(request))
        except BaseException:
            shutil.rmtree(self.folder / job.id, ignore_errors=True)
            raise
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
        folder = self.folder / f".dry-run-{uuid4().hex}.tmp"
        try:
            self.fill(folder, request, base)
            process = trainers.start_check(folder)
            if not process.wait(DRY_RUN_SECONDS):
                process.kill()
                raise Refusal(503, "the data takes too long to check; make a job of it", headers={"Retry-After": "60"})
            end = trainers.ending(folder, "check")
            if end.result is None:
                raise Refusal(503 if end.is_interruption else 422, end.message)
            return read_plan(end.result, map_hyperparameters(request, base, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def base_of(self, request: JobRequest) -> ModelRef:
        """The model behind a job's public name, its files looked up too.

        Raises:
            Refusal: 422, with what is unknown.
        """
        if request.model not in self.catalogue:
            message = describe_unknown(request.model, list(self.catalogue))
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

    def fill(self, folder: Path, request: JobRequest, base: ModelRef) -> None:
        """Write down what a trainer needs: the rows, and the configuration."""
        training_ids = [file.file_id for file in request.training_files]
        with publish_dir(folder) as staging:
            self.join_files(training_ids, staging / TRAIN_FILE)
            if request.validation_files:
                self.join_files(request.validation_files, staging / VAL_FILE)
            config = rerunnable(map_hyperparameters(request, base, folder))
            publish_text(staging / CONFIG_FILE, dump_yaml(config))

    def join_files(self, file_ids: Sequence[str], target: Path) -> None:
        """One file after the other, each ended by a line end.

        Raises:
            Refusal: 422, one was deleted meanwhile.
        """
        with naming_failed_writes(target), target.open("wb") as joined:
            for file_id in file_ids:
                with self.open_file(file_id) as file:
                    shutil.copyfileobj(file, joined, 2**20)
                    file.seek(-1, 2)
                    if file.read(1) != b"\n":
                        joined.write(b"\n")

    def open_file(self, file_id: str) -> BinaryIO:
        """The content of a file.

        Raises:
            Refusal: 422, it was deleted meanwhile.
        """
        try:
            return self.files.path(file_id).open("rb")
        except FileNotFoundError:
            raise Refusal(422, f"there is no file {file_id} any more") from None


def remarks(request: JobRequest) -> list[tuple[str, dict[str, Any]]]:
    """What a client should know of its request that no field of the reply says."""
    if not request.integrations:
        return []
    return [("note", {"text": "integrations are not reported to: figures stay on this machine"})]


@contextmanager
def refusing_illegal_steps(what: str) -> Iterator[None]:
    """Answer 409 where a job stands too far on to be `what`."""
    try:
        yield
    except IllegalStepError as error:
        raise Refusal(409, f"the job is {error.status} and cannot be {what}") from error


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
        page: Annotated[int, Query(ge=0, le=10**9)] = 0,
        page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
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
            for job in jobs.store.jobs()
            if (model is None or job.request.model == model)
            and (after is None or job.created_at > after)
            and (before is None or job.created_at < before)
            and (suffix is None or job.request.suffix == suffix)
            and (wandb_project is None or any(each.project == wandb_project for each in job.request.integrations))
            and (wandb_name is None or any(each.name == wandb_name for each in job.request.integrations))
        ]
        described = [describe_job(job, user_agent=user_agent) for job in chosen]
        found = [job for job in described if status is None or job["status"] == status]  # in the client's words
        return {"object": "list", "total": len(found), "data": found[page * page_size : (page + 1) * page_size]}

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

    def details(job: JobRecord, user_agent: str) -> JobDetails:
        return describe_details(job, jobs.store.events(job.id, names=DETAILS), user_agent=user_agent)

    return routes
