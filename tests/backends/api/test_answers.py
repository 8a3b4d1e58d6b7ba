"""What an API may answer (catalogue rows 45 to 56), over real HTTP."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from faulty_api import KEY, Call, FakeClock, Fault, FaultyApi, faulty_api
from rich.console import Console

from mistraltune.backends.api.answers import BadResponseError, BusyError, RefusedError, plain
from mistraltune.backends.api.client import MAX_PAGES, ApiClient
from mistraltune.backends.api.connection import MAX_BODY_BYTES, Patience
from mistraltune.backends.api.endpoints import Endpoint, find_endpoint
from mistraltune.backends.api.launching import start_once
from mistraltune.backends.api.retrying import Retrier, parse_retry_after
from mistraltune.backends.api.watching import Watch, describe_events
from mistraltune.backends.api.wire import Event, Job
from mistraltune.cli.progress import RunProgress
from mistraltune.errors import ApiError, MistralTuneError, RemoteJobError, Stopped, TemporaryError

QUICK = Patience(connect=5, read=0.3, whole=1)
JOB = {"id": "job-0", "status": "SUCCESS"}
PAST, YEAR_9999 = "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 00:00:00 GMT"


@pytest.fixture
def client(api: FaultyApi) -> Iterator[ApiClient]:
    opened = ApiClient(find_endpoint("lab"), retry=Retrier(api.clock, seed=1), patience=QUICK)
    yield opened
    opened.close()


def once(fault: Fault) -> Callable[[Call], Fault | None]:
    """The first call meets `fault`, the others find the job."""
    return lambda call: fault if call.number == 0 else Fault("body", body=json.dumps(JOB).encode())


def always(body: Any, **options: Any) -> Callable[[Call], Fault]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda call: Fault("body", body=content, **options)


# Retry-After


@pytest.mark.parametrize(
    ("value", "shortest", "longest"),
    [("3", 3, 3), ("120", 120, 120), ("0", 0, 1), ("-5", 0, 1), ("nan", 0, 1), ("abc", 0, 1), (PAST, 0, 0)],
)
def test_row_45_a_pause_is_as_long_as_retry_after_says_or_a_jitter_where_it_says_nothing(
    api: FaultyApi, client: ApiClient, value: str, shortest: float, longest: float
) -> None:
    api.schedule = once(Fault("status", 429, retry_after=value))
    assert client.job("job-0").status == "SUCCESS"
    first, second = api.calls
    assert shortest <= second.at - first.at <= longest


@pytest.mark.parametrize("value", ["1e9", "inf", YEAR_9999, "121", "1" * 400])
def test_row_45_too_long_a_pause_ends_the_command_and_says_until_when(
    api: FaultyApi, client: ApiClient, value: str
) -> None:
    api.schedule = once(Fault("status", 429, retry_after=value))
    with pytest.raises(TemporaryError, match="asks to wait") as stopped:
        client.job("job-0")
    assert stopped.value.exit_code == 5
    assert len(api.calls) == 1


def test_row_45_a_date_to_come_is_waited_for(api: FaultyApi, client: ApiClient) -> None:
    at = api.clock.wall() + timedelta(seconds=40)
    api.schedule = once(Fault("status", 503, retry_after=f"{at:%a, %d %b %Y %H:%M:%S} GMT"))
    client.job("job-0")
    first, second = api.calls
    assert second.at - first.at == pytest.approx(40, abs=1)


def test_row_41_a_clock_that_is_set_back_neither_ends_nor_stretches_the_tries(
    api: FaultyApi, client: ApiClient
) -> None:
    def schedule(call: Call) -> Fault:
        api.clock.wall_shift -= timedelta(hours=1)
        return Fault("status", 503)

    api.schedule = schedule
    began = api.clock.monotonic()
    with pytest.raises(TemporaryError):
        client.job("job-0")
    assert 200 < api.clock.monotonic() - began <= 300


def test_retry_after_of_any_text_is_a_number_or_nothing() -> None:
    clock = FakeClock()
    for text in ("", " ", "1,5", "0x10", "Wed, 99 Foo", "-inf", "\N{DEVANAGARI DIGIT ONE}"):
        seconds = parse_retry_after(text, clock)
        assert seconds is None or seconds > 0


# Failures


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 409, 407, 425, 429, 511, 599])
def test_row_46_what_may_pass_is_tried_again_with_growing_pauses_and_then_exits_5(
    api: FaultyApi, client: ApiClient, status: int
) -> None:
    api.schedule = lambda call: Fault("status", status)
    with pytest.raises(TemporaryError, match=rf"answers {status}: not now \(after \d+ tries\)") as stopped:
        client.job("job-0")
    assert stopped.value.exit_code == 5
    assert 8 < len(api.calls) < 60
    assert api.calls[-1].at - api.calls[0].at <= 300
    pauses = [after.at - before.at for before, after in zip(api.calls, api.calls[1:], strict=False)]
    assert max(pauses) <= 60
    assert max(pauses[:3]) <= 4


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422, 501])
def test_row_48_a_refusal_is_told_in_the_servers_words_and_never_tried_again(
    api: FaultyApi, client: ApiClient, status: int
) -> None:
    api.schedule = lambda call: Fault("status", status, body=json.dumps({"message": f"no, {KEY}, no"}).encode())
    with pytest.raises(ApiError) as refused:
        client.find_files("anything")
    assert refused.value.exit_code == 4
    assert refused.value.message == f"{api.url} answers {status}: no, ***, no"
    assert len(api.calls) == 1


def test_row_48_a_wrong_key_is_told_by_its_variable(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = lambda call: Fault("status", 401)
    with pytest.raises(ApiError) as refused:
        client.job("job-0")
    assert refused.value.hint == f"is LAB_API_KEY the key of {api.url}?"


def test_problems_of_a_request_are_told_by_their_places(api: FaultyApi, client: ApiClient) -> None:
    detail = [{"type": "x", "loc": ["body", "job_in", "suffix"], "msg": "too long", "ctx": {}}]
    api.schedule = lambda call: Fault("status", 422, body=json.dumps({"detail": detail}).encode())
    with pytest.raises(ApiError, match=r"answers 422: body\.job_in\.suffix: too long$"):
        client.create_job({})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (410, b"Gone"),
        (404, b'{"message": "Fine-tuning is not available"}'),
        (422, b'{"detail": "not available for this model"}'),
    ],
)
def test_the_end_of_hosted_fine_tuning_is_told_in_one_sentence_with_the_two_ways_on(
    api: FaultyApi, client: ApiClient, status: int, body: bytes
) -> None:
    api.schedule = lambda call: Fault("status", status, body=body)
    with pytest.raises(ApiError) as refused:
        client.create_job({})
    ended = "Mistral AI has ended its hosted fine-tuning, and no job can be made there"
    assert refused.value.message == f"{api.url} answers {status}: {ended}"
    assert "`mistraltune serve`" in refused.value.hint
    assert "`mistraltune train local`" in refused.value.hint


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Sign in</body></html>",
        b"",
        b'{"id": "job-0", ',
        b"[]",
        b"null",
        b'{"status": "RUNNING"}',
        b'{"id": 5, "status": "RUNNING"}',
        b'{"id": "", "status": "RUNNING"}',
        b'{"id": "job-0", "checkpoints": {}}',
        b'{"id": "job-0", "status": ["RUNNING"]}',
        b'{"id": "job-0", "metadata": {"cost": NaN}}',
        b"\xff\xfe",
    ],
)
def test_row_49_a_success_that_is_none_is_a_bad_response_and_not_tried_again(
    api: FaultyApi, client: ApiClient, body: bytes
) -> None:
    api.schedule = always(body, headers={"x-request-id": "abc-123"})
    with pytest.raises(BadResponseError) as refused:
        client.job("job-0")
    assert (refused.value.exit_code, refused.value.details["error_id"]) == (4, "bad-response")
    assert "(request abc-123)" in refused.value.message
    assert len(api.calls) == 1


@pytest.mark.parametrize("body", [b"<html></html>", b"", b"{", b"[]", b'{"data": [{"id": 1}]}', b'{"data": null}'])
def test_row_49_also_of_files_models_and_chats(api: FaultyApi, client: ApiClient, body: bytes) -> None:
    api.schedule = always(body)
    chat = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    for ask in (lambda: client.find_files("x"), client.models, lambda: client.chat(chat)):
        with pytest.raises(BadResponseError):
            ask()


def test_row_49_fields_that_are_not_known_are_passed_over(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = always(JOB | {"novel": {"deep": [1]}, "job_type": "vision", "metadata": {"carbon": 3, "cost": 1}})
    assert client.job("job-0").plan.cost == 1


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


def test_row_53_an_address_that_speaks_no_tls_is_temporary_and_never_asked_in_the_clear(
    api: FaultyApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint("lab", api.url.replace("http:", "https:"), "LAB_API_KEY")
    client = ApiClient(endpoint, retry=Retrier(api.clock), patience=QUICK)
    with pytest.raises(TemporaryError, match="cannot be reached") as stopped:
        client.job("job-0")
    client.close()
    assert stopped.value.exit_code == 5
    assert api.calls == []


# Bodies


def test_row_54_a_body_without_end_is_capped(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = always(b" " * (MAX_BODY_BYTES + 1))
    with pytest.raises(BadResponseError, match="more than 8,388,608 bytes"):
        client.job("job-0")


def test_row_54_a_packed_body_is_not_unpacked(api: FaultyApi, client: ApiClient) -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    api.schedule = always(bomb, headers={"content-encoding": "gzip"})
    with pytest.raises(BadResponseError, match="answers in the encoding 'gzip'"):
        client.job("job-0")


def test_row_54_a_body_that_drips_ends_at_the_deadline(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = lambda call: Fault("drip")
    with pytest.raises(TemporaryError, match="takes too long to answer"):
        ApiClient(find_endpoint("lab"), retry=Retrier(api.clock, patience=0), patience=Patience(read=1, whole=0.2)).job(
            "job-0"
        )


def test_row_55_a_servers_text_is_stripped_cut_to_one_line_and_masked(api: FaultyApi, client: ApiClient) -> None:
    text = f"\x1b[31mred\x1b]0;title\x07 <script>\n\u202e {KEY} " + "x" * 2**20
    api.schedule = lambda call: Fault("status", 400, body=json.dumps({"message": text}).encode())
    with pytest.raises(RefusedError) as refused:
        client.job("job-0")
    message = refused.value.message
    assert "red <script> \\u202e *** xxx" in message
    assert "\x1b" not in message
    assert "\n" not in message
    assert len(message) < 600


def test_a_text_that_is_fine_is_left_as_it_is() -> None:
    assert plain("Là-bas, 100 % !") == "Là-bas, 100 % !"


# Lists


def test_row_56_a_list_that_repeats_its_page_ends(api: FaultyApi, client: ApiClient) -> None:
    page = [JOB | {"id": f"job-{number}"} for number in range(100)]
    api.schedule = always({"data": page, "total": 10**9})
    assert len(client.jobs()) == 100
    assert len(api.calls) == 2


def test_row_56_a_list_without_end_is_bounded(api: FaultyApi, client: ApiClient) -> None:
    def schedule(call: Call) -> Fault:
        page = [{"id": f"job-{call.number}-{number}", "status": "RUNNING"} for number in range(100)]
        return Fault("body", body=json.dumps({"data": page}).encode())

    api.schedule = schedule
    assert len(client.jobs(limit=250)) == 250
    assert len(api.calls) == 3
    assert len(client.jobs()) == 100 * MAX_PAGES


def test_row_56_a_list_that_shrinks_meanwhile_ends(api: FaultyApi, client: ApiClient) -> None:
    sizes = iter([100, 100, 30])
    numbers = iter(range(1000))

    def schedule(call: Call) -> Fault:
        page = [{"id": f"job-{next(numbers)}"} for _ in range(next(sizes))]
        return Fault("body", body=json.dumps({"data": page}).encode())

    api.schedule = schedule
    assert len(client.jobs()) == 230


def test_every_error_that_an_api_can_cause_is_one_of_ours(api: FaultyApi, client: ApiClient) -> None:
    for kind in ("reset", "half", "stall", "html", "bad-json"):
        api.schedule = lambda call, kind=kind: Fault(kind)
        for ask in (lambda: client.look("x"), lambda: client.create_job({}), lambda: client.start_job("x")):
            with pytest.raises(MistralTuneError):
                ask()


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


def test_a_conflict_refuses_a_change_and_is_tried_once(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = lambda call: Fault("status", 409, body=b'{"message": "m is a base model"}')
    for change in (lambda: client.delete_model("m"), lambda: client.create_job({}), lambda: client.cancel_job("x")):
        api.calls.clear()
        with pytest.raises(RefusedError, match=r"answers 409: m is a base model$") as refused:
            change()
        assert refused.value.exit_code == 4
        assert len(api.calls) == 1


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


def test_where_nothing_listens_nobody_waits_for_long_unless_it_has_answered_before(tmp_path: Path) -> None:
    clock = FakeClock()
    told: list[str] = []
    with faulty_api(clock) as served:
        served.schedule = always(JOB)
        nobody = Retrier(clock, seed=1, on_wait=told.append)
        somebody = Retrier(clock, seed=1)
        client = ApiClient(Endpoint("lab", served.url, None), retry=somebody, patience=QUICK)
        client.job("job-0")
        client.close()
    for retry, shortest, longest in ((nobody, 8, 10), (somebody.with_patience(1800), 1700, 1800)):
        began = clock.monotonic()
        client = ApiClient(Endpoint("lab", served.url, None), retry=retry, patience=QUICK)
        with pytest.raises(TemporaryError, match="cannot be reached") as ended:
            client.job("job-0")
        client.close()
        assert ended.value.exit_code == 5
        assert ended.value.hint.startswith("start `mistraltune serve`")
        assert shortest <= clock.monotonic() - began <= longest
    (only,) = told
    assert only.endswith("; trying again for 10 s")


def test_of_many_requests_that_wait_one_is_told_of(api: FaultyApi, client: ApiClient) -> None:
    told: list[str] = []
    client.retry.on_wait = told.append
    error = BusyError("busy", status=503, retry_after="60")
    client.retry.should_stop = lambda: True  # so that no time passes
    for _ in range(8):
        with pytest.raises(Stopped):
            client.retry.pause(error, 0, began=api.clock.monotonic())
    assert told == ["busy; trying again in 60 s"]
    api.clock.at += 60
    with pytest.raises(Stopped):
        client.retry.pause(error, 0, began=api.clock.monotonic())
    assert len(told) == 2


def test_longer_waits_are_told(api: FaultyApi, client: ApiClient) -> None:
    told: list[str] = []
    client.retry.on_wait = told.append
    api.schedule = once(Fault("status", 503, retry_after="100"))
    client.job("job-0")
    assert told == [f"{api.url} answers 503: not now; trying again in 100 s"]
