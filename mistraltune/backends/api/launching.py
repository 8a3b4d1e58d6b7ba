"""From rows to a running job: each step is looked for before it is taken, so that no fault makes two of anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mistraltune.backends.api import options_of
from mistraltune.backends.api.answers import CONFLICT, RefusedError
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.ledger import Ledger
from mistraltune.backends.api.requests import job_request
from mistraltune.backends.api.uploads import Upload, ensure_uploaded
from mistraltune.backends.api.watching import Pacer, describe_events, look_at
from mistraltune.backends.api.wire import QUEUED, SUCCESS, UNDER_WAY, VALIDATED, Job
from mistraltune.config import TrainConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import GateError, RemoteJobError
from mistraltune.runs import RunDir

MIN_COST = 4.0
"""What Mistral's API charged for a job at least, in the currency of its price list, whatever the job said."""


@dataclass(frozen=True)
class Launch:
    """Brings the job of a run under way.

    Attributes:
        client: The API.
        config: What to ask for.
        run: Remembers how far it has come.
    """

    client: ApiClient
    config: TrainConfig
    run: RunDir

    def __call__(self, ledger: Ledger, files: Sequence[tuple[Upload, Sequence[Conversation]]]) -> Job:
        """The job of the run, started; or as it is, where it has gone further.

        Args:
            ledger: What the run remembers.
            files: Its rows, and what they are as a file.

        Raises:
            RemoteJobError: The API refused the data, or the job ended.
            GateError: The job would cost more than `max_cost`.
            TemporaryError: The API could not be reached for long.
            ApiError: It refused.
        """
        if ledger.job_id is None:
            known = self.find(ledger)  # asked before any row leaves: an API may have no jobs any more
            ledger = ledger.note(self.run.path, job_id=known.id) if known else self.create(self.upload(ledger, files))
        job = self.await_check(str(ledger.job_id))
        if job.status == VALIDATED:
            self.tell_plan(job)
            self.refuse_cost(job)
            self.drop_doubles(ledger)
        ledger.note(self.run.path, intent="start")  # of one that is under way, too: a stop then speaks of it as such
        return start_once(self.client, job.id) if job.status == VALIDATED else job

    def upload(self, ledger: Ledger, files: Sequence[tuple[Upload, Sequence[Conversation]]]) -> Ledger:
        """Have the rows at the API."""
        for upload, rows in files:
            what = "training" if upload.role == "train" else upload.role
            self.run.emit("phase", phase="upload", text=f"{what} rows: {upload.num_bytes:,} bytes to the API")
            ledger = ledger.note(self.run.path, intent="upload")
            file_id = ensure_uploaded(
                self.client,
                upload,
                rows,
                folder=self.run.path,
                on_progress=lambda done, total: self.run.emit("progress", what="uploading", done=done, total=total),
            )
            ledger = ledger.note(self.run.path, files={**ledger.files, upload.role: file_id})
        return ledger

    def create(self, ledger: Ledger) -> Ledger:
        """Have the one job of this run at the API."""

        def make() -> Job:
            try:
                return self.client.create_job(self.request(ledger))
            except RefusedError as error:
                if error.status == CONFLICT and (live := self.find_live(ledger)):
                    self.run.emit("note", text=f"{error.message}; following that job")
                    return live
                raise

        ledger = ledger.note(self.run.path, intent="create")
        job = self.client.retry.make_once(lambda: self.find(ledger), make)
        return ledger.note(self.run.path, job_id=job.id)

    def request(self, ledger: Ledger) -> dict[str, Any]:
        """What the job is asked for with."""
        return job_request(
            self.config,
            training_files=[ledger.files["train"]],
            validation_files=[ledger.files["validation"]] if "validation" in ledger.files else [],
            suffix=ledger.suffix,
        )

    def find(self, ledger: Ledger) -> Job | None:
        """The job that was asked for with this run's suffix; the first, should there be several."""
        return min(self.all_of(ledger), key=lambda job: (job.created_at, job.id), default=None)

    def all_of(self, ledger: Ledger) -> list[Job]:
        """The jobs that were asked for with this run's suffix."""
        return [job for job in self.client.jobs(suffix=ledger.suffix) if job.suffix == ledger.suffix]

    def find_live(self, ledger: Ledger) -> Job | None:
        """A job that does the same with the same rows, and has not ended: what an API should mean by a conflict."""
        request = self.request(ledger)
        wanted = {key: value for key, value in request["hyperparameters"].items() if key != "epochs"}  # told rounded
        for job in self.client.jobs(model=request["model"]):
            is_same = job.training_files == (ledger.files["train"],) and wanted.items() <= job.hyperparameters.items()
            if is_same and not job.has_ended:
                return job
        return None

    def await_check(self, job_id: str) -> Job:
        """The job, once its data was checked; whatever an unknown status means, it is waited out.

        Raises:
            RemoteJobError: The API found it wanting, or the job is gone.
        """
        pacer = Pacer(self.client.retry.clock)
        job = look_at(self.client, job_id)
        if not is_checked(job):
            self.run.emit("phase", phase="check", text=f"job {job.id}: the API checks the data")
        while not is_checked(job):
            pacer.pause(lambda: self.run.stop_requested)
            job = look_at(self.client, job_id)
        if job.has_ended and job.status != SUCCESS:
            raise job_failed(job)
        return job

    def tell_plan(self, job: Job) -> None:
        """Say what the job will do and cost, as the API has worked it out."""
        plan = job.plan
        facts = {
            "tokens": f"{plan.data_tokens:,}" if plan.data_tokens else None,
            "trained on in all": f"{plan.train_tokens:,}" if plan.train_tokens else None,
            "steps": f"{job.num_steps:,}" if job.num_steps else None,
            "epochs": f"{job.epochs:.2f}" if job.epochs else None,
            "cost": self.describe_cost(job),
            "about": f"{plan.expected_duration_seconds:,.0f} s" if plan.expected_duration_seconds else None,
        }
        self.run.emit("note", text=f"job {job.id}: " + ", ".join(f"{k} {v}" for k, v in facts.items() if v))

    def describe_cost(self, job: Job) -> str:
        """The job's cost in words."""
        plan = job.plan
        if plan.cost is None:
            return "not told"
        floor = f" (at least {MIN_COST:g} a job)" if self.client.endpoint.is_mistral else ""
        return f"{plan.cost:.2f} {plan.cost_currency or ''}".rstrip() + floor

    def refuse_cost(self, job: Job) -> None:
        """Leave the job unstarted where it would cost more than is allowed.

        Raises:
            GateError: It would, or the API does not say what it costs.
        """
        limit = options_of(self.config).max_cost
        if limit is None:
            return
        cost = job.plan.cost
        if cost is not None and max(cost, MIN_COST if self.client.endpoint.is_mistral else 0) <= limit:
            return
        at = f"--endpoint {self.client.endpoint.name}"
        raise GateError(
            f"job {job.id} was not started: cost {self.describe_cost(job)}, --max-cost is {limit:g}",
            hint=f"a higher --max-cost starts it; `mistraltune jobs cancel {job.id} {at}` ends it",
        )

    def drop_doubles(self, ledger: Ledger) -> None:
        """Cancel what a late answer may have left beside this run's job; none of it was ever started."""
        for job in self.all_of(ledger):
            if job.id != ledger.job_id and not job.has_ended:
                self.client.cancel_job(job.id)
                self.run.emit("note", text=f"job {job.id} was made twice over; cancelled before it started")


def start_once(client: ApiClient, job_id: str) -> Job:
    """The job, started now or before; it is looked at before each try.

    Raises:
        TemporaryError: The API could not be reached for long.
        ApiError: It refused.
    """

    def look() -> Job | None:
        seen = client.job(job_id)
        return seen if seen.status in (QUEUED, *UNDER_WAY) else None

    def make() -> Job:
        try:
            return client.start_job(job_id)
        except RefusedError as error:
            if error.status == CONFLICT and (started := look()):  # by somebody else, between our look and our call
                return started
            raise

    return client.retry.make_once(look, make)


def is_checked(job: Job) -> bool:
    """Whether a job waits to be started, or was."""
    return job.status in (VALIDATED, *UNDER_WAY)


def job_failed(job: Job, *, hint: str = "mend what it says; another --run-id makes another job") -> RemoteJobError:
    """The error that tells of a job without a model, with all that its API said."""
    said = "".join(f"\n  {line}" for line in describe_events(job.told_events()))
    return RemoteJobError(
        f"job {job.id} ended as {job.status}{said}",
        hint=hint,
        details={"job": {"id": job.id, "status": job.status}},
    )
