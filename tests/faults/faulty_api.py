"""A fine-tuning API on loopback, over real HTTP, that fails when it is told to; and a clock that nobody waits for."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-for-faults-8b1d03"
EPOCH = datetime(2026, 11, 24, tzinfo=UTC)
JOBS = "/v1/fine_tuning/jobs"


class RealTime:
    """The machine's clock, for clients in processes of their own."""

    @property
    def at(self) -> float:
        return time.time()


class FakeClock:
    """A Clock whose sleeps take no time."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.wall_shift = timedelta()

    def monotonic(self) -> float:
        return self.at

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.at) + self.wall_shift

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.at += seconds


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        kind: `status`, `reset`, `half`, `html`, `bad-json`, `stall`, `odd-status`, or `body` (an answer of its own).
        status: Of kind `status`.
        retry_after: The header, of kind `status`.
        is_done: Whether the request is carried out all the same.
        body: Of kind `body`, and of `status` where it is not empty.
        headers: Further ones.
    """

    kind: str
    status: int = 500
    retry_after: str | None = None
    is_done: bool = False
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One request that came.

    Attributes:
        method: Of it.
        path: Without the query.
        query: Name to value.
        at: When, by the clock.
        number: Counted from 0.
        key: What it said of itself.
        body: Of a POST.
        fault: What it met.
    """

    method: str
    path: str
    query: dict[str, str]
    at: float
    number: int
    key: str
    body: bytes
    fault: Fault | None = None

    @property
    def name(self) -> str:
        """`POST jobs`, `GET job`, `POST start`, `GET files` and so on."""
        if self.path == JOBS:
            return f"{self.method} jobs"
        if self.path.startswith(f"{JOBS}/"):
            return f"{self.method} {'start' if self.path.endswith('/start') else 'job'}"
        return f"{self.method} {self.path.split('/')[2]}"


@dataclass
class RemoteJob:
    """A job of the API.

    Attributes:
        id: Of it.
        request: What it was asked for with.
        created_at: By the clock.
        started_at: One for each start that was carried out.
        seconds: How long it runs.
        num_looks: How often it was looked at before it started; it is VALIDATED at the third look.
        queued_seconds: From its start until it runs.
        ending: How it ends.
        is_cancelled: Whether somebody has cancelled it.
    """

    id: str
    request: dict[str, Any]
    created_at: float
    seconds: float
    started_at: list[float] = field(default_factory=list)
    num_looks: int = 0
    queued_seconds: float = 1.0
    ending: str = "SUCCESS"
    is_cancelled: bool = False

    def status(self, now: float) -> str:
        if self.is_cancelled:
            return "CANCELLED"
        if not self.started_at:
            return ("QUEUED", "VALIDATING", "VALIDATED")[min(self.num_looks, 2)]
        ran = now - self.started_at[0]
        return "QUEUED" if ran < self.queued_seconds else "RUNNING" if ran < self.seconds else self.ending

    def history(self, now: float) -> list[tuple[str, float]]:
        """Each status that it has had, with its time."""
        if not self.started_at:
            return [(self.status(now), self.created_at)]
        start = self.started_at[0]
        told = [("VALIDATED", self.created_at), ("QUEUED", start), ("RUNNING", start + self.queued_seconds)]
        told.append((self.ending, start + self.seconds))
        return [(status, at) for status, at in told if at <= now]

    def steps_done(self, now: float, num_steps: int) -> int:
        if not self.started_at:
            return 0
        ran = now - self.started_at[0]
        return num_steps if ran >= self.seconds else max(0, int(num_steps * ran / self.seconds))


Schedule = Callable[[Call], Fault | None]


class FaultyApi:
    """The API: files and jobs in memory, what came in order.

    Attributes:
        url: Where it is.
        clock: Its time, that of its client.
        schedule: Decides what each request meets.
        files: Name and content of what was uploaded.
        jobs: All that were made.
        calls: All that came.
        seconds: How long a job runs.
        num_steps: Of a job.
        cost: What a job costs.
        ending: How jobs end.
        is_quick: Whether jobs are checked when they are made, and have ended when they are started.
    """

    def __init__(self, clock: FakeClock | RealTime) -> None:
        self.clock = clock
        self.schedule: Schedule = lambda call: None
        self.files: dict[str, tuple[str, int]] = {}
        self.jobs: dict[str, RemoteJob] = {}
        self.calls: list[Call] = []
        self.seconds = 30.0
        self.num_steps = 5
        self.cost: float | None = 1.5
        self.ending = "SUCCESS"
        self.is_quick = False
        self.url = ""
        self.lock = threading.RLock()

    def forget(self) -> None:
        """Be as new."""
        self.files.clear()
        self.jobs.clear()
        self.calls.clear()

    @property
    def started(self) -> list[RemoteJob]:
        """Jobs that were started."""
        return [job for job in self.jobs.values() if job.started_at]

    def answer(self, call: Call) -> tuple[int, Any]:
        """What the API itself says to a request, having done it."""
        match call.name:
            case "GET files":
                found = [self.describe_file(file_id) for file_id in reversed(self.files)]
                wanted = call.query.get("search", "")
                answer = self.page([file for file in found if wanted in file["filename"]], call)
            case "POST files":
                file_id = f"file-{len(self.files)}"
                self.files[file_id] = read_upload(call.body)
                answer = self.describe_file(file_id)
            case "GET models":
                answer = {"object": "list", "data": [{"id": "open-mistral-7b"}, {"id": "ft:m:job-0", "extra": 1}]}
            case "DELETE models":
                answer = {"id": call.path.rpartition("/")[2], "object": "model", "deleted": True}
            case "GET jobs":
                found = [self.describe(job) for job in reversed(self.jobs.values())]
                suffix = call.query.get("suffix")
                answer = self.page([job for job in found if suffix in (None, job["suffix"])], call)
            case "POST jobs":
                answer = self.describe(self.make_job(json.loads(call.body)))
            case _:
                return self.answer_job(call)
        return 200, answer

    def make_job(self, request: dict[str, Any]) -> RemoteJob:
        job = RemoteJob(f"job-{len(self.jobs)}", request, self.clock.at, self.seconds, ending=self.ending)
        if self.is_quick:
            job.num_looks, job.queued_seconds, job.seconds = 2, 0, 0
        self.jobs[job.id] = job
        return job

    def answer_job(self, call: Call) -> tuple[int, Any]:
        job = self.jobs.get(call.path.split("/")[4] if call.path.startswith(JOBS) else "")
        if job is None:
            return 404, {"message": "there is no such thing"}
        if call.path.endswith("/start"):
            if job.status(self.clock.at) != "VALIDATED":
                return 409, {"message": f"the job is {job.status(self.clock.at)}"}
            job.started_at.append(self.clock.at)
        elif call.path.endswith("/cancel"):
            job.is_cancelled = True
        elif not job.started_at:
            job.num_looks += 1
        return 200, self.describe(job) | self.details(job)

    def page(self, found: list[dict[str, Any]], call: Call) -> dict[str, Any]:
        size, page = int(call.query.get("page_size", 100)), int(call.query.get("page", 0))
        return {"object": "list", "data": found[page * size : (page + 1) * size], "total": len(found)}

    def describe_file(self, file_id: str) -> dict[str, Any]:
        name, size = self.files[file_id]
        return {
            "id": file_id,
            "object": "file",
            "bytes": size,
            "created_at": 1,
            "filename": name,
            "purpose": "fine-tune",
            "sample_type": "instruct",
            "source": "upload",
        }

    def describe(self, job: RemoteJob) -> dict[str, Any]:
        status = job.status(self.clock.at)
        is_checked = job.num_looks > 1
        metadata = {
            "cost": self.cost if is_checked else 0,
            "cost_currency": "USD" if is_checked else None,
            "data_tokens": 1000 if is_checked else None,
            "train_tokens": 5000 if is_checked else None,
            "expected_duration_seconds": self.seconds if is_checked else None,
        }
        return {
            "id": job.id,
            "object": "job",
            "status": status,
            "model": job.request["model"],
            "created_at": job.created_at,
            "suffix": job.request.get("suffix"),
            "training_files": [file["file_id"] for file in job.request["training_files"]],
            "hyperparameters": job.request["hyperparameters"] | {"training_steps": self.num_steps},
            "fine_tuned_model": f"ft:{job.request['model']}:{job.id}" if status == "SUCCESS" else None,
            "trained_tokens": 5000 if status == "SUCCESS" else None,
            "metadata": metadata,
            "a_new_field": {"of": "later"},
        }

    def details(self, job: RemoteJob) -> dict[str, Any]:
        now = self.clock.at
        events = [
            {"name": "status-updated", "created_at": at, "data": {"status": status}} for status, at in job.history(now)
        ]
        steps = range(1, job.steps_done(now, self.num_steps) + 1)
        checkpoints = [
            {"step_number": step, "created_at": now, "metrics": {"train_loss": 2 / step, "valid_loss": 0.0}}
            for step in steps
        ]
        return {"events": events[::-1], "checkpoints": checkpoints[::-1]}


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


def read_upload(body: bytes) -> tuple[str, int]:
    """File name and size of a multipart body."""
    boundary = body.split(b"\r\n", 1)[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if match := re.search(rb'filename="([^"]+)"', head):
            return match[1].decode(), len(content.removesuffix(b"\r\n"))
    raise AssertionError("no file in the upload")


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
