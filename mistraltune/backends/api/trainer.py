"""Training by an API: rows go there, a job comes of them, its figures and its model come back into the run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from statistics import fmean
from typing import Any

from mistraltune.backends.api import options_of
from mistraltune.backends.api.answers import BadResponseError, plain
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.connection import ORDINARY, Patience
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.backends.api.launching import Launch, job_failed
from mistraltune.backends.api.ledger import Ledger
from mistraltune.backends.api.requests import job_request
from mistraltune.backends.api.retrying import SYSTEM_CLOCK, Clock, Retrier
from mistraltune.backends.api.uploads import Upload, check_limits, measure
from mistraltune.backends.api.watching import Watch, detached, not_started
from mistraltune.backends.api.wire import SUCCESS, Job
from mistraltune.config import TrainConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import Stopped
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir


class ApiTrainer:
    """The Trainer of the api backend.

    Args:
        config: What to train.
        endpoint: Where.
        clock: Time.
        patience: How long to wait for answers.
    """

    def __init__(
        self, config: TrainConfig, endpoint: Endpoint, *, clock: Clock = SYSTEM_CLOCK, patience: Patience = ORDINARY
    ) -> None:
        self.config = config
        self.options = options_of(config)
        self.endpoint = endpoint
        self.clock = clock
        self.patience = patience

    def preview(self, train: Sequence[Conversation], validation: Sequence[Conversation]) -> dict[str, Any]:
        """What would be uploaded and asked for.

        Raises:
            DataError: Files are larger than Mistral's API takes, which is where they are to go.
        """
        files = uploads(train, validation)
        warnings = check_limits(self.endpoint, files, ignore=self.options.ignore_limits)
        names = {each.role: each.name for each in files}
        request = job_request(
            self.config,
            training_files=[names["train"]],
            validation_files=[names["validation"]] if "validation" in names else [],
            suffix=self.options.suffix,
        )
        return {
            "endpoint": {"name": self.endpoint.name, "url": self.endpoint.url},
            "uploads": [
                {"file": each.name, "num_rows": each.num_rows, "num_bytes": each.num_bytes, "sha256": each.sha256}
                for each in files
            ],
            "request": request,
            "warnings": warnings,
        }

    def train(
        self, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir
    ) -> TrainResult | None:
        """Bring the run's one job under way, wherever it stands, and watch it to its end; None once detached.

        Raises:
            ConfigError: The key is missing.
            Stopped: A stop was requested; a job that was started goes on.
            RemoteJobError: It ended without a model.
            GateError: It would cost too much.
            TemporaryError: The API could not be reached for long.
            ApiError: It refused.
        """
        retry = Retrier(
            self.clock, on_wait=lambda text: run.emit("note", text=text), should_stop=lambda: run.stop_requested
        )
        with closing(ApiClient(self.endpoint, retry=retry, patience=self.patience)) as client:
            try:
                job = self.launch(client, train, validation, run)
                if self.options.detach and not job.has_ended:
                    run.emit("note", text=f"job {job.id} is on its way; the same command takes it up again")
                    return None
                job = self.watch(client, job, run)
            except Stopped:
                raise self.stopped(client, run) from None
        if job.status != SUCCESS:
            raise job_failed(job)
        return self.result(job, num_rows=len(train))

    def launch(
        self, client: ApiClient, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir
    ) -> Job:
        """The run's job, on its way or further; its rows are needed until there is one."""
        ledger = self.ledger(run)
        sets = [rows for rows in (train, validation) if rows] if ledger.job_id is None else []
        files = list(zip(uploads(train, validation), sets, strict=True)) if sets else []
        return Launch(client, self.config, run)(ledger, files)

    def ledger(self, run: RunDir) -> Ledger:
        """What the run remembers of its job."""
        return Ledger.open(run.path, self.endpoint, suffix=self.options.suffix)

    def watch(self, client: ApiClient, job: Job, run: RunDir) -> Job:
        """The job at its end; what the run's metrics hold already is not told again."""
        history = run.history()
        run.rewind(max((entry["step"] for entry in history), default=0))  # a line that a kill has torn goes
        told = [(entry["event"], entry["step"]) for entry in history]
        return Watch(client, job.id, tell=run.emit, told=told).follow(lambda: run.stop_requested)

    def stopped(self, client: ApiClient, run: RunDir) -> Stopped:
        """What to say of a stop: where the job is, if there is one already."""
        ledger = self.ledger(run)
        if ledger.job_id is None:
            return Stopped("stopped before there was a job", hint="the same command goes on from here")
        if ledger.intent != "start":
            stop = not_started(client, ledger.job_id)
            return Stopped(stop.message, hint=f"the same command goes on and starts it; {stop.hint}")
        stop = detached(client, ledger.job_id)
        return Stopped(stop.message, hint=f"{stop.hint}, and so does the command that you gave")

    def result(self, job: Job, *, num_rows: int) -> TrainResult:
        """What a job that succeeded comes to.

        Raises:
            BadResponseError: It names no model.
        """
        if not job.fine_tuned_model:
            raise BadResponseError(f"job {job.id} succeeded, and {self.endpoint.url} names no model")
        losses = [each.metrics.train_loss for each in job.steps() if each.metrics.train_loss is not None]
        validations = [each.metrics.valid_loss for each in job.steps() if each.metrics.valid_loss is not None]
        metrics: dict[str, float | int | None] = {
            "train_loss": fmean(losses) if losses else None,
            "val_loss": validations[-1] if validations else None,
            "train_seconds": seconds_of(job),
            "train_tokens": job.plan.train_tokens,
            "trained_tokens": job.trained_tokens,
            "num_steps": job.num_steps,
            "num_rows": num_rows,
            "cost": job.plan.cost,
        }
        details = {
            "job_id": job.id,
            "endpoint": {"name": self.endpoint.name, "url": self.endpoint.url},
            "hyperparameters": {k: v for k, v in job.hyperparameters.items() if isinstance(v, int | float)},
            "cost_currency": plain(job.plan.cost_currency or ""),
            "files": [plain(file_id) for file_id in job.training_files],
        }
        model = ModelRef(backend="api", model=plain(job.fine_tuned_model), endpoint=self.endpoint.name)
        return TrainResult(model=model, metrics=metrics, details=details)


def uploads(train: Sequence[Conversation], validation: Sequence[Conversation]) -> list[Upload]:
    """The files that the rows become."""
    return [measure("train", train), *([measure("validation", validation)] if validation else [])]


def seconds_of(job: Job) -> float | None:
    """How long a job ran, by its events."""
    at = {str((event.data or {}).get("status")): event.created_at for event in job.told_events()}
    return at[SUCCESS] - at["RUNNING"] if {SUCCESS, "RUNNING"} <= set(at) else None
