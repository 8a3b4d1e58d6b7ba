"""Work on many rows, spread over worker processes; the results come in the order of the rows.

A worker is a new interpreter: nothing is forked, so that no lock is copied while a library's thread holds it, and the
program that asks does not run again. What a worker cannot do, for whatever reason, this process does itself, so that
every result and every error is what it would be without workers.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
Work = Callable[[range], Result]
"""Does something with a range of rows."""

CHUNK = 250
"""Rows that are worked on at a time."""
ROWS_PER_WORKER = 8_000
"""Fewer are done before a worker has started, which takes about a second."""
MAX_WORKERS = 8
"""Each holds a tokenizer of its own, 100 to 300 MB."""

_WORKER = "import sys; sys.path[:] = sys.argv[1:]; from mistraltune.data.spreading import do_share; do_share()"


def spread(
    work: Work[Result], num_rows: int, *, open_work: Callable[[], Work[Result]] | None = None
) -> Generator[Result, None, None]:
    """What `work` makes of each chunk of rows, in their order; never None.

    Args:
        work: Is called here where the rows are few, there is one core only, or a worker fails.
        num_rows: How many rows there are.
        open_work: Gives a worker what is the same as `work` there; it is pickled.
    """
    chunks = [range(start, min(start + CHUNK, num_rows)) for start in range(0, num_rows, CHUNK)]
    num_workers = min(num_cores(), num_rows // ROWS_PER_WORKER, MAX_WORKERS)
    job = _pickled(open_work) if open_work and num_workers > 1 else b""
    with _workers(num_workers if job else 0) as workers:
        for number, worker in enumerate(workers):
            _give(worker, job + pickle.dumps(chunks[number :: len(workers)]))
        shares = [_results(worker) for worker in workers]
        for number, chunk in enumerate(chunks):
            result: Result | None = next(shares[number % len(shares)], None) if shares else None
            yield work(chunk) if result is None else result


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def do_share() -> None:
    """What a worker process does: the work that it is given on stdin; the results go to stdout."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no result
    work = pickle.load(sys.stdin.buffer)()  # noqa: S301 - from the process that started this one
    for chunk in pickle.load(sys.stdin.buffer):  # noqa: S301
        pickle.dump(work(chunk), results)
        results.flush()


def _pickled(value: object) -> bytes:
    """A pickle; empty where `value` holds something that cannot be."""
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return b""


@contextmanager
def _workers(number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that wait for work, or fewer where the system gives no more; none is left behind.

    A signal from the terminal does not reach them. They end when this process does, as nobody takes their results.
    """
    command = [sys.executable, "-c", _WORKER, *sys.path]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(OSError):
            for _ in range(number):
                workers.append(
                    subprocess.Popen(  # noqa: S603
                        command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        process_group=0,
                    )
                )
        yield workers
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            with suppress(OSError), worker:  # waits, and closes the pipes
                pass


def _give(worker: subprocess.Popen[bytes], job: bytes) -> None:
    """Send a worker all that it will ever be told; one that has ended already is no worse than one that fails."""
    assert worker.stdin
    with suppress(OSError), worker.stdin as pipe:
        pipe.write(job)


def _results(worker: subprocess.Popen[bytes]) -> Iterator[Any]:
    """What a worker makes of its chunks, until it has no more or fails."""
    assert worker.stdout
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            yield pickle.load(worker.stdout)  # noqa: S301 - from a process of our own
