"""Files and folders that appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mistraltune.errors import ConfigError


@contextmanager
def publish_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends without an error.

    A reader sees the old content or the new one, never half of either. On an error the temporary file is removed.
    Permissions follow the umask, as with an ordinary `open`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.parent / f".{path.name[:40]}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    try:
        with staging.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
        sync_dir(path.parent)
    finally:
        staging.unlink(missing_ok=True)


def publish_text(path: Path, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with publish_file(path) as file:
        file.write(text.encode())


def publish_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    publish_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def publish_dir(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends without an error.

    Every file in it is flushed to disk before the rename. An existing `path` is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    staging.chmod(0o777 & ~current_umask())
    try:
        yield staging
        for entry in sorted(staging.rglob("*")):
            if entry.is_dir():
                sync_dir(entry)
                continue
            entry.chmod(0o666 & ~current_umask())  # safetensors writes 0600, whatever the umask says
            sync_file(entry)
        sync_dir(staging)
        if path.exists():
            shutil.rmtree(path)
        staging.rename(path)
        sync_dir(path.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Delete what a killed process left unpublished in `folder` and below; only for whoever holds it alone."""
    for leftover in folder.rglob(".*.tmp"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def sync_file(path: Path) -> None:
    """Flush one file to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_dir(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def current_umask() -> int:
    """The process's umask; reading it takes setting it, there is no other call."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check_writable(folder: Path, *, option: str) -> None:
    """Find out now, not after hours of work, that nothing can be written.

    Args:
        folder: Where files will go; made where it is missing.
        option: What the user can change, for the hint.

    Raises:
        ConfigError: `folder` cannot be made or written to.
    """
    probe = folder / f".write-probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder}: {error.strerror or error}", hint=f"choose another {option}"
        ) from error


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
