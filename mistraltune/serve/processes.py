"""Jobs as processes of their own: started, found again, signalled, and their last words read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from mistraltune.errors import ExitCode
from mistraltune.serve.parts import name_uploads
from mistraltune.serve.records import ProcessMark

JOB, CHECK = "job", "check"
"""What a process does, by which its files are called: the job itself, or the check of a training's data."""

SERVER_VARIABLES = "MISTRALTUNE_SERVER_"
"""Variables that no process of a job gets to see: the key is among them."""


class Ending(NamedTuple):
    """How a process ended, by its own last words.

    Attributes:
        result: What it printed at the end of its work; None where it did not come to that.
        exit_code: What its error says; None where it had no time to say anything.
        message: What went wrong and what to do.
        overlap: The evaluated rows that a model was trained on, where it was refused for them.
    """

    result: dict[str, Any] | None
    exit_code: int | None
    message: str
    overlap: dict[str, Any] | None = None

    @property
    def is_interruption(self) -> bool:
        """Whether it was killed or stopped, so that starting it again makes sense."""
        if self.result is not None:
            return False
        return self.exit_code is None or self.exit_code in (ExitCode.TEMPORARY, ExitCode.LOCKED) or self.exit_code > 128


class Process:
    """One `mistraltune train`, `eval` or `compare`, by whatever server it was started.

    Attributes:
        mark: Tells it apart from a later process with the same number.
    """

    def __init__(self, process: psutil.Process, child: subprocess.Popen[bytes] | None = None) -> None:
        self._process = process
        self._child = child
        self._is_asked = False
        self.mark = ProcessMark(pid=process.pid, create_time=process.create_time())

    def is_alive(self) -> bool:
        """Whether it still works."""
        if self._child:
            return self._child.poll() is None
        try:
            return bool(self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def ask_to_stop(self) -> None:
        """Send SIGTERM to its group, once (a second one would end it unsaved): a trainer ends its step and saves."""
        if not self._is_asked:
            self._is_asked = True
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its children at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_alive():  # a stranger with its number gets nothing
            return
        try:
            os.killpg(self.mark.pid, number)  # it leads a group of its own
        except ProcessLookupError:
            return

    def wait(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        if self._child:
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        _, alive = psutil.wait_procs([self._process], timeout=seconds)
        return not alive


def start(command: Sequence[str], folder: Path, name: str) -> Process:
    """Start a job's command in a session and group of its own, its output in files that outlive the server.

    `NAME.out` is for its last words alone; `NAME.log` has the event lines of all attempts.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(SERVER_VARIABLES)}
    with (folder / f"{name}.out").open("wb") as out, (folder / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment, start_new_session=True
        )
    return Process(psutil.Process(child.pid), child)


def find_processes(commands: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Process]:
    """The living processes of jobs, whoever started them; a job's folder stands in its commands.

    A process leads its session: a child that it has just forked shows the same command until it runs its own.

    Args:
        commands: By job, each of the commands that may be at work on it.
    """
    wanted = {tuple(command[1:]): job_id for job_id, those in commands.items() for command in those}
    found: dict[str, Process] = {}
    for process in psutil.process_iter():
        try:
            job_id = wanted.get(tuple(process.cmdline()[1:]))
            if job_id and process.status() != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == process.pid:
                found[job_id] = Process(process)
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
    return found


def ending(folder: Path, name: str) -> Ending:
    """How the last process of that name ended."""
    try:
        words = json.loads((folder / f"{name}.out").read_bytes())
    except (OSError, ValueError):
        return Ending(None, None, "it was killed")
    error = words.get("error")
    if not error:
        return Ending(words, None, "")
    message = f"{error['message']}; {error['hint']}" if error.get("hint") else error["message"]
    return Ending(None, int(error["exit_code"]), name_uploads(message, folder), error.get("overlap"))


def read_log(folder: Path, *, offset: int, max_bytes: int = 2**20) -> tuple[list[dict[str, Any]], int]:
    """The event lines of a job behind `offset`, and the offset behind them; a line that is no event is a log line.

    A last line without its end is left for the next time.
    """
    try:
        with (folder / f"{JOB}.log").open("rb") as file:
            file.seek(offset)
            content = file.read(max_bytes)
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and len(content) == max_bytes:  # one endless line
        whole = content
    return [parse_line(line) for line in whole.splitlines() if line.strip()], offset + len(whole)


def parse_line(line: bytes) -> dict[str, Any]:
    """One line of a log as an event."""
    try:
        event = json.loads(line)
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            return event
    except ValueError:
        pass
    return {"event": "log", "text": line.decode("utf-8", errors="replace")[:4000]}
