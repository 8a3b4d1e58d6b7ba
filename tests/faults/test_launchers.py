"""C1 in several processes: whatever ends a launcher ends all, and the same command comes to the same adapter."""

from __future__ import annotations

import signal
from collections.abc import Callable
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
    os.kill(os.getppid(), int(os.environ["STRIKE"]))

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
"""In the process that writes: send the launcher a signal when step 4 is saved, and go on once it has come back."""

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
"""torch starts each process in a session of its own: also a terminal's Ctrl-C reaches the launcher alone."""

LAUNCHERS: dict[str, Callable[[Path], list[str]]] = {
    "torchrun": lambda folder: TWO,
    "accelerate": lambda folder: ["--launcher", "accelerate", "--num-processes", "2"],
    "accelerate-fsdp": share_by_accelerate,
}


def striking(number: signal.Signals, folder: Path) -> dict[str, str]:
    """Variables that have the first process strike."""
    (folder / "planted").mkdir()
    (folder / "planted" / "sitecustomize.py").write_text(STRIKE)
    return {"STRIKE": str(number.value), "PYTHONPATH": str(folder / "planted")}


def survivors(folder: Path) -> list[str]:
    """Command lines of the live processes that train what lies in `folder`."""
    alive = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    return [" ".join(line) for line in alive if line and str(folder / "two.yaml") in line]


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
    told = [str(event) for event in timeless(run) if event not in timeless(whole)]
    return [
        *([] if (run.path / name).read_bytes() == (whole.path / name).read_bytes() else ["another adapter"]),
        *([] if timeless(run) == timeless(whole) else ["another history", *told]),
    ]


def test_a_stop_of_any_launcher_saves_ends_all_and_can_be_continued(
    whole: RunDir, tiny_model: Path, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    if not is_exhaustive:
        pytest.skip("`nox -s faults` has the trials; tests/backends/local/test_several_processes.py one of each kind")
    problems = {}
    for name, stop in [(name, stop) for name in LAUNCHERS for stop in STOPS]:
        folder = tmp_path / f"{name}-{stop.name}"
        folder.mkdir()
        command = ["--config", str(write_settings(folder, tiny_model)), "--run-id", "run", *LAUNCHERS[name](folder)]
        process = start(*command, **striking(stop, folder))
        code, _, stderr = end(process)
        checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
        problems[folder.name] = [
            *([] if code == -stop else [f"exit {code}\n{stderr}"]),
            *([] if "Traceback" not in stderr else [stderr]),
            *([] if checkpoint and checkpoint.step == 5 else [f"checkpoint: {checkpoint}"]),
            *passed_over,
            *(f"alive: {line}" for line in survivors(folder)),
            *recover(command, folder, whole),
        ]
    tally("C1", "signal to a launcher of two processes: saved, all ended, then identical", problems)


def test_a_second_signal_to_a_launcher_ends_all_at_once(
    whole: RunDir, tiny_model: Path, tmp_path: Path, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {}
    trials = [(name, stop) for name in LAUNCHERS for stop in STOPS[:-1]]
    for name, stop in trials if is_exhaustive else trials[:1]:
        folder = tmp_path / f"{name}-{stop.name}"
        folder.mkdir()
        command = ["--config", str(write_settings(folder, tiny_model)), "--run-id", "run", *LAUNCHERS[name](folder)]
        process = start(*command, **striking(stop, folder), TWICE="yes")
        code, _, stderr = end(process)
        checkpoint, passed_over = RunDir(folder / "outputs" / "run").checkpoint()
        problems[folder.name] = [
            *([] if code == -stop else [f"exit {code}\n{stderr}"]),
            *([] if checkpoint and checkpoint.step == 2 else [f"previous checkpoint: {checkpoint}"]),
            *passed_over,
            *(f"alive: {line}" for line in survivors(folder)),
            *recover(command, folder, whole),
        ]
    tally("C1", "second signal to a launcher of two processes: ends at once, then identical", problems)
