"""The index rebuilt from the folders of files and jobs, which hold all that it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mistraltune.serve.event_copies import read_events
from mistraltune.serve.outcomes import outcome_of_job
from mistraltune.serve.processes import JOB, read_log
from mistraltune.serve.records import ENDED, RECORDS, FileRecord, JobRecord, Status
from mistraltune.serve.running import locked
from mistraltune.serve.store import Store, status_event


@dataclass
class Rebuilt:
    """What a rebuild found.

    Attributes:
        num_files: Files in the new index.
        num_jobs: Jobs in it.
        problems: A sentence for each folder that could not be read.
    """

    num_files: int = 0
    num_jobs: int = 0
    problems: list[str] = field(default_factory=list)


def rebuild(data_dir: Path) -> Rebuilt:
    """A new index in the place of the old one, which is kept as `server.db.old`.

    Raises:
        LockedError: A server has the data directory.
    """
    with locked(data_dir):
        for suffix in ("", "-wal", "-shm"):
            path = data_dir / f"server.db{suffix}"
            if path.exists():
                path.replace(data_dir / f"server.db.old{suffix}")
        store = Store(data_dir)
        try:
            return fill(store, data_dir)
        finally:
            store.close()


def fill(store: Store, data_dir: Path) -> Rebuilt:
    """Every folder's record, put into an empty index."""
    rebuilt = Rebuilt()
    for path in sorted(data_dir.glob("files/*/file.json")):
        try:
            store.add_file(FileRecord.model_validate_json(path.read_bytes()))
            rebuilt.num_files += 1
        except (OSError, ValidationError) as error:
            rebuilt.problems.append(f"{path} cannot be read: {error}")
    for path in sorted(data_dir.glob("jobs/*/job.json")):
        try:
            add_job(store, RECORDS.validate_json(path.read_bytes()), path.parent)
            rebuilt.num_jobs += 1
        except (OSError, ValidationError) as error:
            rebuilt.problems.append(f"{path} cannot be read: {error}")
    return rebuilt


def add_job(store: Store, job: JobRecord, folder: Path) -> None:
    """A job as its folder tells it; what its process left knows best whether it has finished.

    Its events are those that the folder has, by number and time, then what its log says behind them, then its present
    status. A log's lines carry no times: they get the time of the last one.
    """
    log = folder / f"{JOB}.log"
    logged_at = int(log.stat().st_mtime) if log.exists() else job.created_at
    outcome = outcome_of_job(job, folder)
    if outcome.status == Status.SUCCESS != job.status:
        changes = {"status": Status.SUCCESS, "modified_at": logged_at, "process": None, **outcome.changes}
        job = job.model_copy(update=changes)
    if job.status in ENDED:  # a copied folder has a younger log
        logged_at = min(logged_at, job.modified_at)
    copied = read_events(folder)
    events = [(event.created_at, (event.name, event.data)) for event in copied.events]
    if not events:
        events.append((job.created_at, status_event(Status.QUEUED)))
    offset = copied.log_offset
    while True:
        logged, end = read_log(folder, offset=offset)
        if end == offset:
            break
        events += [(logged_at, (event.pop("event"), event)) for event in logged]
        offset = end
    present = status_event(job.status)
    if present != next(event for _, event in reversed(events) if event[0] == present[0]):
        events.append((max(job.modified_at, logged_at), present))
    store.restore_job(job, events, log_offset=offset)
