"""A real `mistraltune serve` in a process of its own, and requests to it."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

KEY = "a-key-for-tests-4f9a1c77"
ENDED = ("SUCCESS", "FAILED", "FAILED_VALIDATION", "CANCELLED")


@dataclass(frozen=True)
class Serving:
    """A running server.

    Attributes:
        process: The server.
        url: Where it is.
        data_dir: What it works on.
        http: A client that has the key.
        log: What it has said.
    """

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path
    http: httpx2.Client
    log: Path

    def ok(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer that must not be an error."""
        answer = self.http.request(method, path, **options)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def upload(self, rows: Path | bytes, name: str = "train.jsonl") -> str:
        content = rows if isinstance(rows, bytes) else rows.read_bytes()
        return str(self.ok("POST", "/v1/files", files={"file": (name, content)}, data={"purpose": "fine-tune"})["id"])

    def create(self, **body: Any) -> dict[str, Any]:
        return dict(self.ok("POST", "/v1/fine_tuning/jobs", json={"model": "open-mistral-7b", **body}))

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.ok("GET", f"/v1/fine_tuning/jobs/{job_id}"))

    def wait_for(self, job_id: str, *statuses: str, seconds: float = 120) -> dict[str, Any]:
        """The job, once it has one of these statuses; any end by default."""
        wanted = statuses or ENDED
        return wait_until(lambda: job if (job := self.job(job_id))["status"] in wanted else None, seconds=seconds)


def wait_until(look: Callable[[], Any], *, seconds: float) -> Any:
    """What `look` finds, looked for until it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing was found in {seconds} seconds")


@contextmanager
def serving(
    data_dir: Path,
    *options: str | Path,
    env: Mapping[str, str] | None = None,
    limits: Mapping[int, int] | None = None,
) -> Iterator[Serving]:
    """Yield a server, held to limits of the system; it is stopped at the end, if it is still there."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir.with_name(f"{data_dir.name}.log")
    command = [sys.executable, "-m", "mistraltune", "serve", "--port", "0", "--data-dir", str(data_dir)]
    environment = {**os.environ, "MISTRALTUNE_SERVER_KEY": KEY, "NO_COLOR": "1", "OMP_NUM_THREADS": "1", **(env or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *map(str, options)],
            stderr=output,
            stdout=output,
            env=environment,
            preexec_fn=lambda: limit_process(limits or {}),
        )
    try:
        url = wait_until(lambda: find_url(log, process), seconds=60)
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=120) as http:
            wait_until(lambda: is_up(http), seconds=30)
            yield Serving(process, url, data_dir, http, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def limit_process(limits: Mapping[int, int]) -> None:
    for kind, value in limits.items():
        resource.setrlimit(kind, (value, value))


def find_url(log: Path, process: subprocess.Popen[bytes]) -> str | None:
    assert process.poll() is None, log.read_text()
    match = re.search(r"http://\S+:\d+", log.read_text())
    return match.group() if match else None


def is_up(http: httpx2.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx2.TransportError:
        return False


def rows(count: int = 8, *, word: str = "It is") -> bytes:
    """So many rows to train on."""
    lines = (
        {"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"{word} {n}."}]}
        for n in range(count)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
