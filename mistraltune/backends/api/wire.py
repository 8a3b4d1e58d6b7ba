"""What a fine-tuning API says of jobs, as far as we read it: unknown fields, statuses and kinds are let through.

Fields as of Mistral's OpenAPI description and its Python client 2.5.1.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

SUCCESS = "SUCCESS"
QUEUED = "QUEUED"
VALIDATING = "VALIDATING"
VALIDATED = "VALIDATED"
ENDED = (SUCCESS, "FAILED", "FAILED_VALIDATION", "CANCELLED")
UNDER_WAY = ("STARTED", "RUNNING", "CANCELLATION_REQUESTED", *ENDED)
"""What only a job is that was started. QUEUED it is before its check, and again once it is started."""

KNOWN = (QUEUED, VALIDATING, VALIDATED, *UNDER_WAY)


class Answer(BaseModel):
    """Base of what is read: fields that are not known here are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Listed(Answer):
    """What lists hold: things with an id."""

    id: Annotated[str, Field(min_length=1, max_length=200)]


class Plan(Answer):
    """A job's `metadata`: what its data comes to; None where it is not known yet."""

    expected_duration_seconds: float | None = None
    cost: float | None = None
    cost_currency: str | None = None
    train_tokens_per_step: int | None = None
    train_tokens: int | None = None
    data_tokens: int | None = None


class Event(Answer):
    """Something that happened to a job."""

    name: str
    created_at: float = 0
    data: dict[str, Any] | None = None


class Figures(Answer):
    """A checkpoint's metrics, in nats per trained token."""

    train_loss: float | None = None
    valid_loss: float | None = None
    # `valid_mean_token_accuracy` is left out: at Mistral's it was 2 ** valid_loss, no accuracy.

    @field_validator("valid_loss")
    @classmethod
    def unless_zero(cls, value: float | None) -> float | None:
        """None for 0.0, which a step without a validation carries."""
        return value or None


class Checkpoint(Answer):
    """The figures of one step."""

    step_number: int
    metrics: Figures = Figures()


class Job(Listed):
    """A fine-tuning job; events and checkpoints only where it was asked for alone."""

    status: str | None = None
    model: str = ""
    created_at: float = 0
    suffix: str | None = None
    auto_start: bool = False
    fine_tuned_model: str | None = None
    training_files: tuple[str, ...] = ()
    validation_files: tuple[str, ...] | None = None
    hyperparameters: dict[str, Any] = {}
    trained_tokens: int | None = None
    metadata: Plan | None = None
    events: tuple[Event, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ENDED

    @property
    def is_unstarted(self) -> bool:
        """Whether somebody has to start it before it trains, as far as it tells."""
        if self.status == QUEUED:  # before its check, or again once it was started
            told = [(event.data or {}).get("status") for event in self.events]
            return not self.auto_start and QUEUED in told and VALIDATED not in told
        return not self.auto_start and self.status in (VALIDATING, VALIDATED)

    @property
    def plan(self) -> Plan:
        """What its data comes to, as far as that is known."""
        return self.metadata or Plan()

    @property
    def num_steps(self) -> int | None:
        """Optimizer steps, where they are known."""
        steps = self.hyperparameters.get("training_steps")
        return steps if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0 else None

    @property
    def epochs(self) -> float | None:
        """Passes over the data: as the job says, else by its tokens."""
        said = self.hyperparameters.get("epochs")
        if isinstance(said, int | float) and not isinstance(said, bool) and said > 0:
            return float(said)
        plan = self.plan
        return plan.train_tokens / plan.data_tokens if plan.train_tokens and plan.data_tokens else None

    @property
    def last_step(self) -> int:
        """The newest step that it has figures of; 0 where it has none."""
        return max((checkpoint.step_number for checkpoint in self.checkpoints), default=0)

    def told_events(self) -> list[Event]:
        """Its events, oldest first; APIs send them in either order, and several of one second."""
        is_newest_first = bool(self.events) and self.events[0].created_at > self.events[-1].created_at
        return sorted(self.events[::-1] if is_newest_first else self.events, key=lambda event: event.created_at)

    def steps(self) -> list[Checkpoint]:
        """Its checkpoints, first step first; APIs send the newest first."""
        return sorted(self.checkpoints, key=lambda checkpoint: checkpoint.step_number)


class JobPage(Answer):
    """One page of a list of jobs."""

    data: tuple[Job, ...]
    total: int | None = None


class RemoteFile(Listed):
    """An uploaded file."""

    filename: str
    num_bytes: int | None = None


class ModelCard(Listed):
    """A model that can be asked."""

    created: float = 0
    owned_by: str = ""
    type: str = ""


class ModelPage(Answer):
    """A list of models."""

    data: tuple[ModelCard, ...]
