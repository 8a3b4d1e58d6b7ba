"""Work on many rows, spread over this process and workers beside it; the results come in the order of the rows.

A worker is a new interpreter: nothing is forked, so that no lock is copied while a library's thread holds it, and the
program that asks does not run again. What a worker cannot do, for whatever reason, this process does itself, so that
every result and every error is what it would be without workers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")
Work = Callable[[range], Result]
"""Does something with a range of rows."""

CHUNK = 250
"""Rows that are worked on at a time."""
ROWS_PER_PROCESS = 5_000
"""Fewer are done here before a worker has started, which takes about a second."""
MAX_PROCESSES = 8
"""Each holds a tokenizer of its own, 100 to 300 MB."""

_WORKER = "import sys; fd, *sys.path = sys.argv[1:]; from mistraltune.data.spreading import serve; serve(int(fd))"
_AHEAD = 4  # chunks that a worker has, so that it need not wait for the next


class _Chunk(NamedTuple):
    number: int
    rows: range


def spread(
    work: Work[Result], num_rows: int, *, open_work: Callable[[], Work[Result]] | None = None
) -> Generator[Result, None, None]:
    """What `work` makes of each chunk of rows, in their order.

    Args:
        work: What this process does with a chunk.
        num_rows: How many rows there are.
        open_work: Gives a worker what does the same there; it is pickled, and without it there are no workers.
    """
    starts = range(0, num_rows, CHUNK)
    chunks = deque(_Chunk(number, range(start, min(start + CHUNK, num_rows))) for number, start in enumerate(starts))
    num_processes = min(num_cores(), num_rows // ROWS_PER_PROCESS, MAX_PROCESSES)
    job = _packed(open_work) if open_work and num_processes > 1 else b""
    done: dict[int, Result] = {}
    with _workers(num_processes - 1 if job else 0, job) as workers:
        for number in range(len(starts)):
            while number not in done:
                _exchange(workers, chunks, done)
                if chunks:
                    chunk = chunks.popleft()
                    done[chunk.number] = work(chunk.rows)
            yield done.pop(number)


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(descriptor: int) -> None:
    """What a worker does: the work that it is told first, on one chunk after another, until nobody listens."""
    from multiprocessing.connection import Connection

    with Connection(descriptor) as connection, suppress(EOFError, OSError):
        work = connection.recv()()
        while True:
            connection.send(work(connection.recv()))


class _Worker:
    """A process that works on chunks, in the order in which it gets them.

    A signal from the terminal does not reach it. It ends when this process does, as nobody is at the other end then.
    """

    def __init__(self) -> None:
        from multiprocessing.connection import Pipe

        self.connection, other_end = Pipe()
        self._chunks: deque[_Chunk] = deque()
        with other_end:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-c", _WORKER, str(other_end.fileno()), *sys.path],
                pass_fds=[other_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )

    def begin(self, job: bytes) -> None:
        """Tell the worker what its work is."""
        self.connection.send_bytes(job)

    def feed(self, chunks: deque[_Chunk]) -> None:
        """Give the worker the first of the chunks, if it has too few."""
        while chunks and len(self._chunks) < _AHEAD:
            self._chunks.append(chunks.popleft())
            self.connection.send(self._chunks[-1].rows)

    def results(self) -> Iterator[tuple[int, Any]]:
        """What it has finished, each with the number of the chunk."""
        while self._chunks and self.connection.poll():
            result = self.connection.recv()
            yield self._chunks.popleft().number, result

    def kill(self) -> list[_Chunk]:
        """End the process; what it was given and has not done comes back."""
        self._process.kill()
        self._process.wait()
        self.connection.close()
        return list(self._chunks)


@contextmanager
def _workers(number: int, job: bytes) -> Iterator[list[_Worker]]:
    """So many workers, or fewer where the system gives no more; none is left behind."""
    workers: list[_Worker] = []
    try:
        with suppress(OSError):
            for _ in range(number):
                workers.append(_Worker())
            for worker in workers:
                worker.begin(job)
        yield workers
    finally:
        for worker in workers:
            worker.kill()


def _exchange(workers: list[_Worker], chunks: deque[_Chunk], done: dict[int, Any]) -> None:
    """Take what the workers have finished and give them more; wait for them where no chunk is left for this process."""
    if not workers:
        return
    from multiprocessing.connection import wait

    if not chunks:
        wait([worker.connection for worker in workers])
    for worker in [*workers]:
        with _letting_go(worker, workers, chunks):
            done.update(worker.results())
            worker.feed(chunks)


@contextmanager
def _letting_go(worker: _Worker, workers: list[_Worker], chunks: deque[_Chunk]) -> Iterator[None]:
    """Do without a worker that fails: its chunks are the next ones again."""
    try:
        yield
    except (EOFError, OSError):
        workers.remove(worker)
        chunks.extendleft(reversed(worker.kill()))


def _packed(value: object) -> bytes:
    """`value` as `Connection.recv` takes it; empty where it holds something that another process cannot have.

    It goes to a process that this one started, through a pipe that nobody else holds; nothing of the kind is ever read
    from a file.
    """
    from multiprocessing.reduction import ForkingPickler

    try:
        return bytes(ForkingPickler.dumps(value))
    except Exception:  # whatever keeps it from being packed, the work is then done here
        return b""
