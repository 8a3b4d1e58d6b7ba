"""Rows 57 to 68 of the catalogue of bad requests, each against a real server.

Rows 57 to 59 (keys, hosts, origins) are in test_security; 60 to 62 (names, ids, paths) and more of 63 in test_files,
test_jobs and test_hostile_input; the slow readers of row 66 in test_events.
"""

from __future__ import annotations

import json
import pickle
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest
from serving import KEY, Serving, rows, serving, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

JOBS = "/v1/fine_tuning/jobs"
NUM_UPLOADS = 500
"""More than the server takes at a time."""


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    limits = {"MISTRALTUNE_SERVER_HEAD_SECONDS": "1", "MISTRALTUNE_SERVER_BODY_SECONDS": "1"}
    folder = tmp_path_factory.mktemp("bad-requests")
    with serving(folder / "data", "--model", f"open-mistral-7b={tiny_model}", env=limits) as running:
        yield running


def connection_to(server: Serving) -> socket.socket:
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


def ask_raw(server: Serving, start: str, *headers: str) -> int:
    """The status of a request whose first line is sent as it stands."""
    host = server.url.removeprefix("http://")
    lines = [f"{start} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {KEY}", "Connection: close", *headers]
    with connection_to(server) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65_536):
                answer += piece
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", pickle.dumps({"weights": [1.0]})),
        ("model.safetensors", (2**63).to_bytes(8, "little") + b"{}"),
        ("rows.jsonl.gz", b"\x1f\x8b\x08\x00bomb"),
        ("rows.zip", b"PK\x03\x04" + bytes(100)),
        ("config.yaml", b"!!python/object/apply:os.system ['true']\n"),
    ],
)
def test_row_63_what_is_no_rows_is_refused_whatever_its_name(server: Serving, name: str, content: bytes) -> None:
    before = sorted(server.data_dir.rglob("files/**/*"))
    assert server.http.post("/v1/files", files={"file": (name, content)}).status_code == 422
    assert sorted(server.data_dir.rglob("files/**/*")) == before


@pytest.mark.parametrize("place", [JOBS, "/api/evaluations", "/api/comparisons", "/v1/chat/completions"])
def test_row_64_loose_json_is_refused_everywhere(server: Serving, place: str) -> None:
    def post(content: bytes, kind: str = "application/json") -> int:
        return server.http.post(place, content=content, headers={"content-type": kind}).status_code

    assert post(b'{"x":' * 100_000 + b"1" + b"}" * 100_000) == 422
    assert post(b'{"model": "' + b"x" * 9 * 2**20 + b'"}') == 413
    assert post(b'{"model": "a", "model": "b"}') == 422
    assert post(b'{"model": NaN}') == 422
    assert post(b'{"model": "a"}', "text/plain") == 422
    assert post(b"model=a", "application/x-www-form-urlencoded") == 422


def test_row_65_odd_ranges_paths_and_methods_are_answered_at_once(server: Serving) -> None:
    file_id = server.upload(rows(3, word="ranged"))
    content = f"/v1/files/{file_id}/content"
    began = time.monotonic()
    many = ",".join(f"{start}-{start + 1}" for start in range(0, 100_000, 2))
    assert ask_raw(server, f"GET {content}", f"Range: bytes={many[:60_000]}") in (200, 206, 400, 416, 431)
    assert ask_raw(server, f"GET {content}", f"Range: bytes={many}") in (400, 431)
    assert ask_raw(server, f"GET {content}", "Range: bytes=99999999-") == 416
    for path in (
        "/v1/files/..;/",
        "//v1/files",
        "/v1//files",
        "/v1/files/%00",
        "/docs/..;/",
        "/v1/files/%2e%2e%2fx/url",
    ):
        assert ask_raw(server, f"GET {path}") in (404, 405), path
    for method, status in (("TRACE", 405), ("BREW", 405), ("HEAD", 405), ("OPTIONS", 405)):
        assert ask_raw(server, f"{method} /v1/files") == status, method
    assert time.monotonic() - began < 20  # each takes milliseconds; one that hangs takes its client's patience
    assert server.ok("GET", "/v1/models")


def test_row_66_no_websocket_request_does_harm(server: Serving) -> None:
    job = server.create(training_files=[{"file_id": server.upload(rows(12))}], hyperparameters={"training_steps": 1})
    place = f"{JOBS}/{job['id']}/events/ws"
    url = f"{server.url.replace('http', 'ws')}{place}"
    bearer = {"Authorization": f"Bearer {KEY}"}
    with pytest.raises(InvalidStatus), connect(url, proxy=None):
        pass
    with connect(url, proxy=None, additional_headers=bearer, compression="deflate") as connection:
        assert connection.protocol.extensions == []  # nothing is inflated here
        assert json.loads(connection.recv(timeout=30))["seq"] == 1
    with connect(url, proxy=None, additional_headers=bearer, subprotocols=["chat"]) as connection:  # type: ignore[list-item]
        assert connection.subprotocol is None
    with pytest.raises(ConnectionClosed), connect(url, proxy=None, additional_headers=bearer) as connection:
        connection.send(bytes(2**20))
        while True:
            connection.recv(timeout=30)
    with ExitStack() as stack:
        num_open = 0
        for _ in range(100):
            with suppress(InvalidStatus):
                stack.enter_context(connect(url, proxy=None, additional_headers=bearer))
                num_open += 1
        assert num_open <= 20
        assert server.ok("GET", "/v1/models")
    server.ok("POST", f"{JOBS}/{job['id']}/cancel")


def test_row_67_a_repeated_wish_changes_nothing(server: Serving) -> None:
    job = server.create(training_files=[{"file_id": server.upload(rows(13))}], hyperparameters={"training_steps": 1})
    first = server.ok("POST", f"{JOBS}/{job['id']}/cancel")
    assert server.ok("POST", f"{JOBS}/{job['id']}/cancel")["status"] == first["status"] == "CANCELLED"
    assert server.http.post(f"{JOBS}/{job['id']}/start").status_code == 409


@pytest.mark.parametrize("place", [JOBS, "/api/evaluations", "/api/comparisons"])
def test_row_67_the_same_idempotency_key_is_the_same_reply(server: Serving, place: str) -> None:
    file_id = server.upload(rows(14, word=place))
    bodies: dict[str, dict[str, Any]] = {
        JOBS: {"model": "open-mistral-7b", "training_files": [{"file_id": file_id}]},
        "/api/evaluations": {"model": "open-mistral-7b", "file_id": file_id},
        "/api/comparisons": {
            "base_model": "open-mistral-7b",
            "fine_tuned_model": "open-mistral-7b",
            "file_id": file_id,
        },
    }
    key = {"idempotency-key": f"key of {place}"}

    def post(body: Any, **headers: str) -> httpx2.Response:
        return server.http.post(place, json=body, headers={**key, **headers})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(bodies[place]), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    job_id = answers[0].json()["id"]
    server.ok("POST", f"{place}/{job_id}/cancel")
    wait_until(lambda: server.ok("GET", f"{place}/{job_id}")["status"] == "CANCELLED", seconds=60)
    assert post(bodies[place]).content == answers[0].content
    assert post({**bodies[place], "suffix": "other"}).status_code == 422
    assert post(bodies[place], **{"idempotency-key": "x" * 300}).status_code == 422
    refused = {"idempotency-key": f"refused {place}"}
    assert post({}, **refused).status_code == 422  # what was refused may be mended under its key
    mended = post(bodies[place], **refused)
    assert mended.json()["id"] != job_id
    server.ok("POST", f"{place}/{mended.json()['id']}/cancel")


@pytest.mark.parametrize(
    "beginning",
    [b"", b"G", b"GET /v1/models HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "],
)
def test_row_68_headers_that_do_not_end_are_not_waited_for(server: Serving, beginning: bytes) -> None:
    with connection_to(server) as connection:
        connection.sendall(beginning)
        answer = connection.recv(1000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_row_68_headers_that_drip_are_not_waited_for_and_keep_nobody_waiting(server: Serving) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connection_to(server)) for _ in range(50)]
        for connection in slow:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        for _ in range(8):
            time.sleep(0.25)
            assert server.ok("GET", "/healthz")
            for connection in slow:
                with suppress(OSError):  # it is closed by now
                    connection.sendall(b"X: y\r\n")
        for connection in slow:
            with suppress(ConnectionError):
                answer = connection.recv(1000)
                assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_row_68_a_second_request_gets_its_own_time(server: Serving) -> None:
    """The limit is of each request's headers, not of a connection's life, nor of the wait between two."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    with closing(HTTPConnection(host, int(port), timeout=30)) as connection:
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b'{"status":"ok"}'
            time.sleep(0.6)
        connection.sock.sendall(b"GET /healt")
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 408")


def test_row_68_many_uploads_at_once_are_taken_or_put_off(server: Serving) -> None:
    before = server.ok("GET", "/v1/files")["total"]
    statuses = []
    with ExitStack() as stack:
        connections = [stack.enter_context(connection_to(server)) for _ in range(NUM_UPLOADS)]
        for number, connection in enumerate(connections):
            file = rows(1, word=f"parallel {number}").decode()
            part = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{number}"\r\n\r\n{file}'
            part += "\r\n--edge--\r\n"
            head = f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
            head += (
                f"Connection: close\r\nContent-Type: multipart/form-data; boundary=edge\r\nContent-Length: {len(part)}"
            )
            with suppress(ConnectionError):
                connection.sendall(f"{head}\r\n\r\n{part}".encode())
        for connection in connections:
            with suppress(ConnectionError):
                statuses.append(int(connection.recv(65_536).split(b" ", 2)[1]))
    assert set(statuses) <= {200, 408, 429, 503}
    assert len(statuses) > NUM_UPLOADS // 2
    assert server.ok("GET", "/v1/files")["total"] - before >= statuses.count(200)
    assert server.upload(rows(2, word="after them all"))
    wait_until(lambda: not list(server.data_dir.glob("files/.*")), seconds=30)


def test_row_68_a_disk_that_fills_up_in_mid_upload_is_told_and_nothing_stays(tmp_path: Path) -> None:
    limit = 2 * 2**20
    with serving(tmp_path / "data", limits={resource.RLIMIT_FSIZE: limit}) as server:
        content = rows(1) * (2 * limit // len(rows(1)))
        answer = server.http.post("/v1/files", files={"file": ("large.jsonl", content)})
        assert answer.status_code == 507, answer.text
        assert list(server.data_dir.glob("files/**/*")) == []
        assert server.upload(rows(3))
