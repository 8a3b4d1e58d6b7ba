"""The index rebuilt from the folders of files and jobs, which hold all that it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mistraltune.errors import MistralTuneError
from mistraltune.runs import RunDir
from mistraltune.serve.mapping import RUN_ID
from mistraltune.serve.outcomes import tuned_name
from mistraltune.serve.records import FileRecord, JobRecord, Status
from mistraltune.serve.running import locked
from mistraltune.serve.store import Store, now
from mistraltune.serve.trainers import read_log


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
            add_job(store, JobRecord.model_validate_json(path.read_bytes()), path.parent)
            rebuilt.num_jobs += 1
        except (OSError, ValidationError) as error:
            rebuilt.problems.append(f"{path} cannot be read: {error}")
    return rebuilt


def add_job(store: Store, job: JobRecord, folder: Path) -> None:
    """A job as its folder tells it; of a training, the run directory knows best whether it has finished."""
    if is_finished(folder) and job.status != Status.SUCCESS:
        job = job.model_copy(
            update={
                "status": Status.SUCCESS,
                "modified_at": now(),
                "fine_tuned_model": tuned_name(job),
                "trained_tokens": int(RunDir(folder / RUN_ID).metrics.get("trained_tokens") or 0),
                "process": None,
            }
        )
    store.add_job(job)
    offset = 0
    while True:
        events, end = read_log(folder, offset=offset)
        if end == offset:
            return
        store.add_events(job.id, [(event.pop("event"), event) for event in events], log_offset=end)
        offset = end


def is_finished(folder: Path) -> bool:
    """Whether the training in a job's folder came to its end."""
    try:
        return RunDir(folder / RUN_ID).metadata.get("status") == "finished"
    except MistralTuneError:
        return False
