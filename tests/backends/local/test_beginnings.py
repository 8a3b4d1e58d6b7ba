"""Two processes that end before they train: whatever ends them is told once, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from two_processes import TWO, end, environment, ranks, start, write_settings

HALT = """
import os, sys, threading, time

def is_waiting():
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame and frame.f_code.co_name != "is_called":
        frame = frame.f_back
    return frame is not None

def look():
    while not is_waiting():
        time.sleep(0.02)
    print("here", file=sys.stderr, flush=True)

def halt(event, arguments):
    if event == "import" and arguments[0] == "torch" and not halted:
        halted.append(event)
        print("here", file=sys.stderr, flush=True)
        while True:
            time.sleep(0.02)

halted = []
place = os.environ.get("HALT_" + os.environ.get("RANK", ""))
if place == "torch":
    sys.addaudithook(halt)
if place == "word":
    threading.Thread(target=look, daemon=True).start()
"""
"""In a process: say that it has come to a place. It stays before it imports torch, not where it waits for a word."""

INTERRUPT = """
import os, signal, sys
def interrupt(event, arguments):
    if event == "import" and arguments[0] == "typer":
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(interrupt)
"""
"""In a process: an interrupt while its modules are imported."""

ORPHAN = """
import time
from mistraltune.backends.local.orphans import follow_launcher
follow_launcher()
time.sleep(3600)
"""


@pytest.fixture
def halted(tiny_model: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts two processes, and returns the launcher when both have come to the places where they were told to halt."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "sitecustomize.py").write_text(HALT)
    settings = write_settings(tmp_path, tiny_model)

    def begin(first: str, second: str) -> subprocess.Popen[str]:
        planted = {"PYTHONPATH": str(tmp_path / "planted"), "HALT_0": first, "HALT_1": second}
        process = start("--config", str(settings), *TWO, "--json", **planted)
        started.append(process)
        assert process.stderr
        seen: list[str] = []
        while seen.count("here\n") < 2:
            seen.append(process.stderr.readline())
            assert seen[-1], seen
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def error(stdout: str) -> Any:
    """What the one object on stdout says."""
    return json.loads(stdout)["error"]


def test_a_signal_before_any_training_is_told_once_and_torch_says_nothing(
    halted: Callable[..., subprocess.Popen[str]],
) -> None:
    process = halted("torch", "torch")
    process.send_signal(signal.SIGTERM)
    code, stdout, stderr = end(process)
    assert code == -signal.SIGTERM
    assert error(stdout)["exit_code"] == 143
    assert stderr == "stopped\nhint: the same command may be given again; what is finished is kept\n"


def test_a_process_that_is_killed_before_any_training_is_told_of_by_the_launcher(
    halted: Callable[..., subprocess.Popen[str]],
) -> None:
    process = halted("torch", "word")
    os.kill(ranks(process)[1], signal.SIGKILL)
    code, stdout, stderr = end(process)
    assert code == error(stdout)["exit_code"] == 5
    assert error(stdout)["message"] == "process 1 of 2 was killed by SIGKILL"
    assert stderr.count("error:") == stderr.count("hint:") == 1
    assert "stopped" not in stderr


def test_processes_whose_launcher_is_killed_before_any_training_end_without_a_word(
    halted: Callable[..., subprocess.Popen[str]],
) -> None:
    """One has not imported torch yet, the other waits for it; `end` returns when both have closed their outputs."""
    process = halted("torch", "word")
    process.kill()
    _, stdout, stderr = end(process)
    assert (stdout, stderr) == ("", "")


def test_an_interrupt_of_the_first_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    code, stdout, stderr = end(start(PYTHONPATH=str(tmp_path)))
    assert (code, stdout, stderr) == (-signal.SIGINT, "", "")


def test_a_single_process_is_started_once_and_not_by_itself_again(tiny_model: Path, tmp_path: Path) -> None:
    """accelerate gives a single process no rank, so that it took itself for one that no launcher had started."""
    settings = write_settings(tmp_path, tiny_model)
    (tmp_path / "train.jsonl").write_text('{"instruction": "no answer"}\n')
    (tmp_path / "one.yaml").write_text("distributed_type: MULTI_GPU\nnum_processes: 1\n")
    one = ["--launcher", "accelerate", "--accelerate-config", str(tmp_path / "one.yaml")]
    code, stdout, _ = end(start("--config", str(settings), *one, "--json"))
    assert code == error(stdout)["exit_code"] == 3


def test_a_process_whose_launcher_is_dead_already_ends_at_once() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", ""])
    launcher.wait()
    told = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    orphan = subprocess.Popen(
        [sys.executable, "-c", ORPHAN], env=environment() | told | {"MISTRALTUNE_LAUNCHER": str(launcher.pid)}
    )
    assert orphan.wait(timeout=60) == -signal.SIGKILL
