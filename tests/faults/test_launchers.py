"""C1 in several processes: whatever ends a launcher ends all, and the same command comes to the same adapter."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tallying import Tally
from two_processes import TWO, end, share_by_accelerate, start, timeless, write_settings

from mistraltune.runs import RunDir

pytestmark = pytest.mark.timeout(3600)

STRIKE = """
import os, signal, sys, time

def send():
    target, number = os.environ["STRIKE"].split()
    if target == "group":
        os.killpg(os.getpgid(0), int(number))
    else:
        os.kill(os.getppid(), int(number))

def wait_for_the_word():
    while signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        time.sleep(0.01)

def strike(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("checkpoints/step-4") and not struck:
        struck.append(event)
        send()
        wait_for_the_word()
        if "TWICE" in os.environ:
            send()
            time.sleep(3600)  # a step that takes too long for whoever says it twice

struck = []
if os.environ.get("RANK") == "0":
    sys.addaudithook(strike)
"""
"""In the process that writes: send a signal when the fourth step is saved, and go on once it has come back to us."""


@dataclass(frozen=True)
class Stop:
    """What ends a run.

    Attributes:
        target: Which process is sent the signal: `launcher`, or all of the `group`, as a terminal does it.
        number: Of the signal.
    """

    target: str
    number: signal.Signals

    def environment(self, folder: Path, *, is_twice: bool = False) -> dict[str, str]:
        """Variables that have the first process strike."""
        (folder / "planted").mkdir(exist_ok=True)
        (folder / "planted" / "sitecustomize.py").write_text(STRIKE)
        word = {"STRIKE": f"{self.target} {self.number.value}", "PYTHONPATH": str(folder / "planted")}
        return word | ({"TWICE": "yes"} if is_twice else {})


STOPS = [
    Stop("group", signal.SIGINT),
    Stop("launcher", signal.SIGINT),
    Stop("launcher", signal.SIGTERM),
    Stop("launcher", signal.SIGHUP),
    Stop("launcher", signal.SIGKILL),
]

LAUNCHERS: dict[str, Callable[[Path], list[str]]] = {
    "torchrun": lambda folder: TWO,
    "accelerate": lambda folder: ["--launcher", "accelerate", "--num-processes", "2"],
    "accelerate, FSDP": share_by_accelerate,
}


def survivors(session: int) -> list[str]:
    """Command lines of the live processes of a session."""
    found = []
    for process in psutil.process_iter(["pid", "status", "cmdline"]):
        try:
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"]))
        except ProcessLookupError:
            continue
    return found


@pytest.fixture(scope="session")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run in two processes that nothing disturbed."""
    folder = tmp_path_factory.mktemp("two")
    code, _, stderr = end(start("--config", str(write_settings(folder, tiny_model)), "--run-id", "run", *TWO))
    assert code == 0, stderr
    return RunDir(folder / "outputs" / "run")


def recover(command: list[str], folder: Path, whole: RunDir) -> list[str]:
    """What is wrong after the same command was given again."""
    code, _, stderr = end(start(*command))
    if code:
        return [f"then exit {code}\n{stderr}"]
    run = RunDir(folder / "outputs" / "run")
    name = "adapter_model.safetensors"
    return [
        *([] if (run.path / name).read_bytes() == (whole.path / name).read_bytes() else ["another adapter"]),
        *([] if timeless(run) == timeless(whole) else ["another history"]),
    ]


def test_a_stop_of_any_launcher_saves_ends_all_and_can_be_continued(
    whole: RunDir, tiny_model: Path, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    trials = [(name, stop) for name in LAUNCHERS for stop in STOPS]
    for name, stop in trials if is_exhaustive else trials[-1:]:
        folder = tmp_path / f"{name} {stop.target} {stop.number.name}"
        folder.mkdir()
        command = ["--config", str(write_settings(folder, tiny_model)), "--run-id", "run", *LAUNCHERS[name](folder)]
        process = start(*command, **stop.environment(folder))
        code, _, stderr = end(process)
        checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
        problems[folder.name] = [
            *([] if code == -stop.number else [f"exit {code}\n{stderr}"]),
            *([] if "Traceback" not in stderr else [stderr]),
            *([] if checkpoint and checkpoint.step == 5 else [f"checkpoint: {checkpoint}"]),
            *passed_over,
            *(f"alive: {line}" for line in survivors(process.pid)),
            *recover(command, folder, whole),
        ]
    tally("C1", "signal to a launcher of two processes: saved, all ended, then identical", problems)


def test_a_second_signal_to_a_launcher_ends_all_at_once(
    whole: RunDir, tiny_model: Path, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    trials = [(name, stop) for name in LAUNCHERS for stop in STOPS[:-1]]
    for name, stop in trials if is_exhaustive else trials[:1]:
        folder = tmp_path / f"{name} {stop.target} {stop.number.name}"
        folder.mkdir()
        command = ["--config", str(write_settings(folder, tiny_model)), "--run-id", "run", *LAUNCHERS[name](folder)]
        process = start(*command, **stop.environment(folder, is_twice=True))
        code, _, stderr = end(process)
        checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
        problems[folder.name] = [
            *([] if code == -stop.number else [f"exit {code}\n{stderr}"]),
            *([] if checkpoint and checkpoint.step == 2 else [f"previous checkpoint: {checkpoint}"]),
            *passed_over,
            *(f"alive: {line}" for line in survivors(process.pid)),
            *recover(command, folder, whole),
        ]
    tally("C1", "second signal to a launcher of two processes: ends at once, then identical", problems)
