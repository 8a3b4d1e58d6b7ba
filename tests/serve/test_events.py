"""Figure J6: a WebSocket tells every event once and in order, whatever is cut; a slow reader is dropped."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, Serving, rows, serving, wait_until
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

MAX_SOCKETS = 5


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    limits = {"MISTRALTUNE_SERVER_MAX_SOCKETS": str(MAX_SOCKETS)}
    folder = tmp_path_factory.mktemp("events")
    with serving(folder / "data", "--model", f"open-mistral-7b={tiny_model}", env=limits) as running:
        yield running


def follow(server: Serving, job_id: str, *, after: int = 0, **options: Any) -> AbstractContextManager[ClientConnection]:
    url = f"{server.url.replace('http', 'ws')}/v1/fine_tuning/jobs/{job_id}/events/ws?after={after}"
    return connect(url, additional_headers={"Authorization": f"Bearer {KEY}"}, proxy=None, **options)


def read(connection: ClientConnection, count: int | None = None) -> list[dict[str, Any]]:
    """So many events, or all until the server closes."""
    events: list[dict[str, Any]] = []
    with suppress(ConnectionClosedOK):
        while count is None or len(events) < count:
            events.append(json.loads(connection.recv(timeout=60)))
    return events


def start_job(server: Serving, steps: int) -> str:
    wanted = {"training_files": [server.upload(rows(30))], "hyperparameters": {"training_steps": steps}}
    return str(server.create(**wanted)["id"])


@pytest.mark.figure("J6", "WebSocket cut and resumed: every event once, in order", trials=50)
def test_a_client_that_is_cut_fifty_times_misses_nothing_and_gets_nothing_twice(server: Serving) -> None:
    job_id = start_job(server, 60)
    chance = random.Random(3)
    events: list[dict[str, Any]] = []
    for _ in range(50):
        with follow(server, job_id, after=events[-1]["seq"] if events else 0) as connection:
            events += read(connection, chance.randint(1, 2))
            connection.socket.shutdown(socket.SHUT_RDWR)
    with follow(server, job_id, after=events[-1]["seq"]) as connection:
        events += read(connection)
    with follow(server, job_id) as connection:
        whole = read(connection)
    assert events == whole
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    names = {event["name"] for event in events}
    assert {"status-updated", "step", "checkpoint", "phase", "data"} <= names
    assert events[-1]["data"] == {"status": "SUCCESS"}
    steps = [event["data"]["step"] for event in events if event["name"] == "step"]
    assert steps == list(range(1, 61))


def enters(stack: ExitStack, server: Serving, job_id: str) -> bool:
    """Whether a further socket is let in."""
    with suppress(InvalidStatus):
        stack.enter_context(follow(server, job_id))
        return True
    return False


def test_a_stranger_and_a_client_too_many_are_turned_away(server: Serving) -> None:
    job_id = start_job(server, 100_000)
    url = f"{server.url.replace('http', 'ws')}/v1/fine_tuning/jobs/{job_id}/events/ws"
    with pytest.raises(InvalidStatus) as stranger, connect(url, proxy=None):
        pass
    assert stranger.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as lost, follow(server, "nowhere"):
        pass
    assert lost.value.response.status_code == 404
    assert json.loads(lost.value.response.body)["message"] == "there is no job nowhere"
    with ExitStack() as stack:
        for _ in range(MAX_SOCKETS):
            wait_until(lambda: enters(stack, server, job_id), seconds=10)  # those before may not be forgotten yet
        with pytest.raises(InvalidStatus), follow(server, job_id):
            pass

    def is_free() -> bool:
        with suppress(InvalidStatus), follow(server, job_id):
            return True
        return False

    wait_until(is_free, seconds=10)
    server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
    server.wait_for(job_id)


def test_what_a_client_says_does_no_harm(server: Serving) -> None:
    job_id = start_job(server, 100_000)
    for said in ("garbage", b"\x00" * 1000, "[" * 1000):
        with follow(server, job_id) as connection:
            connection.send(said)
            assert read(connection, 1)[0]["seq"] == 1
    with follow(server, job_id, max_size=None) as connection, pytest.raises(ConnectionClosed) as closed:
        connection.send("x" * 2**20)
        while True:
            connection.recv(timeout=10)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
    server.wait_for(job_id)


@pytest.mark.figure("J6", "slow reader: dropped, training undisturbed")
def test_a_reader_that_stops_reading_is_dropped_and_slows_nobody(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}") as server:
        line = b"x" * 3000 + b"\n"
        job_id = start_job(server, 1000)
        log = server.data_dir / "jobs" / job_id / "job.log"
        wait_until(lambda: server.job(job_id)["checkpoints"], seconds=60)
        host, port = server.url.removeprefix("http://").rsplit(":", 1)
        slow = socket.create_connection((host, int(port)))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /v1/fine_tuning/jobs/{job_id}/events/ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        head += f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
        slow.sendall((head + f"Authorization: Bearer {KEY}\r\n\r\n").encode())
        with log.open("ab") as file:  # 15 MB of log lines: more than any socket's buffers hold
            file.write(line * 5000)
        quick: list[dict[str, Any]] = []

        def read_all() -> None:
            with follow(server, job_id, max_size=None) as connection:
                quick.extend(read(connection))

        reader = threading.Thread(target=read_all)
        reader.start()
        before = len(server.job(job_id)["checkpoints"])
        time.sleep(12)  # longer than a send may take
        assert len(server.job(job_id)["checkpoints"]) > before
        server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
        server.wait_for(job_id)
        reader.join(60)
        assert quick[-1]["data"] == {"status": "CANCELLED"}
        slow.settimeout(10)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)  # what was sent comes fast now
        received = 0
        with suppress(ConnectionError):
            while piece := slow.recv(2**20):
                received += len(piece)
        slow.close()
        assert received < 15_000_000
