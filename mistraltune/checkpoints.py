"""Checkpoints of a run: published whole, with a manifest of hashes; a damaged one is never taken for a good one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mistraltune.publishing import discard, file_sha256, publish_dir, publish_json

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One published checkpoint.

    Attributes:
        step: Optimizer steps that were done when it was taken.
        path: Its folder.
    """

    step: int
    path: Path

    def damage(self) -> str:
        """What is wrong with it, in words; empty when every file is as it was published."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_text())
            step, files = manifest["step"], manifest["files"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return f"{MANIFEST} is missing or unreadable"
        if step != self.step:
            return f"{MANIFEST} is of step {step}"
        for name, digest in files:
            file = self.path / name
            if not file.is_file():
                return f"{name} is missing"
            if file_sha256(file) != digest:
                return f"{name} does not match its hash"
        return ""


@contextmanager
def publish_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """Yield a staging folder that becomes `folder/step-N`, with a manifest, when the block ends without an error."""
    with publish_dir(folder / f"step-{step}") as staging:
        yield staging
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        digests = {path.relative_to(staging).as_posix(): file_sha256(path) for path in files}
        publish_json(staging / MANIFEST, {"step": step, "files": digests})


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """All published checkpoints, oldest first, damaged ones included."""
    if not folder.is_dir():
        return []
    steps = ((path, re.fullmatch(r"step-(\d+)", path.name)) for path in folder.iterdir())
    return sorted((Checkpoint(int(match[1]), path) for path, match in steps if match), key=lambda found: found.step)


def drop_old_checkpoints(folder: Path, *, keep: int, spare: int | None = None) -> None:
    """Delete all but the newest `keep`, and that of step `spare`."""
    for checkpoint in list_checkpoints(folder)[:-keep]:
        if checkpoint.step != spare:
            discard(checkpoint.path)


def drop_later_checkpoints(folder: Path, *, step: int) -> None:
    """Delete those taken after `step`."""
    for checkpoint in list_checkpoints(folder):
        if checkpoint.step > step:
            discard(checkpoint.path)
