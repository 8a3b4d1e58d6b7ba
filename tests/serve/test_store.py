"""Figures J1 and J8 to J10: what the store says it holds it holds, whoever is killed and whatever fails."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from failing import FailingConnection

from mistraltune.errors import ConfigError
from mistraltune.results import ModelRef
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.records import ENDED, FOLLOWING, FileRecord, Status, TrainingRecord
from mistraltune.serve.store import IllegalStepError, Store

REQUEST = JobRequest.model_validate({"model": "quickstart", "training_files": ["x"]})
IS_EXHAUSTIVE = os.environ.get("MISTRALTUNE_FAULTS") == "all"
NUM_KILLS, NUM_COPIES, NUM_ORDERS = (200, 20, 1000) if IS_EXHAUSTIVE else (40, 5, 100)


def a_job(name: str) -> TrainingRecord:
    return TrainingRecord(
        id=name, created_at=1, modified_at=1, request=REQUEST, base=ModelRef(model="quickstart"), is_started=True
    )


def a_file(name: str) -> FileRecord:
    return FileRecord(id=name, created_at=1, filename="x.jsonl", num_bytes=1, sha256="0" * 64, num_lines=1, mimetype="")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


def reopened(store: Store) -> Store:
    store.close()
    return Store(store.data_dir)


def test_what_was_stored_is_there_after_a_restart(store: Store) -> None:
    store.add_file(a_file("f"))
    store.add_job(a_job("j"), events=[("note", {"text": "ü"})])
    store.update_job(a_job("j"), status=Status.VALIDATING, num_attempts=2)
    store.add_events("j", [("step", {"step": 1})], log_offset=17)
    again = reopened(store)
    assert again.find_file("f") == a_file("f")
    assert (again.find_job("j", TrainingRecord) or a_job("")).num_attempts == 2
    assert [(event.seq, event.name) for event in again.events("j", after=1)] == [
        (2, "note"),
        (3, "status-updated"),
        (4, "step"),
    ]
    assert again.log_offset("j") == 17


def test_the_copy_in_the_folder_says_what_the_row_says(store: Store) -> None:
    store.add_job(a_job("j"))
    record = store.update_job(a_job("j"), status=Status.CANCELLED)
    copy = (store.data_dir / "jobs" / "j" / "job.json").read_bytes()
    assert TrainingRecord.model_validate_json(copy) == record == store.find_job("j", TrainingRecord)


def test_a_damaged_store_says_so_and_how_to_mend_it(store: Store) -> None:
    for number in range(50):
        store.add_job(a_job(f"j{number}"))
    store.close()
    content = store.path.read_bytes()
    store.path.write_bytes(bytes(4096) + content[4096:])
    with pytest.raises(ConfigError, match="damaged") as refusal:
        Store(store.data_dir)
    assert "reindex" in refusal.value.hint


def test_a_store_of_a_later_version_is_refused(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        Store(store.data_dir)


def test_threads_number_events_without_gaps(store: Store) -> None:
    store.add_job(a_job("j"))

    def add() -> None:
        for number in range(20):
            store.add_events("j", [("log", {"text": str(number)})], log_offset=0)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in store.events("j")] == list(range(1, 162))


@pytest.mark.figure("J8", "VACUUM INTO while others write: integrity_check ok", trials=NUM_COPIES)
def test_a_copy_made_while_others_write_is_whole(store: Store, tmp_path: Path) -> None:
    """J8."""
    stopping = threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stopping.is_set():
                return
            store.add_job(a_job(f"j{number}"))

    writer = threading.Thread(target=write)
    writer.start()
    for number in range(NUM_COPIES):
        target = tmp_path / f"copy-{number}.db"
        with sqlite3.connect(store.path) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        with sqlite3.connect(target) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stopping.set()
    writer.join()


@pytest.mark.figure("J9", "random orders of wishes: no illegal step is stored", trials=NUM_ORDERS)
def test_no_order_of_wishes_stores_an_illegal_step(store: Store) -> None:
    """J9."""
    chance = random.Random(5)
    for trial in range(NUM_ORDERS):
        store.add_job(a_job(f"j{trial}"))
        for _ in range(12):
            wanted = chance.choice(list(Status))
            before = (store.find_job(f"j{trial}", TrainingRecord) or a_job("")).status
            if wanted in FOLLOWING[before]:
                store.update_job(a_job(f"j{trial}"), status=wanted)
                continue
            with pytest.raises(IllegalStepError):
                store.update_job(a_job(f"j{trial}"), status=wanted, num_attempts=99)
            assert (store.find_job(f"j{trial}", TrainingRecord) or a_job("")).num_attempts == 0
        told = [event.data["status"] for event in store.events(f"j{trial}")]
        assert all(after in FOLLOWING[Status(earlier)] for earlier, after in pairwise(told))


def test_an_ended_job_stays_as_it_ended(store: Store) -> None:
    for status in ENDED:  # unless it is resumed
        assert FOLLOWING[status] <= {Status.QUEUED}
    assert not FOLLOWING[Status.SUCCESS] | FOLLOWING[Status.FAILED_VALIDATION]
    with sqlite3.connect(store.path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO jobs (id, created_at, status, document) VALUES ('x', 1, 'running', '{}')")


# J1: kills


def write_and_acknowledge(data_dir: Path, pipe: int, acknowledge_first: bool) -> None:
    """A process that makes jobs and moves them, and tells down a pipe what is stored."""
    store = Store(data_dir)
    os.write(pipe, b"[]\n")  # from here on it may be killed
    for number in range(100_000):
        for status in (None, Status.VALIDATING, Status.VALIDATED):
            line = json.dumps([f"j{os.getpid()}-{number}", status or Status.QUEUED]).encode() + b"\n"
            if acknowledge_first:
                os.write(pipe, line)
                time.sleep(0.0005)
            if status is None:
                store.add_job(a_job(f"j{os.getpid()}-{number}"))
            else:
                store.update_job(a_job(f"j{os.getpid()}-{number}"), status=status)
            if not acknowledge_first:
                os.write(pipe, line)


def acknowledged_before_a_kill(data_dir: Path, seconds: float, *, acknowledge_first: bool = False) -> list[Any]:
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.close(reading)
        try:
            write_and_acknowledge(data_dir, writing, acknowledge_first)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        pipe.readline()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [json.loads(line) for line in pipe if line.endswith(b"\n")]


def losses(data_dir: Path, acknowledged: list[Any]) -> list[str]:
    """What was acknowledged and is not there, and what is there in half."""
    with sqlite3.connect(data_dir / "server.db") as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        stored = dict(connection.execute("SELECT id, status FROM jobs"))
        documents = dict(connection.execute("SELECT id, document FROM jobs"))
        last = dict(connection.execute("SELECT job_id, data FROM events WHERE name = 'status-updated' ORDER BY seq"))
    order = [Status.QUEUED, Status.VALIDATING, Status.VALIDATED]
    lost = [
        f"{name} was {status}"
        for name, status in acknowledged
        if name not in stored or order.index(Status(stored[name])) < order.index(Status(status))
    ]
    torn = [
        f"{name} is torn"
        for name, status in stored.items()
        if not status == json.loads(documents[name])["status"] == json.loads(last[name])["status"]
    ]
    return lost + torn


@pytest.mark.figure("J1", "SIGKILL while the store writes: nothing acknowledged is lost or torn", trials=NUM_KILLS)
def test_no_kill_loses_what_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(1)
    total = 0
    for _ in range(NUM_KILLS):
        acknowledged = acknowledged_before_a_kill(tmp_path, chance.uniform(0.02, 0.08))
        assert losses(tmp_path, acknowledged) == []
        total += len(acknowledged)
    assert total > NUM_KILLS


def test_the_check_sees_what_a_hasty_acknowledgement_loses(tmp_path: Path) -> None:
    found = [
        loss
        for trial in range(30)
        for loss in losses(tmp_path, acknowledged_before_a_kill(tmp_path, 0.03 + trial / 1000, acknowledge_first=True))
    ]
    assert found


# J10: writes that fail


CHANGES: dict[str, Callable[[Store], Any]] = {
    "add_file": lambda store: store.add_file(a_file("new")),
    "forget_file": lambda store: store.forget_file("f"),
    "add_job": lambda store: store.add_job(a_job("new"), events=[("note", {})]),
    "update_job": lambda store: store.update_job(a_job("j"), status=Status.CANCELLED, events=[("note", {})]),
    "add_events": lambda store: store.add_events("j", [("log", {}), ("log", {})], log_offset=5),
}


@pytest.mark.figure("J10", "every write of the store fails at each of its statements: nothing stays")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_write_that_fails_leaves_nothing_of_itself(store: Store, change: Callable[[Store], Any]) -> None:
    store.add_file(a_file("f"))
    store.add_job(a_job("j"))

    def content() -> Any:
        with sqlite3.connect(store.path) as connection:
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("files", "jobs", "events")]

    before, real = content(), store._connection
    for fail_at in range(1, 20):
        store._connection = FailingConnection(real, fail_at)  # type: ignore[assignment]
        try:
            change(store)
        except sqlite3.OperationalError:
            assert content() == before
        else:
            assert fail_at > 2
            break
        finally:
            store._connection = real
    assert content() != before
