"""Figure J7: an index that is lost or damaged is rebuilt from the folders, job for job."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import rows

from mistraltune.errors import ConfigError
from mistraltune.results import ModelRef
from mistraltune.serve.evaluation_requests import ComparisonRequest, EvaluationRequest
from mistraltune.serve.event_copies import EVENTS_FILE, read_events
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.processes import read_log
from mistraltune.serve.records import ComparisonRecord, EvaluationRecord, Event, JobRecord, Status, TrainingRecord
from mistraltune.serve.reindexing import rebuild
from mistraltune.serve.store import Store

MODEL = ModelRef(model="quickstart")
NUM_JOBS = 20


def a_job(number: int) -> TrainingRecord | EvaluationRecord | ComparisonRecord:
    """One of each kind in turn, in every status."""
    facts = {
        "id": f"job-{number}",
        "created_at": number,
        "modified_at": number,
        "status": list(Status)[number % len(Status)],
        "num_attempts": number % 3,
    }
    match number % 3:
        case 0:
            body = {"model": "quickstart", "training_files": ["x"], "suffix": f"n{number}"}
            request = JobRequest.model_validate(body)
            return TrainingRecord(**facts, request=request, base=MODEL, is_started=True)
        case 1:
            asked = EvaluationRequest(model="quickstart", file_id="x", max_new_tokens=number)
            return EvaluationRecord(**facts, request=asked, model=MODEL)
        case _:
            wanted = ComparisonRequest(base_model="quickstart", fine_tuned_model="quickstart", prompts=("x", "ü"))
            return ComparisonRecord(**facts, request=wanted, base=MODEL, fine_tuned=MODEL)


@pytest.fixture
def filled(tmp_path: Path) -> Store:
    """A closed store of jobs of all kinds, with what their processes wrote; of every second one it was read in part."""
    store = Store(tmp_path)
    for number in range(NUM_JOBS):
        job = a_job(number)
        store.add_job(job, events=[("note", {"text": "made"})])
        lines = [{"event": "progress", "text": "evaluating", "done": done, "total": 3} for done in range(number % 4)]
        log = tmp_path / "jobs" / f"job-{number}" / "job.log"
        log.write_text("".join(json.dumps(line) + "\n" for line in lines) + "a line of a library\n")
        if number % 2:
            read, offset = read_log(log.parent, offset=0, max_bytes=log.stat().st_size - 5)
            store.add_events(job.id, [(event.pop("event"), event) for event in read], log_offset=offset)
    store.close()
    return store


def damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "deleted":
        path.unlink()
    if kind == "first page zeroed":
        path.write_bytes(bytes(4096) + content[4096:])
    if kind == "cut in half":
        path.write_bytes(content[: len(content) // 2])
    if kind == "noise":
        path.write_bytes(bytes(byte ^ 0x5A for byte in content))


@pytest.mark.figure("J7", "index deleted or damaged: serve says so, reindex rebuilds every job", trials=NUM_JOBS)
@pytest.mark.parametrize("kind", ["deleted", "first page zeroed", "cut in half", "noise"])
def test_every_job_is_there_again_as_it_was(filled: Store, kind: str) -> None:
    jobs = [a_job(number) for number in range(NUM_JOBS)]
    before = {job.id: events_of(filled.data_dir, job.id) for job in jobs}
    damage(filled.path, kind)
    if kind != "deleted":
        with pytest.raises(ConfigError, match="damaged") as refusal:
            Store(filled.data_dir)
        assert "reindex" in refusal.value.hint
    rebuilt = rebuild(filled.data_dir)
    assert (rebuilt.num_jobs, rebuilt.problems) == (NUM_JOBS, [])
    again = Store(filled.data_dir)
    assert again.jobs(JobRecord) == jobs[::-1]
    for number, job in enumerate(jobs):
        last = before[job.id][-1].seq
        assert again.events(job.id)[:last] == before[job.id]
        unread = ["log"] if number % 2 else [*["progress"] * (number % 4), "log"]
        assert [(event.seq, event.name) for event in again.events(job.id, after=last)] == [
            *enumerate(unread, start=last + 1)
        ]
    again.close()


def events_of(data_dir: Path, job_id: str) -> list[Event]:
    """What a closed store knows of a job."""
    store = Store(data_dir)
    try:
        return store.events(job_id)
    finally:
        store.close()


@pytest.mark.parametrize("damage", [lambda content: content[:-7], lambda content: content + b'{"log_', lambda _: b""])
def test_events_that_a_full_disk_kept_out_of_a_folder_follow_with_the_next(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = Store(tmp_path)
    job = a_job(1)
    store.add_job(job)
    store.add_events(job.id, [("log", {"text": "one"})], log_offset=4)
    store.close()
    path = tmp_path / "jobs" / job.id / EVENTS_FILE
    path.write_bytes(damage(path.read_bytes()))
    store = Store(tmp_path)
    store.add_events(job.id, [("log", {"text": "two"})], log_offset=8)
    copied = read_events(path.parent)
    assert copied.events == store.events(job.id)
    assert (len(copied.events), copied.log_offset) == (3, 8)
    store.close()


@pytest.mark.parametrize(("logged_at", "told_at"), [(1500, 1500), (2_000_000_000, 1800)])
def test_events_keep_the_times_that_the_folder_knows(tmp_path: Path, logged_at: int, told_at: int) -> None:
    """Where the folder was copied, its log is younger than the job's end. This one has lost its events."""
    store = Store(tmp_path)
    job = a_job(2).model_copy(update={"created_at": 1000, "modified_at": 1800, "status": Status.FAILED})
    store.add_job(job)
    store.close()
    (tmp_path / "jobs" / job.id / EVENTS_FILE).unlink()
    log = tmp_path / "jobs" / job.id / "job.log"
    log.write_text('{"event": "progress", "done": 1, "total": 3}\n')
    os.utime(log, (logged_at, logged_at))
    rebuild(tmp_path)
    again = Store(tmp_path)
    told = again.events(job.id)
    assert [(event.created_at, event.name) for event in told] == [
        (1000, "status-updated"),
        (told_at, "progress"),
        (1800, "status-updated"),
    ]
    again.close()


def test_a_comparison_whose_row_was_lost_but_finished_is_a_success_again(filled: Store) -> None:
    """The last words are the truth, not a status that was copied before the end."""
    folder = filled.data_dir / "jobs" / "job-2"
    words = {"base": {"model": {}}, "fine_tuned": {"model": {}}, "answers": [], "html": None, "gates": []}
    (folder / "job.out").write_text(json.dumps(words))
    rebuild(filled.data_dir)
    again = Store(filled.data_dir)
    found = again.find_job("job-2", ComparisonRecord)
    assert found is not None
    assert found.status == Status.SUCCESS
    again.close()


def test_a_folder_that_cannot_be_read_is_named_and_keeps_no_other_back(filled: Store) -> None:
    (filled.data_dir / "jobs" / "job-3" / "job.json").write_bytes(rows(1))
    rebuilt = rebuild(filled.data_dir)
    assert rebuilt.num_jobs == NUM_JOBS - 1
    assert ["job-3" in problem for problem in rebuilt.problems] == [True]
