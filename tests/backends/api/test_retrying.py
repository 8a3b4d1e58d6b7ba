"""When a request is tried again, and when no more (catalogue rows 41, 45 and 46), over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from clocks import FakeClock
from faulty_api import JOB, always, faulty_api, once
from remote_jobs import Call, Fault, FaultyApi
from trained_by_api import QUICK

from mistraltune.backends.api.answers import BusyError, RefusedError
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.backends.api.retrying import Retrier, parse_retry_after
from mistraltune.errors import Stopped, TemporaryError

PAST, YEAR_9999 = "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 00:00:00 GMT"


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


def test_a_conflict_refuses_a_change_and_is_tried_once(api: FaultyApi, client: ApiClient) -> None:
    api.schedule = lambda call: Fault("status", 409, body=b'{"message": "m is a base model"}')
    for change in (lambda: client.delete_model("m"), lambda: client.create_job({}), lambda: client.cancel_job("x")):
        api.calls.clear()
        with pytest.raises(RefusedError, match=r"answers 409: m is a base model$") as refused:
            change()
        assert refused.value.exit_code == 4
        assert len(api.calls) == 1


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
