"""The run directory: everything that a training run leaves, with one writer at a time and no half-written file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mistraltune.checkpoints import (
    Checkpoint,
    drop_later_checkpoints,
    drop_old_checkpoints,
    list_checkpoints,
    publish_checkpoint,
)
from mistraltune.clock import now
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import publish_json
from mistraltune.results import ModelRef, TrainResult
from mistraltune.run_history import Event, RunHistory
from mistraltune.run_lock import RunLock
from mistraltune.run_metadata import METADATA, RunMetadata

__all__ = ["METRIC_EVENTS", "STATUSES", "Event", "RunDir", "find_runs", "is_run_dir", "list_runs", "refuse_foreign_dir"]

STATUSES = ("unfinished", "running", "finished", "failed")
"""What a run may be, see `RunDir.status`."""

METRIC_EVENTS = ("step", "validation")
"""Events that `metrics.jsonl` keeps."""


class RunDir:
    """One run directory, the only reader and writer of its files.

    Attributes:
        path: The directory; PEFT opens it as an adapter once the run has finished.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
        keeps_metrics: bool = True,
    ) -> None:
        """Nothing is read or written yet.

        Args:
            path: The directory.
            on_event: Hears what happens, see `emit`.
            should_stop: Asked by the trainer after every step.
            keeps_metrics: Whether `emit` writes; of the processes that train together, one does.
        """
        self.path = path
        self._keeps_metrics = keeps_metrics
        self._on_event = on_event
        self._should_stop = should_stop
        self._lock = RunLock(path)
        self._metadata = RunMetadata(path)
        self._history = RunHistory(path)
        self._checkpoints = path / "checkpoints"

    # Reading

    @property
    def run_id(self) -> str:
        """The directory's name."""
        return self.path.resolve().name

    @property
    def metadata(self) -> dict[str, Any]:
        """What the run is and was made of; empty before it began.

        Raises:
            ConfigError: It is damaged, or a newer MistralTune wrote it.
        """
        return self._metadata.content()

    @property
    def started_at(self) -> str:
        """When it began, ISO 8601; told of a run in a newer format too, empty where it cannot be read."""
        try:
            return str(self._metadata.stored().get("started_at", ""))
        except ConfigError:
            return ""

    @property
    def status(self) -> str:
        """`finished`, `failed`, `unfinished`, or `running` while a process holds the lock; no stored word says that."""
        stored = str(self.metadata.get("status", "unfinished"))
        return "running" if stored != "finished" and self.is_locked() else stored

    @property
    def model(self) -> ModelRef:
        """The fine-tuned model.

        Raises:
            ConfigError: The run has not finished.
        """
        metadata = self.metadata
        if metadata.get("status") != "finished":
            status = self.status
            advice = "wait for it" if status == "running" else "give the same `mistraltune train` command again"
            raise ConfigError(f"run {self.path} has not finished (it is {status})", hint=advice)
        ref = ModelRef.model_validate(metadata["model"])
        # The directory may have been moved since: it is its own adapter, wherever it lies now.
        return ref.model_copy(update={"adapter": str(self.path)}) if ref.adapter else ref

    @property
    def metrics(self) -> dict[str, float | int | None]:
        """Final figures; empty before the run has finished."""
        try:
            content: dict[str, float | int | None] = json.loads((self.path / "metrics.json").read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(
                f"{self.path}/metrics.json is damaged: {error}", hint="restore it, or train again"
            ) from error
        return content

    def history(self) -> list[Event]:
        """The metric events so far, oldest first; a torn last line (a kill while writing) is left out."""
        return self._history.entries()

    def sound_checkpoint(self, step: int) -> Checkpoint | None:
        """The checkpoint of that step; None where there is none, or it is damaged."""
        found = (each for each in list_checkpoints(self._checkpoints) if each.step == step)
        return next((each for each in found if not each.damage()), None)

    def checkpoint(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest sound checkpoint, and a sentence for each damaged one that was passed over."""
        passed_over: list[str] = []
        for candidate in reversed(list_checkpoints(self._checkpoints)):
            damage = candidate.damage()
            if not damage:
                return candidate, passed_over
            passed_over.append(f"checkpoint {candidate.path.name} is damaged ({damage}); passed over")
        return None, passed_over

    def is_locked(self) -> bool:
        """Whether a process is working on it."""
        return self._lock.is_held()

    # Writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one process; the kernel lets go of it when that process dies.

        Raises:
            LockedError: Another process holds it; the message names that process.
        """
        with self._lock.held():
            yield

    def refuse_held(self) -> None:
        """Find out early that another process holds the directory; only `locked` keeps it from doing so later.

        Raises:
            LockedError: The message names that process.
        """
        self._lock.refuse()

    def begin(
        self,
        identity: dict[str, Any],
        *,
        config: dict[str, Any],
        facts: dict[str, Any],
        allow_changed: Sequence[str] = (),
    ) -> None:
        """Write down what this run is, or check that it is what the directory holds already.

        Args:
            identity: What decides the result: configuration, data hashes, base revision, tokenizer.
            config: The resolved configuration, re-runnable with `--config`.
            facts: Further metadata: row counts, versions, machine.
            allow_changed: Fields of the identity that may differ from an unfinished run's; what did is recorded.

        Raises:
            ConfigError: The directory holds a run of another identity; the message names the fields that differ.
        """
        self._metadata.begin(identity, config=config, facts=facts, allow_changed=allow_changed)

    def record_session(self, *, step: int, **conditions: Any) -> None:
        """Write down what the run computes with from `step` on, and say where it computed with something else before.

        Args:
            step: Of the checkpoint that is continued, 0 for a beginning.
            conditions: What the last bits of a result depend on: threads, device, precision.
        """
        sessions = [session for session in self.metadata.get("sessions", []) if session["from_step"] < step]
        before = sessions[-1] if sessions else conditions
        changes = [
            f"{name} was {before[name]}, is {value}" for name, value in conditions.items() if before[name] != value
        ]
        if changes:
            self.emit("note", text=f"not bit-exact with the steps up to {step}: {'; '.join(changes)}")
        if changes or not sessions:
            sessions.append({"from_step": step, **conditions})
        self._metadata.update(sessions=sessions)

    def emit(self, event: str, **fields: Any) -> None:
        """Tell whoever watches the run; step and validation metrics also go to `metrics.jsonl`.

        Args:
            event: `begin` (`step`, `num_steps`) and `end` (`step`) around the steps; `tick` (`step`) after each step;
                `step` (`step`, `loss`; as known `learning_rate`, `tokens_per_second`, `seconds` since the beginning);
                `validation` (`step`, `val_loss`); `checkpoint` (`step`); `note` and `phase` (`text`);
                `data`; `preview`; `model`.
            fields: JSON-like; losses in nats per trained token, finite.
        """
        entry: Event = {"event": event, **fields}
        if event in METRIC_EVENTS and self._keeps_metrics:
            self._history.append(entry)
        self._on_event(entry)

    @property
    def stop_requested(self) -> bool:
        """Whether the trainer should finish its step, save and return."""
        return self._should_stop()

    def rewind(self, step: int) -> None:
        """Cut `metrics.jsonl` and the checkpoints back to `step`, so that a continued run writes every step once.

        Later checkpoints are damaged (`checkpoint` would have named a sound one); left there, they would outlive it.
        """
        drop_later_checkpoints(self._checkpoints, step=step)
        self._history.rewind(step)

    @contextmanager
    def publish_checkpoint(self, step: int) -> Iterator[Path]:
        """A staging folder that becomes `checkpoints/step-N`; the metrics up to it are on disk before it is."""
        with publish_checkpoint(self._checkpoints, step) as staging:
            yield staging
            self._history.sync()

    def drop_old_checkpoints(self, *, keep: int, spare: int | None = None) -> None:
        """Delete all but the newest `keep` checkpoints, and that of step `spare`."""
        drop_old_checkpoints(self._checkpoints, keep=keep, spare=spare)

    def finish(self, result: TrainResult) -> None:
        """Record the result; from here on the run is finished and never changes."""
        publish_json(self.path / "metrics.json", result.metrics)
        self._metadata.update(
            status="finished",
            finished_at=now(),
            model=result.model.model_dump(exclude_none=True),
            training=result.details,
        )

    def fail(self, reason: str) -> None:
        """Record why it ended early, if the disk still takes it; the error itself is told anyway."""
        with suppress(OSError, TemporaryError):
            self._metadata.update(status="failed", reason=reason)


def is_run_dir(path: Path) -> bool:
    """Whether `path` is a run directory."""
    return (path / METADATA).is_file()


def refuse_foreign_dir(path: Path) -> None:
    """Raise where `path` is a file, or a folder that holds something and is no run: a run would mix with it.

    Raises:
        ConfigError: Names what is there.
    """
    hint = "choose another --run-id or --output-dir"
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file, not a run directory", hint=hint)
    if not path.is_dir() or is_run_dir(path):
        return
    # What a run leaves that was killed before its metadata stood there: its config.yaml, and hidden files.
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name != "config.yaml" and entry.name[0] != ".")
    if foreign:
        raise ConfigError(f"{path} is no run directory, but holds {', '.join(foreign[:3])}", hint=hint)


def find_runs(output_dir: Path) -> list[RunDir]:
    """The run directories directly below `output_dir`, by name; they may be damaged."""
    if not output_dir.is_dir():
        return []
    return [RunDir(path) for path in sorted(output_dir.iterdir()) if is_run_dir(path)]


def list_runs(output_dir: Path) -> list[RunDir]:
    """The run directories directly below `output_dir`, oldest first."""
    return sorted(find_runs(output_dir), key=lambda run: (run.started_at, run.run_id))
