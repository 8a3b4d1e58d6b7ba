"""Trials: real `mistraltune` commands in forked processes, with a fault where one is asked for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from strikes import Strike

HERE = Path(__file__).parent
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "NO_COLOR": "1",
    "COLUMNS": "80",
}


@dataclass(frozen=True)
class Ended:
    """How a trial ended.

    Attributes:
        returncode: Its exit code, or minus the number of the signal that ended it.
        stdout: What it printed.
        stderr: Likewise.
    """

    returncode: int
    stdout: str
    stderr: str

    @property
    def has_traceback(self) -> bool:
        """Whether it showed a person the inside of the program."""
        return "Traceback (most recent call last)" in self.stderr


class Trial:
    """One command in a process of its own."""

    def __init__(self, server: ForkServer, pid: int, stdout: Path, stderr: Path) -> None:
        self._server = server
        self.pid = pid
        self._stdout = stdout
        self._stderr = stderr

    def wait(self) -> Ended:
        """How it ended, once it has."""
        answer = self._server.ask({"do": "wait", "pid": self.pid})
        return Ended(
            answer["returncode"],
            self._stdout.read_text(errors="replace"),
            self._stderr.read_text(errors="replace"),
        )

    def send(self, number: int) -> None:
        """Send it a signal; it may have ended, but has not been waited for."""
        os.kill(self.pid, number)

    def wait_until_stopped(self) -> None:
        """Return when it has been stopped by SIGSTOP."""
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)

    def survivors(self) -> list[str]:
        """Command lines of the processes that it started and that are alive 5 seconds after its end."""
        for _ in range(50):
            alive = [process for process in psutil.process_iter() if is_of_session(process, self.pid)]
            if not alive:
                return []
            time.sleep(0.1)
        return [" ".join(process.cmdline()) for process in alive]

    def told(self) -> str:
        """What it has said on stderr so far."""
        return self._stderr.read_text(errors="replace")


def is_of_session(process: psutil.Process, session: int) -> bool:
    """Whether a live process belongs to a session."""
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess, PermissionError):
        return False


class ForkServer:
    """Starts trials; see `fork_server.py` for the other side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
            text=True,
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the fork server has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def start(
        self,
        *arguments: str | Path,
        folder: Path,
        watched: Path | None = None,
        strike: Strike | None = None,
        plant: str = "",
        file_limit: int = 0,
        num_threads: int = 1,
        ignored: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        events: Path | None = None,
    ) -> Trial:
        """Start `mistraltune ARGUMENTS` in `folder`.

        Args:
            arguments: Of the command.
            folder: Its working directory.
            watched: Changes of files below it are counted and can be struck at; unset watches nothing.
            strike: The signal that the process sends itself.
            plant: Name of a loss in `planted.py`.
            file_limit: Largest file that may be written, in bytes; 0 for no limit.
            num_threads: That torch computes with.
            ignored: Signals that it is started with as ignored ones.
            env: Further variables.
            events: Gets the list of changes.
        """
        number = next(self._numbers)
        stdout, stderr = (self._folder / f"{number}.{name}" for name in ("out", "err"))
        answer = self.ask(
            {
                "do": "start",
                "arguments": [str(argument) for argument in arguments],
                "folder": str(folder),
                "stdout": str(stdout),
                "stderr": str(stderr),
                "env": dict(env or {}),
                "watched": str(watched) if watched else "",
                "strike": asdict(strike) if strike else None,
                "events": str(events or self._folder / f"{number}.events"),
                "plant": plant,
                "file_limit": file_limit,
                "num_threads": num_threads,
                "ignored": list(ignored),
            }
        )
        return Trial(self, answer["pid"], stdout, stderr)

    def run(self, *arguments: str | Path, **options: Any) -> Ended:
        """Start a trial and wait for its end."""
        return self.start(*arguments, **options).wait()

    def close(self) -> None:
        """End the server; trials that nobody waited for end on their own."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True)
class Training:
    """A training of the tiny model that can be started anywhere, any number of times.

    Attributes:
        server: Starts it.
        model: The tiny model's folder.
        data: Folder with `train.jsonl` and `val.jsonl`.
        quantization: `none` (LoRA in float32) or `nf4`.
    """

    server: ForkServer
    model: Path
    data: Path
    quantization: str = "none"

    def arguments(self, *more: str | Path) -> list[str | Path]:
        """The command: six steps in two epochs, dropout, two micro-steps a step, checkpoints in mid-epoch."""
        settings = {
            "quantization": self.quantization,
            "local.dtype": "float32" if self.quantization == "none" else "auto",
            "training.epochs": 2,
            "training.batch_size": 2,
            "training.gradient_accumulation_steps": 2,
            "training.logging_steps": 1,
            "training.save_steps": 2,
            "training.eval_steps": 3,
            "lora.r": 4,
            "lora.dropout": 0.1,
        }
        options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        files = ("--train-file", self.data / "train.jsonl", "--val-file", self.data / "val.jsonl")
        return ["train", "local", "--model", self.model, *files, *options, "--run-id", "run", *more]

    def start(self, folder: Path, *more: str | Path, **faults: Any) -> Trial:
        """Start it in `folder`, where its run is `outputs/run`."""
        folder.mkdir(parents=True, exist_ok=True)
        if "strike" in faults or "events" in faults:
            faults.setdefault("watched", folder / "outputs")
        return self.server.start(*self.arguments(*more), folder=folder, **faults)

    def run(self, folder: Path, *more: str | Path, **faults: Any) -> Ended:
        """Likewise, to its end."""
        return self.start(folder, *more, **faults).wait()

    def read(self, folder: Path) -> list[str]:
        """What is wrong when the commands that read runs read `folder`: an undocumented end."""
        # Before there is a directory, its name is that of a model on the Hub, which is out of reach: exit 5.
        is_begun = (folder / "outputs" / "run" / "training_metadata.yaml").exists()
        rows = ("--eval-file", str(self.data / "val.jsonl"), "--limit", "1", "--allow-overlap")
        evaluate = ("eval", "--model", "outputs/run", *rows)
        expected = {
            ("runs", "list"): {0},
            ("runs", "list", "--json"): {0},
            ("runs", "show", "run"): {0} if is_begun else {2},
            evaluate: {0, 2} if is_begun else {2, 5},
        }
        problems = []
        for command, codes in expected.items():
            ended = self.server.run(*command, folder=folder)
            if ended.has_traceback or ended.returncode not in codes:
                problems.append(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stderr[-2000:]}")
        return problems


@dataclass(frozen=True)
class Outcome:
    """What a finished run is compared by.

    Attributes:
        adapter: sha256 of the adapter's two files.
        history: The lines of `metrics.jsonl`, times left out.
    """

    adapter: str
    history: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Outcome:
        """The outcome of the run in `folder`."""
        run = folder / "outputs" / "run"
        digest = hashlib.sha256()
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            digest.update((run / name).read_bytes())
        events = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        timeless = ({key: value for key, value in event.items() if "second" not in key} for event in events)
        return cls(digest.hexdigest(), tuple(json.dumps(event) for event in timeless))


@dataclass(frozen=True)
class Whole:
    """A training that nothing disturbed.

    Attributes:
        training: How it was started.
        folder: Where its run is.
        outcome: What every disturbed one must come to.
        num_events: Changes of files that it made.
        seconds: How long it took.
    """

    training: Training
    folder: Path
    outcome: Outcome
    num_events: int
    seconds: float

    def recover(self, folder: Path, **faults: Any) -> list[str]:
        """What is wrong after the same command was given again in `folder`; nothing where all came as it should."""
        ended = self.training.run(folder, **faults)
        if ended.returncode != 0:
            return [f"exit {ended.returncode}\n{ended.stderr[-2000:]}"]
        return self.compare(folder)

    def compare(self, folder: Path) -> list[str]:
        """What is not as in the undisturbed run."""
        outcome = Outcome.of(folder)
        problems = []
        if outcome.adapter != self.outcome.adapter:
            problems.append("another adapter")
        if outcome.history != self.outcome.history:
            problems.append(f"another history: {outcome.history}")
        leftovers = [str(path) for path in (folder / "outputs").rglob("*.tmp")]
        if leftovers:
            problems.append(f"left over: {leftovers}")
        return problems


def copy_run(source: Path, target: Path) -> Path:
    """`source` with all it holds, as `target`."""
    shutil.copytree(source, target)
    return target


@contextmanager
def fork_server(folder: Path) -> Iterator[ForkServer]:
    """A server for the length of a block."""
    server = ForkServer(folder)
    try:
        yield server
    finally:
        server.close()
