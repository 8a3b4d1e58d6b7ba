"""What the server remembers of files, jobs and their events."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mistraltune.results import ModelRef
from mistraltune.serve.evaluation_figures import ComparisonFigures, EvaluationFigures
from mistraltune.serve.evaluation_requests import ComparisonRequest, EvaluationRequest
from mistraltune.serve.job_requests import JobRequest


class Status(StrEnum):
    """Where a job stands, in the words of the wire."""

    QUEUED = "QUEUED"
    VALIDATING = "VALIDATING"
    VALIDATED = "VALIDATED"
    RUNNING = "RUNNING"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    FAILED_VALIDATION = "FAILED_VALIDATION"
    CANCELLED = "CANCELLED"


ENDED = frozenset({Status.SUCCESS, Status.FAILED, Status.FAILED_VALIDATION, Status.CANCELLED})
OPEN = tuple(status for status in Status if status not in ENDED)

FOLLOWING: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.VALIDATING, Status.RUNNING, Status.CANCELLED, Status.FAILED}),
    Status.VALIDATING: frozenset(
        {Status.VALIDATED, Status.QUEUED, Status.FAILED_VALIDATION, Status.FAILED, Status.CANCELLED}
    ),
    Status.VALIDATED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCESS, Status.FAILED, Status.QUEUED, Status.CANCELLATION_REQUESTED}),
    Status.CANCELLATION_REQUESTED: frozenset({Status.CANCELLED, Status.SUCCESS, Status.FAILED}),
    Status.SUCCESS: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.FAILED_VALIDATION: frozenset(),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}
"""Which status may follow which; a training that was cancelled or failed can be resumed."""


class Record(BaseModel):
    """Base of what is remembered: immutable, strict about its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


class FileRecord(Record):
    """An uploaded file."""

    id: str
    created_at: int
    """Seconds since 1970, as all times on the wire."""
    filename: str
    """As the client called it; text only, never a path here."""
    num_bytes: int
    sha256: str
    num_lines: int
    mimetype: str


class ProcessMark(Record):
    """A process, told apart from a later one with the same number."""

    pid: int
    create_time: float


class DataPlan(Record):
    """What a job will do, known once its data is checked."""

    num_steps: int
    epochs: float
    data_tokens: int
    """Tokens of the training rows, each counted once."""
    tokens_per_step: int
    train_tokens: int
    """Tokens that all steps see together."""
    num_rows: int
    num_dropped: int
    rows_per_step: int
    expected_seconds: int | None = None
    """How long the training may take, by the last one of the same model on this machine; None before there was one."""
    memory_device: Literal["gpu", "cpu"] | None = None
    memory_bytes: int | None = None
    """What the training takes of that device's memory at its longest batch, estimated; None where the model's
    configuration names its dimensions otherwise."""
    memory_free_bytes: int | None = None
    """Of that memory, when the data was checked; None where nothing says so."""
    disk_bytes: int | None = None
    """What checkpoints and adapter take."""
    disk_free_bytes: int | None = None
    """Where they will lie, when the data was checked."""


class TunedModel(Record):
    """What was said about a job's model since."""

    name: str | None = None
    description: str | None = None
    is_archived: bool = False
    is_deleted: bool = False


class JobRecord(Record):
    """A job of the queue, whatever it does: something that a process of its own works on."""

    kind: str
    """One of `KINDS`."""
    id: str
    created_at: int
    modified_at: int
    status: Status = Status.QUEUED
    num_attempts: int = 0
    """Processes started since the last one that ended well or was stopped by the server."""
    process: ProcessMark | None = None
    """What works on it."""

    @property
    def is_checked(self) -> bool:
        """Whether it can run as soon as its turn comes."""
        return True


class TrainingRecord(JobRecord):
    """A fine-tuning job."""

    kind: Literal["training"] = "training"
    request: JobRequest
    """As it came, without keys."""
    base: ModelRef
    """What the model's public name stood for when the job was made."""
    is_started: bool
    """Whether it may run as soon as its data is checked."""
    plan: DataPlan | None = None
    fine_tuned_model: str | None = None
    finished_at: int | None = None
    """When its model was made; None before, and in records that are older than this field."""
    trained_tokens: int | None = None
    tuned: TunedModel = TunedModel()

    @property
    def is_checked(self) -> bool:
        """Whether its data is checked and measured."""
        return self.plan is not None

    @property
    def model_created_at(self) -> int:
        """When its model was made."""
        return self.finished_at or self.modified_at


class EvaluationRecord(JobRecord):
    """An evaluation of one model."""

    kind: Literal["evaluation"] = "evaluation"
    request: EvaluationRequest
    model: ModelRef
    """What the model's name stood for when the job was made."""
    figures: EvaluationFigures | None = None
    """Known once it has succeeded."""


class ComparisonRecord(JobRecord):
    """A comparison of two models."""

    kind: Literal["comparison"] = "comparison"
    request: ComparisonRequest
    base: ModelRef
    fine_tuned: ModelRef
    figures: ComparisonFigures | None = None
    """Known once it has succeeded on a file; prompts have no right answers."""


KINDS = ("training", "evaluation", "comparison")

AnyRecord = TrainingRecord | EvaluationRecord | ComparisonRecord

RECORDS: TypeAdapter[AnyRecord] = TypeAdapter(Annotated[AnyRecord, Field(discriminator="kind")])
"""Reads a record of any kind."""


class Event(NamedTuple):
    """Something that happened to a job; appended, never changed."""

    seq: int
    """1, 2, 3, ... within a job."""
    created_at: int
    name: str
    data: dict[str, Any]
