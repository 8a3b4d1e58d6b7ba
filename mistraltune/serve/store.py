"""The index of files, jobs and events: one SQLite file, one connection, every acknowledged change on the disk.

What it knows of a file or a job has a copy in its folder (`file.json`, `job.json`, `events.jsonl`), from which
`reindex` rebuilds the index.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import publish_text
from mistraltune.serve.event_copies import Place, append_events, read_events
from mistraltune.serve.records import FOLLOWING, OPEN, RECORDS, Event, FileRecord, JobRecord, Status
from mistraltune.serve.store_schema import prepare

REPLY_SECONDS = 24 * 3600
"""How long a reply is kept under an Idempotency-Key."""

NewEvent = tuple[str, dict[str, Any]]
"""Name and data of an event that has no number yet."""

Kind = TypeVar("Kind", bound=JobRecord)
"""The record of a job of some kind."""


class IllegalStepError(Exception):
    """A status that may not follow the job's present one.

    Attributes:
        status: The present one.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(f"the job is {status}")
        self.status = status


class KeptReply(NamedTuple):
    """What was answered to a request that names an Idempotency-Key.

    Attributes:
        request_sha256: Of that request.
        body: The answer.
    """

    request_sha256: str
    body: bytes


class Store:
    """Files, jobs, their events, and replies that may be asked for again.

    Safe in threads: one connection behind one lock. Only one process may have it open, which the data directory's lock
    sees to.

    Args:
        data_dir: Holds `server.db`, `files/` and `jobs/`.

    Raises:
        ConfigError: The file is damaged, or of another version.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.path = data_dir / "server.db"
        self._lock = threading.RLock()
        self._copied: dict[str, Place] = {}  # by job: up to where its folder has its events
        self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            prepare(self._connection, self.path)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError):
                raise TemporaryError(f"{self.path} cannot be opened: {error}") from error
            hint = f"`mistraltune serve reindex --data-dir {data_dir}` rebuilds it from the job folders"
            raise ConfigError(f"{self.path} is damaged: {error}", hint=hint) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block is stored, or nothing; the lock keeps other threads out."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite rolls back by itself where the disk is full
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    # Files

    def add_file(self, record: FileRecord) -> None:
        """Remember a file."""
        values = (record.id, record.created_at, record.sha256, record.filename, record.model_dump_json())
        with self._transaction() as connection:
            connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)", values)

    def find_file(self, file_id: str) -> FileRecord | None:
        """The file of that id."""
        rows = self._rows("SELECT document FROM files WHERE id = ?", file_id)
        return FileRecord.model_validate_json(rows[0][0]) if rows else None

    def find_same_file(self, filename: str, sha256: str) -> FileRecord | None:
        """A file of the same name and content."""
        rows = self._rows("SELECT document FROM files WHERE sha256 = ? AND filename = ?", sha256, filename)
        return FileRecord.model_validate_json(rows[0][0]) if rows else None

    def files(self) -> list[FileRecord]:
        """All files, newest first."""
        rows = self._rows("SELECT document FROM files ORDER BY created_at DESC, rowid DESC")
        return [FileRecord.model_validate_json(document) for (document,) in rows]

    def forget_file(self, file_id: str) -> None:
        """Remove a file's row."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM files WHERE id = ?", (file_id,))

    # Jobs

    def add_job(self, record: JobRecord, events: Sequence[NewEvent] = ()) -> None:
        """Remember a new job, with its first events."""
        values = (record.id, record.created_at, record.status, record.model_dump_json())
        with self._transaction() as connection:
            connection.execute("INSERT INTO jobs (id, created_at, status, document) VALUES (?, ?, ?, ?)", values)
            append(connection, record.id, [status_event(record.status), *events])
        self.copy(record)

    def restore_job(self, record: JobRecord, events: Sequence[tuple[int, NewEvent]], *, log_offset: int) -> None:
        """Remember a job again as its folder tells it, with events and their times."""
        values = (record.id, record.created_at, record.status, log_offset, record.model_dump_json())
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (id, created_at, status, log_offset, document) VALUES (?, ?, ?, ?, ?)", values
            )
            for at, event in events:
                append(connection, record.id, [event], at=at)
        self.copy(record)

    def find_job(self, job_id: str, kind: type[Kind]) -> Kind | None:
        """The job of that id, if it is of that kind."""
        rows = self._rows("SELECT document FROM jobs WHERE id = ?", job_id)
        record = RECORDS.validate_json(rows[0][0]) if rows else None
        return record if isinstance(record, kind) else None

    def jobs(self, kind: type[Kind], *, statuses: Sequence[Status] = ()) -> list[Kind]:
        """Jobs of a kind, newest first; all, or those in one of `statuses`."""
        wanted = json.dumps(list(statuses or Status))
        query = (
            "SELECT document FROM jobs WHERE status IN (SELECT value FROM json_each(?)) "
            "ORDER BY created_at DESC, rowid DESC"
        )
        records = (RECORDS.validate_json(document) for (document,) in self._rows(query, wanted))
        return [record for record in records if isinstance(record, kind)]

    def open_jobs(self) -> list[JobRecord]:
        """Jobs that have not ended, of all kinds, oldest first."""
        return self.jobs(JobRecord, statuses=OPEN)[::-1]

    def update_job(
        self, job: Kind, *, status: Status | None = None, events: Sequence[NewEvent] = (), **changes: Any
    ) -> Kind:
        """The job after a change of what is stored of it; a new status is told as an event before `events`.

        Raises:
            IllegalStepError: The status may not follow the present one; nothing is changed then.
        """
        with self._transaction() as connection:
            (document,) = connection.execute("SELECT document FROM jobs WHERE id = ?", (job.id,)).fetchone()
            record = type(job).model_validate_json(document)
            if status is not None and status not in FOLLOWING[record.status]:
                raise IllegalStepError(record.status)
            fields = {"status": status or record.status, "modified_at": now(), **changes}
            record = type(job).model_validate({**dict(record), **fields})
            connection.execute(
                "UPDATE jobs SET status = ?, document = ? WHERE id = ?",
                (record.status, record.model_dump_json(), job.id),
            )
            append(connection, job.id, [*([status_event(status)] if status else ()), *events])
        self.copy(record)
        return record

    def forget_job(self, job_id: str) -> None:
        """Remove a job's row and its events."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM events WHERE job_id = ?", (job_id,))
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        self._copied.pop(job_id, None)

    def copy(self, record: JobRecord) -> None:
        """Bring the copies in the job's folder up to date; where the disk is full, the next change or start does."""
        with suppress(OSError, TemporaryError):
            publish_text(self.data_dir / "jobs" / record.id / "job.json", record.model_dump_json(indent=2) + "\n")
        self.copy_events(record.id)

    def copy_events(self, job_id: str) -> None:
        """Likewise its events."""
        folder = self.data_dir / "jobs" / job_id
        with self._lock, suppress(OSError, sqlite3.Error):
            copied = self._copied.pop(job_id, None) or read_events(folder).place
            if events := self.events(job_id, after=copied.last):
                copied = append_events(folder, events, log_offset=self.log_offset(job_id), behind=copied)
            self._copied[job_id] = copied

    # Events

    def add_events(self, job_id: str, events: Sequence[NewEvent], *, log_offset: int) -> None:
        """Append what was read of a job's log, and how far that was: nothing is read twice."""
        with self._transaction() as connection:
            append(connection, job_id, events)
            connection.execute("UPDATE jobs SET log_offset = ? WHERE id = ?", (log_offset, job_id))
        self.copy_events(job_id)

    def log_offset(self, job_id: str) -> int:
        """How many bytes of a job's log are events already."""
        rows = self._rows("SELECT log_offset FROM jobs WHERE id = ?", job_id)
        return int(rows[0][0]) if rows else 0

    def events(self, job_id: str, *, after: int = 0, names: Sequence[str] = (), limit: int = 1_000_000) -> list[Event]:
        """A job's events behind number `after`, in order; all, or those of some names."""
        query = (
            "SELECT seq, created_at, name, data FROM events WHERE job_id = ? AND seq > ? "
            "AND (? OR name IN (SELECT value FROM json_each(?))) ORDER BY seq LIMIT ?"
        )
        rows = self._rows(query, job_id, after, not names, json.dumps(list(names)), limit)
        return [Event(seq, created_at, name, json.loads(data)) for seq, created_at, name, data in rows]

    def last_event(self, job_id: str, name: str) -> Event | None:
        """A job's last event of a name."""
        query = "SELECT seq, created_at, data FROM events WHERE job_id = ? AND name = ? ORDER BY seq DESC LIMIT 1"
        rows = self._rows(query, job_id, name)
        return Event(rows[0][0], rows[0][1], name, json.loads(rows[0][2])) if rows else None

    # Replies

    def find_reply(self, key: str) -> KeptReply | None:
        """What is kept under a key."""
        query = "SELECT request_sha256, body FROM replies WHERE key = ? AND created_at > ?"
        rows = self._rows(query, key, now() - REPLY_SECONDS)
        return KeptReply(*rows[0]) if rows else None

    def keep_reply(self, key: str, reply: KeptReply) -> None:
        """Keep a reply under a key, and forget old ones."""
        at = now()
        with self._transaction() as connection:
            connection.execute("DELETE FROM replies WHERE created_at <= ?", (at - REPLY_SECONDS,))
            connection.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", (key, at, *reply))


def append(connection: sqlite3.Connection, job_id: str, events: Sequence[NewEvent], *, at: int | None = None) -> None:
    """Number and store events; they happened now, or at a time that is known."""
    (last,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events WHERE job_id = ?", (job_id,)).fetchone()
    at = now() if at is None else at
    rows = [(job_id, last + place, at, name, json.dumps(data)) for place, (name, data) in enumerate(events, start=1)]
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)


def status_event(status: Status) -> NewEvent:
    """The event that tells of a new status."""
    return "status-updated", {"status": status}


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())
