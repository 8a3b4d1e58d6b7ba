"""Who works on a run directory: one process at a time, known by name to the others."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mistraltune.clock import now
from mistraltune.errors import LockedError
from mistraltune.publishing import publish_json, sweep

GLANCE = 0.1
"""Seconds that a lock may be held by someone who only looks whether it is; a look takes far less."""


class RunLock:
    """The lock of one run directory.

    Attributes:
        path: The run directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / ".lock")

    def is_held(self) -> bool:
        """Whether a process is working on it."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with FileLock(self.path / ".lock").acquire(GLANCE, poll_interval=GLANCE / 20):
                return False
        except Timeout:
            return True
        except OSError:  # a read-only place: nobody can work there
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for one process; the kernel lets go of it when that process dies.

        Raises:
            LockedError: Another process holds it; the message names that process.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(GLANCE, poll_interval=GLANCE / 20)
        except Timeout:
            raise self._in_use() from None
        try:
            sweep(self.path)
            holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now()}
            publish_json(self.path / ".holder.json", holder)
            yield
        finally:
            (self.path / ".holder.json").unlink(missing_ok=True)
            self._lock.release()

    def refuse(self) -> None:
        """Find out early that another process holds the directory; only `held` keeps it from doing so later.

        Raises:
            LockedError: The message names that process.
        """
        if self.is_held():
            raise self._in_use()

    def _in_use(self) -> LockedError:
        return LockedError(f"{self.path} is in use by {self._holder()}", hint="wait for it to end, or stop it first")

    def _holder(self) -> str:
        # Its name is written just after the lock is taken; until then there is none, or that of one that was killed.
        for _ in range(20):
            with suppress(OSError, ValueError, KeyError):
                holder = json.loads((self.path / ".holder.json").read_text())
                if holder["host"] != socket.gethostname() or is_alive(holder["pid"]):
                    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
            time.sleep(0.04)
        return "another process"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except ProcessLookupError:
        return False
    return True
