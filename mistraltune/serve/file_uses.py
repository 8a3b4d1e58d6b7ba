"""What was made with an uploaded file: the jobs, evaluations and comparisons that read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from typing_extensions import TypedDict

from mistraltune.serve.records import ENDED, ComparisonRecord, EvaluationRecord, FileRecord, Status, TrainingRecord
from mistraltune.serve.store import Store


class FileUse(TypedDict):
    """A job that was made with a file; it has a copy of its own and loses nothing when the file is deleted."""

    id: str
    kind: Literal["job", "evaluation", "comparison"]
    status: Status
    role: Literal["training", "validation", "evaluation"]


class UsesReply(TypedDict):
    """What was made with a file; of those that have not ended, how many."""

    file_id: str
    num_open: int
    uses: list[FileUse]


def describe_uses(store: Store, file: FileRecord) -> UsesReply:
    """The jobs that were made with a file, newest first of each kind."""
    uses = [*trainings_with(store, file), *evaluations_with(store, file)]
    return {
        "file_id": file.id,
        "num_open": sum(use["status"] not in ENDED for use in uses),
        "uses": uses,
    }


def trainings_with(store: Store, file: FileRecord) -> Iterator[FileUse]:
    """The fine-tuning jobs that train or validate on a file."""
    for job in store.jobs(TrainingRecord):
        if any(each.file_id == file.id for each in job.request.training_files):
            yield {"id": job.id, "kind": "job", "status": job.status, "role": "training"}
        elif file.id in job.request.validation_files:
            yield {"id": job.id, "kind": "job", "status": job.status, "role": "validation"}


def evaluations_with(store: Store, file: FileRecord) -> Iterator[FileUse]:
    """The evaluations and comparisons on a file."""
    for evaluation in store.jobs(EvaluationRecord):
        if evaluation.request.file_id == file.id:
            yield {"id": evaluation.id, "kind": "evaluation", "status": evaluation.status, "role": "evaluation"}
    for comparison in store.jobs(ComparisonRecord):
        if comparison.request.file_id == file.id:
            yield {"id": comparison.id, "kind": "comparison", "status": comparison.status, "role": "evaluation"}
