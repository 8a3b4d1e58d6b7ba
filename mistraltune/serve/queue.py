"""The queue that all jobs stand in: taken in, found, and forgotten."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mistraltune.publishing import discard, publish_dir
from mistraltune.serve.records import ENDED, AnyRecord, JobRecord, Status, TrainingRecord
from mistraltune.serve.refusals import Refusal, unknown
from mistraltune.serve.store import IllegalStepError, Kind, NewEvent, Store
from mistraltune.settings import ServerSettings

RESUMABLE = (Status.CANCELLED, Status.FAILED)
"""How a job must have ended to be resumed; data that was refused stays as it is."""


class Queue:
    """The jobs of a data directory.

    Args:
        store: Their index.
        folder: Holds a folder for each.
        settings: The server's limits.
    """

    def __init__(self, store: Store, folder: Path, settings: ServerSettings) -> None:
        self.store = store
        self.folder = folder
        self.settings = settings
        self._adding = threading.Lock()

    def add(self, job: AnyRecord, fill: Callable[[Path], None], events: Sequence[NewEvent] = ()) -> None:
        """Take a new job in.

        Args:
            job: The job.
            fill: Writes what its process will read into its folder.
            events: What is told of it at once.

        Raises:
            Refusal: 409 a job like it is open, 429 too many jobs are open.
        """
        with self._adding:
            open_jobs = self.store.open_jobs()
            for other in open_jobs:
                if isinstance(other, type(job)) and other.request == job.request:
                    raise Refusal(409, f"job {other.id} asks for the same and is {other.status}; cancel it first")
            self.refuse_crowd(len(open_jobs))
            with publish_dir(self.folder / job.id) as staging:
                fill(staging)
            try:
                self.store.add_job(job, events=events)
            except BaseException:
                shutil.rmtree(self.folder / job.id, ignore_errors=True)
                raise

    def resume(self, job: TrainingRecord) -> TrainingRecord:
        """Put a training that was cancelled or failed back into the queue; it goes on from its newest checkpoint.

        Raises:
            IllegalStepError: It has not ended so.
            Refusal: 429 too many jobs are open.
        """
        with self._adding:
            job = self.store.find_job(job.id, TrainingRecord) or job
            if job.status not in RESUMABLE:
                raise IllegalStepError(job.status)
            self.refuse_crowd(len(self.store.open_jobs()))
            events = [("note", {"text": "resumed"})]
            return self.store.update_job(job, status=Status.QUEUED, events=events, is_started=True, num_attempts=0)

    def refuse_crowd(self, num_open: int) -> None:
        """Make sure that one more job may be open.

        Raises:
            Refusal: 429.
        """
        if num_open >= self.settings.max_open_jobs:
            raise Refusal(429, f"{num_open} jobs are open; wait for one to end", headers={"Retry-After": "60"})

    def find(self, job_id: str, kind: type[Kind], *, noun: str = "job") -> Kind:
        """The job of that id and kind.

        Raises:
            Refusal: 404.
        """
        job = self.store.find_job(job_id, kind)
        if job is None:
            raise unknown(noun, job_id)
        return job

    def forget(self, job: JobRecord) -> None:
        """Remove a job that has ended, with all that it left.

        Raises:
            Refusal: 409, it has not ended.
        """
        if job.status not in ENDED:
            raise Refusal(409, f"the job is {job.status}; cancel it first")
        self.store.forget_job(job.id)
        discard(self.folder / job.id)


def new_id() -> str:
    """An id that nobody else chooses."""
    return str(uuid4())


@contextmanager
def refusing_illegal_steps(what: str) -> Iterator[None]:
    """Answer 409 where a job stands too far on to be `what`."""
    try:
        yield
    except IllegalStepError as error:
        raise Refusal(409, f"the job is {error.status} and cannot be {what}") from error
