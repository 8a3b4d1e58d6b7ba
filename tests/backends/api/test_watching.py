"""A job watched to its end (catalogue rows 50 and 51), over real HTTP."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from faulty_api import always
from remote_jobs import Call, Fault, FaultyApi
from rich.console import Console

from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.launching import start_once
from mistraltune.backends.api.watching import Watch, describe_events
from mistraltune.backends.api.wire import Event, Job
from mistraltune.cli.progress import RunProgress
from mistraltune.errors import RemoteJobError, Stopped


def test_row_50_an_unknown_status_is_watched_on_with_one_warning_and_a_step_back_is_fine(
    api: FaultyApi, client: ApiClient
) -> None:
    statuses = iter(["QUEUED", "RUNNING", "NEW_STATE", "NEW_STATE", None, "QUEUED", "RUNNING", "SUCCESS"])
    api.schedule = lambda call: Fault("body", body=json.dumps({"id": "job-0", "status": next(statuses)}).encode())
    told: list[dict[str, Any]] = []
    job = Watch(client, "job-0", tell=lambda event, **fields: told.append({"event": event, **fields})).follow(
        lambda: False
    )
    assert job.status == "SUCCESS"
    notes = [entry["text"] for entry in told if entry["event"] == "note"]
    assert [note for note in notes if note.startswith("job ")] == [
        f"job job-0: {status}" for status in ("QUEUED", "RUNNING", "NEW_STATE", "None", "QUEUED", "RUNNING", "SUCCESS")
    ]
    assert sum("not known here" in note for note in notes) == 2  # one a status


def test_row_51_a_job_that_is_gone_ends_the_watch_with_6_and_says_how_to_make_another(
    api: FaultyApi, client: ApiClient
) -> None:
    def schedule(call: Call) -> Fault:
        return Fault("body", body=b'{"id": "job-0", "status": "RUNNING"}') if call.number < 3 else Fault("status", 404)

    api.schedule = schedule
    with pytest.raises(RemoteJobError, match="job job-0 is gone") as ended:
        Watch(client, "job-0", tell=lambda event, **fields: None).follow(lambda: False)
    assert ended.value.exit_code == 6
    assert "another --run-id uploads them again" in ended.value.hint


def test_a_wish_to_stop_is_heard_while_a_busy_api_is_waited_for(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = lambda call: Fault("status", 503, retry_after="100")
    began = api.clock.monotonic()
    client.retry.should_stop = lambda: api.clock.monotonic() > began + 30
    with pytest.raises(Stopped, match="detached; job job-0 goes on at lab"):
        Watch(client, "job-0", tell=lambda event, **fields: None).follow(client.retry.should_stop)
    assert api.clock.monotonic() - began < 31


def test_a_watch_of_a_job_that_rests_says_how_to_start_it_and_that_nothing_goes_on(
    api: FaultyApi, client: ApiClient
) -> None:
    api.schedule = always({"id": "job-0", "status": "VALIDATED"})
    told: list[str] = []
    began = api.clock.monotonic()
    with pytest.raises(Stopped, match="job job-0 at lab is not started yet"):
        Watch(client, "job-0", tell=lambda event, **fields: told.append(fields.get("text", ""))).follow(
            lambda: api.clock.monotonic() > began + 30
        )
    assert told.count("it trains once it is started: `mistraltune jobs start job-0 --endpoint lab`") == 1


@pytest.mark.parametrize(
    ("job", "is_unstarted"),
    [
        ({"status": "VALIDATING"}, True),
        ({"status": "VALIDATED"}, True),
        ({"status": "VALIDATED", "auto_start": True}, False),
        ({"status": "QUEUED"}, False),  # nothing tells which of the two queues it stands in
        ({"status": "QUEUED", "events": ["QUEUED"]}, True),
        ({"status": "QUEUED", "events": ["QUEUED", "VALIDATED", "QUEUED"]}, False),
        ({"status": "RUNNING"}, False),
    ],
)
def test_a_job_rests_until_it_is_started_or_not(job: dict[str, Any], is_unstarted: bool) -> None:
    events = [{"name": "status-updated", "data": {"status": status}} for status in job.get("events", ())]
    assert Job.model_validate({"id": "job-0", **job, "events": events}).is_unstarted == is_unstarted


def test_a_job_that_somebody_else_starts_meanwhile_is_started(api: FaultyApi, client: ApiClient) -> None:
    statuses = iter(["VALIDATED", "RUNNING"])

    def schedule(call: Call) -> Fault:
        if call.name == "POST start":
            return Fault("status", 409)
        return Fault("body", body=json.dumps({"id": "job-0", "status": next(statuses)}).encode())

    api.schedule = schedule
    assert start_once(client, "job-0").status == "RUNNING"


def test_a_watch_counts_from_the_step_at_which_it_came(
    api: FaultyApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([500, 502, 504, 506])

    def schedule(call: Call) -> Fault:
        reached = next(looks)
        steps = [{"step_number": step, "metrics": {"train_loss": 1.0}} for step in range(1, reached + 1)]
        status = "SUCCESS" if reached == 506 else "RUNNING"
        job = {"id": "job-0", "status": status, "hyperparameters": {"training_steps": 1000}, "checkpoints": steps}
        return Fault("body", body=json.dumps(job).encode())

    terminal = Console(file=io.StringIO(), force_terminal=True, get_time=api.clock.monotonic)
    monkeypatch.setattr("mistraltune.cli.progress.stderr", lambda: terminal)
    api.schedule = schedule
    events: list[dict[str, Any]] = []
    speeds: list[float | None] = []

    def tell(event: str, **fields: Any) -> None:
        events.append({"event": event, **fields})
        if event == "end":
            assert progress._bar
            speeds.append(progress._bar.tasks[0].speed)
        progress(events[-1])

    with RunProgress() as progress:
        Watch(client, "job-0", tell=tell).follow(lambda: False)
    assert events[0] == {"event": "begin", "step": 500, "num_steps": 1000}
    assert [event["step"] for event in events if event["event"] == "tick"] == [502, 504, 506]
    assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, 507))
    assert speeds == [pytest.approx(1, rel=0.1)]  # two steps in two seconds


def test_a_note_of_an_event_is_told_as_its_text() -> None:
    events = [
        Event(name="note", created_at=0, data={"text": "resumed"}),
        Event(name="note", created_at=0, data={"text": "a", "more": 1}),
    ]
    assert list(describe_events(events)) == ["00:00:00 note: resumed", '00:00:00 note: {"text": "a", "more": 1}']
