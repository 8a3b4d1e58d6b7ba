"""Losses planted on purpose: each makes MistralTune wrong in one way, and a checker has to turn red."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def checkpoint_without_optimizer() -> None:
    """A checkpoint is published, manifest and all, without the optimizer's state: resuming diverges silently."""
    import mistraltune.runs
    from mistraltune.checkpoints import publish_checkpoint

    @contextlib.contextmanager
    def forgetful(folder: Path, step: int) -> Iterator[Path]:
        with publish_checkpoint(folder, step) as staging:
            yield staging
            (staging / "optimizer.pt").unlink()

    mistraltune.runs.publish_checkpoint = forgetful


def checkpoint_without_random_state() -> None:
    """Likewise without the states of the random number generators: dropout draws other numbers."""
    import mistraltune.runs
    from mistraltune.checkpoints import publish_checkpoint

    @contextlib.contextmanager
    def forgetful(folder: Path, step: int) -> Iterator[Path]:
        with publish_checkpoint(folder, step) as staging:
            yield staging
            (staging / "rng_state.pth").unlink()

    mistraltune.runs.publish_checkpoint = forgetful


def checkpoint_in_place() -> None:
    """Files are written under the final name, the manifest first: a kill leaves a half checkpoint."""
    import mistraltune.runs
    from mistraltune.publishing import publish_json

    @contextlib.contextmanager
    def hasty(folder: Path, step: int) -> Iterator[Path]:
        place = folder / f"step-{step}"
        place.mkdir(parents=True, exist_ok=True)
        publish_json(place / "manifest.json", {"step": step, "files": {}})
        yield place

    mistraltune.runs.publish_checkpoint = hasty


def blind_to_damage() -> None:
    """No checkpoint is ever found damaged."""
    from mistraltune.checkpoints import Checkpoint

    Checkpoint.damage = lambda self: ""  # type: ignore[method-assign]


def metrics_never_rewound() -> None:
    """A continued run writes its steps after those of the killed one."""
    from mistraltune.runs import RunDir

    RunDir.rewind = lambda self, step: None  # type: ignore[method-assign]


def no_fsync() -> None:
    """Nothing is flushed to disk before it is renamed."""
    import os

    os.fsync = lambda descriptor: None


def identity_never_compared() -> None:
    """Every run is taken for the same one."""
    import mistraltune.run_metadata

    def none(*_: Any) -> list[str]:
        return []

    mistraltune.run_metadata.differing_fields = none


def raw_disk_errors() -> None:
    """A full disk is told as the library that met it tells it."""
    import mistraltune.publishing

    mistraltune.publishing.is_disk_error = lambda error: False


def space_never_measured() -> None:
    """A training starts however small the disk is."""
    import mistraltune.backends.local.footprint

    mistraltune.backends.local.footprint.Footprint.refuse_small_disk = lambda *_: None


def output_never_tried() -> None:
    """A training starts although its output cannot be written."""
    import mistraltune.training

    mistraltune.training.check_writable = lambda *_, **__: None


def evaluations_never_found() -> None:
    """What has been evaluated is evaluated again."""
    import mistraltune.evaluation.running

    mistraltune.evaluation.running.find_evaluation = lambda job: None


def another_torch() -> None:
    """No loss but a change: torch has another major version than it had."""
    import mistraltune.provenance

    found = mistraltune.provenance.versions()
    mistraltune.provenance.versions = lambda: found | {"torch": "99.0"}


def deaf_to_signals() -> None:
    """Signals are never heard."""
    import signal

    import mistraltune.cli.signals

    mistraltune.cli.signals.STOP_SIGNALS = ()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def never_locked() -> None:
    """Every process believes that a run is its own."""
    from mistraltune.run_lock import RunLock

    @contextlib.contextmanager
    def alone(self: RunLock) -> Iterator[None]:
        yield

    RunLock.held = alone  # type: ignore[method-assign]
    RunLock.is_held = lambda self: False  # type: ignore[method-assign]
