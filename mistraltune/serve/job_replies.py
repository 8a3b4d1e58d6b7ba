"""Jobs as clients read them: the fields, words and figures of Mistral's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from mistraltune.serve.records import DataPlan, Event, Status, TrainingRecord
from mistraltune.serve.store import now

FIGURE_EVENTS = ("step", "validation")
"""Events that become checkpoints on the wire."""

TOLD_EVENTS = ("status-updated", "error", "note")
"""Events that a job's details list; the WebSocket has all."""

DETAILS = (*FIGURE_EVENTS, *TOLD_EVENTS)

FIRST_WORDS = {
    Status.VALIDATING: Status.QUEUED,
    Status.VALIDATED: Status.QUEUED,
    Status.FAILED_VALIDATION: Status.FAILED,
}
"""What the Python client before 1.0 calls the statuses that came later; any other word breaks it."""


class HyperparametersReply(TypedDict):
    """What was asked for; steps and epochs as they turn out, once the data is known."""

    training_steps: int | None
    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    epochs: float | None
    seq_len: int | None
    fim_ratio: float | None


class IntegrationReply(TypedDict):
    """A tracker; nothing is reported to it."""

    type: Literal["wandb"]
    project: str
    name: str | None
    run_name: str | None
    url: None


class PlanReply(TypedDict):
    """What a job will do; nothing but nulls before its data is checked."""

    expected_duration_seconds: int | None
    cost: float | None
    cost_currency: str | None
    train_tokens_per_step: int | None
    train_tokens: int | None
    data_tokens: int | None
    estimated_start_time: int | None
    rows_per_step: int | None
    num_rows: int | None
    num_rows_left_out: int | None
    memory_device: Literal["gpu", "cpu"] | None
    memory_bytes: int | None
    memory_free_bytes: int | None
    disk_bytes: int | None
    disk_free_bytes: int | None


class DryRunReply(PlanReply):
    """A plan and no job."""

    object: Literal["job.metadata"]
    details: str
    deprecated: bool
    epochs: float
    training_steps: int


class JobReply(TypedDict):
    """A job as a list shows it."""

    id: str
    object: Literal["job"]
    job_type: Literal["completion"]
    model: str
    status: Status
    auto_start: bool
    created_at: int
    modified_at: int
    training_files: list[str]
    validation_files: list[str]
    hyperparameters: HyperparametersReply
    fine_tuned_model: str | None
    suffix: str | None
    integrations: list[IntegrationReply]
    trained_tokens: int | None
    metadata: PlanReply
    repositories: list[str]


class JobList(TypedDict):
    """Jobs, newest first."""

    object: Literal["list"]
    total: int
    data: list[JobReply]


class EventReply(TypedDict):
    """Something that happened to a job."""

    name: str
    created_at: int
    data: dict[str, Any]


class CheckpointMetrics(TypedDict):
    """The figures of a step; null where it has none."""

    train_loss: float | None
    valid_loss: float | None
    valid_mean_token_accuracy: float | None


class CheckpointReply(TypedDict):
    """A logged or validated step."""

    metrics: CheckpointMetrics
    step_number: int
    created_at: int


class JobDetails(JobReply):
    """A job with its events and checkpoints, newest checkpoint first."""

    events: list[EventReply]
    checkpoints: list[CheckpointReply]
    estimated_start_time: int | None


def word_for(status: Status, user_agent: str) -> Status:
    """A status in the words that the client knows."""
    return FIRST_WORDS.get(status, status) if user_agent.startswith("mistral-client-python/0.") else status


def describe_job(job: TrainingRecord, *, user_agent: str = "") -> JobReply:
    """A job as a list shows it."""
    return {
        "id": job.id,
        "object": "job",
        "job_type": "completion",
        "model": job.request.model,
        "status": word_for(job.status, user_agent),
        "auto_start": job.request.starts_itself,
        "created_at": job.created_at,
        "modified_at": job.modified_at,
        "training_files": [file.file_id for file in job.request.training_files],
        "validation_files": list(job.request.validation_files),
        "hyperparameters": describe_hyperparameters(job),
        "fine_tuned_model": job.fine_tuned_model,
        "suffix": job.request.suffix,
        "integrations": [
            {
                "type": integration.type,
                "project": integration.project,
                "name": integration.name,
                "run_name": integration.run_name,
                "url": None,
            }
            for integration in job.request.integrations
        ],
        "trained_tokens": job.trained_tokens,
        "metadata": describe_plan(job.plan),
        "repositories": [],
    }


def describe_hyperparameters(job: TrainingRecord) -> HyperparametersReply:
    """What was asked for, steps and epochs as they turn out once the data is known."""
    wanted, plan = job.request.hyperparameters, job.plan
    return {
        "training_steps": plan.num_steps if plan else wanted.training_steps,
        "learning_rate": wanted.learning_rate,
        "weight_decay": wanted.weight_decay,
        "warmup_fraction": wanted.warmup_fraction,
        "epochs": plan.epochs if plan else wanted.epochs,
        "seq_len": wanted.seq_len,
        "fim_ratio": wanted.fim_ratio,
    }


def describe_plan(plan: DataPlan | None) -> PlanReply:
    """A job's `metadata`; nothing but nulls before its data is checked."""
    return {
        "expected_duration_seconds": plan.expected_seconds if plan else None,
        "cost": 0.0 if plan else None,
        "cost_currency": "USD" if plan else None,
        "train_tokens_per_step": plan.tokens_per_step if plan else None,
        "train_tokens": plan.train_tokens if plan else None,
        "data_tokens": plan.data_tokens if plan else None,
        "estimated_start_time": None,
        "rows_per_step": plan.rows_per_step if plan else None,
        "num_rows": plan.num_rows if plan else None,
        "num_rows_left_out": plan.num_dropped if plan else None,
        "memory_device": plan.memory_device if plan else None,
        "memory_bytes": plan.memory_bytes if plan else None,
        "memory_free_bytes": plan.memory_free_bytes if plan else None,
        "disk_bytes": plan.disk_bytes if plan else None,
        "disk_free_bytes": plan.disk_free_bytes if plan else None,
    }


def describe_dry_run(plan: DataPlan) -> DryRunReply:
    """The answer to `?dry_run=true`: a plan and no job."""
    return {
        **describe_plan(plan),
        "object": "job.metadata",
        "details": "Training on the machine that the server runs on; nothing is charged.",
        "deprecated": True,
        "epochs": plan.epochs,
        "training_steps": plan.num_steps,
        "estimated_start_time": now(),
    }


def describe_details(job: TrainingRecord, events: Sequence[Event], *, user_agent: str = "") -> JobDetails:
    """A job with its events and checkpoints, newest checkpoint first."""
    return {
        **describe_job(job, user_agent=user_agent),
        "events": [describe_event(event, user_agent) for event in events if event.name in TOLD_EVENTS],
        "checkpoints": describe_checkpoints(events),
        "estimated_start_time": None,
    }


def describe_event(event: Event, user_agent: str = "") -> EventReply:
    """An event in a job's details."""
    data = dict(event.data)
    if event.name == "status-updated":
        data["status"] = word_for(Status(data["status"]), user_agent)
    return {"name": event.name, "created_at": event.created_at, "data": data}


def describe_checkpoints(events: Sequence[Event]) -> list[CheckpointReply]:
    """One checkpoint a logged or validated step.

    Losses are nats per trained token, and `valid_mean_token_accuracy` is the share of validation tokens that the model
    finds most likely (Mistral's own figure of that name is a perplexity). A step without a figure says null.
    """
    steps: dict[int, CheckpointReply] = {}
    for event in events:
        if event.name not in FIGURE_EVENTS:
            continue
        step = event.data["step"]
        empty: CheckpointMetrics = {"train_loss": None, "valid_loss": None, "valid_mean_token_accuracy": None}
        checkpoint = steps.setdefault(step, {"metrics": empty, "step_number": step, "created_at": event.created_at})
        checkpoint["created_at"] = event.created_at
        if event.name == "step":  # one that was repeated after an interruption counts as it came last
            checkpoint["metrics"]["train_loss"] = event.data["loss"]
        else:
            checkpoint["metrics"]["valid_loss"] = event.data["val_loss"]
            checkpoint["metrics"]["valid_mean_token_accuracy"] = event.data.get("val_accuracy")
    return [steps[step] for step in sorted(steps, reverse=True)]
