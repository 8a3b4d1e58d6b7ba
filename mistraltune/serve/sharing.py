"""Evaluations that need not be done again: what an earlier job found, laid where the next one looks for it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mistraltune.serve.commands import EVALS_DIR
from mistraltune.serve.records import ComparisonRecord, EvaluationRecord, JobRecord, Status
from mistraltune.serve.store import Store


def share_results(job: JobRecord, store: Store, folder: Path) -> None:
    """Link what earlier jobs found on the same rows into a job's folder.

    A report's name says of which model, file and sampling it is, and the command computes nothing that it finds. Links
    keep each job's folder its own: deleting one takes nothing from another.

    Args:
        job: The job that is about to start.
        store: Knows the earlier ones.
        folder: Holds a folder for each job.
    """
    if not isinstance(job, EvaluationRecord | ComparisonRecord) or job.request.file_id is None:
        return
    target = folder / job.id / EVALS_DIR
    for other in store.jobs(JobRecord, statuses=[Status.SUCCESS]):
        if not isinstance(other, EvaluationRecord | ComparisonRecord) or not is_alike(job, other):
            continue
        target.mkdir(exist_ok=True)
        found = (folder / other.id / EVALS_DIR).glob("*")
        for file in sorted(found, key=lambda path: path.suffix != ".jsonl"):  # where a report is, its predictions are
            with suppress(OSError):  # it is there already, or was deleted meanwhile: then it is computed
                (target / file.name).hardlink_to(file)


def is_alike(job: EvaluationRecord | ComparisonRecord, other: EvaluationRecord | ComparisonRecord) -> bool:
    """Whether both ask on the same rows in the same way, of whatever models."""
    names = ("file_id", "max_new_tokens", "limit", "evaluator", "judging")
    return all(getattr(job.request, name) == getattr(other.request, name) for name in names)
