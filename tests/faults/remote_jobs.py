"""What a fine-tuning API holds and answers: files and jobs in memory, and all that came, in order."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clocks import FakeClock, RealTime

JOBS = "/v1/fine_tuning/jobs"


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


def read_upload(body: bytes) -> tuple[str, int]:
    """File name and size of a multipart body."""
    boundary = body.split(b"\r\n", 1)[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if match := re.search(rb'filename="([^"]+)"', head):
            return match[1].decode(), len(content.removesuffix(b"\r\n"))
    raise AssertionError("no file in the upload")
