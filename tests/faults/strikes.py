"""Signals that a process sends itself at a chosen change of a file: the crash tester's "fail the Nth I/O"."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.link"}


@dataclass(frozen=True)
class Strike:
    """When to send which signal: at the Nth change, or at the first one after something got its final name.

    Attributes:
        signal: Its number.
        at_event: Number of the change before which it is sent, counted from 1; 0 for none.
        at_path: Part of the path whose first change it is sent at.
        after_rename_to: End of the path that something is renamed to; the strike is at the next change.
        twice: Send it a second time, at the next change.
        fill: Instead of a signal: write this file until the disk is full.
        reads: Count files that are opened for reading too.
    """

    signal: int = 0
    at_event: int = 0
    at_path: str = ""
    after_rename_to: str = ""
    twice: bool = False
    fill: str = ""
    reads: bool = False


@dataclass
class Watch:
    """Counts the changes of files below a folder, and strikes at one of them.

    A change is counted before it is made: a kill at change N leaves what N - 1 changes made.
    """

    folder: str
    log: int
    strike: Strike | None
    num_events: int = 0
    num_strikes: int = 0
    is_armed: bool = False
    is_busy: bool = field(default=False, repr=False)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or self.is_busy:
            return
        paths = changed_paths(event, arguments, reads=bool(self.strike and self.strike.reads))
        if not any(path.startswith(self.folder) for path in paths):
            return
        self.is_busy = True
        self.num_events += 1
        os.write(self.log, f"{self.num_events} {event} {' '.join(paths)}\n".encode())
        self.is_busy = False
        if self.strike and self.is_time(self.strike, event, paths):
            self.num_strikes += 1
            if self.strike.fill:
                fill_disk(self.strike.fill)
            else:
                os.kill(os.getpid(), self.strike.signal)

    def is_time(self, strike: Strike, event: str, paths: list[str]) -> bool:
        """Whether the strike comes now."""
        if self.num_strikes:
            return strike.twice and self.num_strikes == 1
        if self.is_armed:
            return True
        if strike.after_rename_to and event == "os.rename":
            self.is_armed = paths[-1].endswith(strike.after_rename_to)
        return self.num_events == strike.at_event or bool(strike.at_path and strike.at_path in paths[0])


def watch_files(folder: Path, *, log: Path, strike: Strike | None) -> None:
    """Watch for the rest of this process; each change is a line of `log`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    sys.addaudithook(Watch(str(folder), descriptor, strike))


def fill_disk(path: str) -> None:
    """Write a file for as long as the disk takes it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    with contextlib.suppress(OSError):
        while os.write(descriptor, b"0" * 4096):
            pass
    os.close(descriptor)


def changed_paths(event: str, arguments: tuple[Any, ...], *, reads: bool) -> list[str]:
    """Absolute paths that a change is about; none for an `open` that only reads, unless `reads`."""
    if event == "open":
        path, _, flags = arguments
        return [absolute(path, -1)] if (reads or flags & WRITING) and is_path(path) else []
    if event in ("os.rename", "os.link"):
        source, target, source_dir, target_dir = arguments
        return [absolute(source, source_dir), absolute(target, target_dir)]
    path, *_, folder = (*arguments, -1) if event == "os.truncate" else arguments
    return [absolute(path, folder)] if is_path(path) else []


def is_path(value: Any) -> bool:
    return isinstance(value, str | bytes | os.PathLike)


def absolute(path: Any, folder: int) -> str:
    """`path` in full; `folder` is the descriptor that it is relative to, as `shutil.rmtree` gives it, or -1."""
    start = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else os.getcwd()  # noqa: PTH115, PTH109
    return os.path.join(start, os.fsdecode(path))  # noqa: PTH118 - pathlib normalises, and opens nothing either
