"""A fine-tuning API on loopback, over real HTTP, that fails when it is told to."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clocks import FakeClock, RealTime
from remote_jobs import Call, Fault, FaultyApi, Schedule

KEY = "a-key-for-faults-8b1d03"
JOB = {"id": "job-0", "status": "SUCCESS"}


def once(fault: Fault) -> Schedule:
    """The first request meets `fault`, the others find the job `JOB`."""
    return lambda call: fault if call.number == 0 else Fault("body", body=json.dumps(JOB).encode())


def always(body: Any, **options: Any) -> Schedule:
    """Every request gets `body`, bytes or JSON-like."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda call: Fault("body", body=content, **options)


def chat_reply(content: Any, *, reason: str = "stop", **message: Any) -> bytes:
    """An answer as vLLM says it: with fields that Mistral's API has not."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": None, "annotations": None, **message},
        "finish_reason": reason,
        "logprobs": None,
        "stop_reason": None,
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": None}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(body | {"service_tier": None, "kv_transfer_params": None}).encode()


def chat_chunk(delta: dict[str, Any], *, reason: str | None = None, **fields: Any) -> bytes:
    """One piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(head | {"choices": [choice], **fields}).encode() + b"\n\n"


@contextmanager
def faulty_api(clock: FakeClock | RealTime) -> Iterator[FaultyApi]:
    """Yield the API, served."""
    api = FaultyApi(clock)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            handle(api, self)

        do_POST = do_DELETE = do_GET  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def handle(api: FaultyApi, request: BaseHTTPRequestHandler) -> None:
    """Note a request, and answer it, or not, as the schedule has it."""
    body = request.rfile.read(int(request.headers.get("content-length", 0)))
    parts = urlsplit(request.path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    key = request.headers.get("authorization", "")
    with api.lock:
        call = Call(request.command, parts.path, query, api.clock.at, len(api.calls), key, body)
        call.fault = fault = api.schedule(call)
        api.calls.append(call)
        status, answer = api.answer(call) if fault is None or fault.is_done else (0, None)
    content = json.dumps(answer).encode()
    match fault.kind if fault else "none":
        case "none":
            send(request, status, content)
        case "odd-status":
            send(request, 200, json.dumps(answer | {"status": "NEW_STATE"}).encode())
        case "status" if fault:
            said = fault.body or json.dumps({"message": "not now"}).encode()
            after = {"retry-after": fault.retry_after} if fault.retry_after is not None else {}
            send(request, fault.status, said, headers=after | fault.headers)
        case "html":
            send(request, 200, b"<html><body>Welcome to the hotel</body></html>", headers={"content-type": "text/html"})
        case "bad-json":
            send(request, 200, b'{"id": ')
        case "body" if fault:
            send(request, 200, fault.body, headers=fault.headers)
        case "half":
            request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{")
        case "drip":
            drip(request)
        case "stall":
            select.select([request.connection], [], [], 10)  # until the client has had enough
        case "reset":
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        case kind:
            raise AssertionError(kind)
    request.close_connection = True


def drip(request: BaseHTTPRequestHandler) -> None:
    """An answer of a byte now and then, until the client has had enough."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n")
    with suppress(OSError):
        while not select.select([request.connection], [], [], 0.05)[0]:
            request.wfile.write(b" ")


def send(
    request: BaseHTTPRequestHandler, status: int, content: bytes, *, headers: dict[str, str] | None = None
) -> None:
    """A whole answer."""
    request.send_response(status)
    given = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
    for name, value in given.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)


def write_endpoints(folder: Path, **urls: str) -> Path:
    """A configuration folder with an endpoints.yaml; every endpoint has the key of LAB_API_KEY."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = (f"{name}:\n  url: {url}\n  key_variable: LAB_API_KEY\n" for name, url in urls.items())
    (folder / "endpoints.yaml").write_text("".join(entries))
    return folder


@contextmanager
def lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    """Yield the API, served with a clock that nobody waits for, as endpoint `lab` of who works in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LAB_API_KEY", KEY)
    with faulty_api(FakeClock()) as served:
        monkeypatch.setenv("MISTRALTUNE_CONFIG_DIR", str(write_endpoints(folder / "config", lab=served.url)))
        yield served
