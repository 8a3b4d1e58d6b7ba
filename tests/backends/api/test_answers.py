"""What an API may answer (catalogue rows 48 to 56), over real HTTP."""

from __future__ import annotations

import gzip
import json

import pytest
from faulty_api import JOB, KEY, always
from remote_jobs import Call, Fault, FaultyApi
from trained_by_api import QUICK

from mistraltune.backends.api.answers import BadResponseError, RefusedError, plain
from mistraltune.backends.api.client import MAX_PAGES, ApiClient
from mistraltune.backends.api.connection import MAX_BODY_BYTES, Patience
from mistraltune.backends.api.endpoints import Endpoint, find_endpoint
from mistraltune.backends.api.retrying import Retrier
from mistraltune.errors import ApiError, MistralTuneError, TemporaryError

# Failures


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
