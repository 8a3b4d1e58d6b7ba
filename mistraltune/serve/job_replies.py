"""Jobs as clients read them: the fields, words and figures of Mistral's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistraltune.serve.records import DataPlan, Event, TrainingRecord, Status
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


def word_for(status: Status, user_agent: str) -> Status:
    """A status in the words that the client knows."""
    return FIRST_WORDS.get(status, status) if user_agent.startswith("mistral-client-python/0.") else status


def describe_job(job: TrainingRecord, *, user_agent: str = "") -> dict[str, Any]:
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
        "integrations": [integration.model_dump() | {"url": None} for integration in job.request.integrations],
        "trained_tokens": job.trained_tokens,
        "metadata": describe_plan(job.plan),
        "repositories": [],
    }


def describe_hyperparameters(job: TrainingRecord) -> dict[str, Any]:
    """What was asked for, steps and epochs as they turn out once the data is known."""
    wanted = job.request.hyperparameters.model_dump()
    if job.plan:
        wanted |= {"training_steps": job.plan.num_steps, "epochs": job.plan.epochs}
    return wanted


def describe_plan(plan: DataPlan | None) -> dict[str, Any]:
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
    }


def describe_dry_run(plan: DataPlan) -> dict[str, Any]:
    """The answer to `?dry_run=true`: a plan and no job."""
    return describe_plan(plan) | {
        "object": "job.metadata",
        "details": "Training on the machine that the server runs on; nothing is charged.",
        "deprecated": True,
        "epochs": plan.epochs,
        "training_steps": plan.num_steps,
        "estimated_start_time": now(),
    }


def describe_details(job: TrainingRecord, events: Sequence[Event], *, user_agent: str = "") -> dict[str, Any]:
    """A job with its events and checkpoints, newest checkpoint first."""
    return describe_job(job, user_agent=user_agent) | {
        "events": [describe_event(event, user_agent) for event in events if event.name in TOLD_EVENTS],
        "checkpoints": describe_checkpoints(events),
        "estimated_start_time": None,
    }


def describe_event(event: Event, user_agent: str = "") -> dict[str, Any]:
    """An event in a job's details."""
    data = dict(event.data)
    if event.name == "status-updated":
        data["status"] = word_for(Status(data["status"]), user_agent)
    return {"name": event.name, "created_at": event.created_at, "data": data}


def describe_checkpoints(events: Sequence[Event]) -> list[dict[str, Any]]:
    """One checkpoint a logged or validated step.

    Losses are nats per trained token, and `valid_mean_token_accuracy` is the share of validation tokens that the model
    finds most likely (Mistral's own figure of that name is a perplexity). A step without a figure says null.
    """
    steps: dict[int, dict[str, Any]] = {}
    for event in events:
        if event.name not in FIGURE_EVENTS:
            continue
        step = event.data["step"]
        empty = {"train_loss": None, "valid_loss": None, "valid_mean_token_accuracy": None}
        checkpoint = steps.setdefault(step, {"metrics": empty, "step_number": step})
        checkpoint["created_at"] = event.created_at
        if event.name == "step":  # one that was repeated after an interruption counts as it came last
            checkpoint["metrics"]["train_loss"] = event.data["loss"]
        else:
            checkpoint["metrics"]["valid_loss"] = event.data["val_loss"]
            checkpoint["metrics"]["valid_mean_token_accuracy"] = event.data.get("val_accuracy")
    return [steps[step] for step in sorted(steps, reverse=True)]
