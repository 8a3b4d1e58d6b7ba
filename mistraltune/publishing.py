"""Files and folders that appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mistraltune.errors import ConfigError, TemporaryError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a full, limited or failing disk answers to a write."""

DISK_WORDS = (
    *(f"(os error {number})" for number in DISK_ERRORS),
    "unexpected pos",
    "file write failed",
    "iostream error",
)
"""How safetensors and torch tell of the same; they raise errors of their own without its number."""


@contextmanager
def publish_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends without an error.

    A reader sees the old content or the new one, never half of either. On an error the temporary file is removed.
    Permissions follow the umask, as with an ordinary `open`.

    Raises:
        TemporaryError: The disk is full or fails.
    """
    staging = path.parent / f".{path.name[:40]}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    with naming_failed_writes(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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

    Raises:
        TemporaryError: The disk is full or fails.
    """
    with naming_failed_writes(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            staging.chmod(0o777 & ~current_umask())
            yield staging
            sync_tree(staging)
            if path.exists():
                discard(path)
            staging.rename(path)
            sync_dir(path.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def naming_failed_writes(path: Path) -> Iterator[None]:
    """Turn what a full or failing disk raises in the block into one sentence about `path`; other errors pass.

    Raises:
        TemporaryError: Names `path`, the disk's reason, and the bytes that are free.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_error(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error).strip().splitlines()[0]
        raise TemporaryError(
            f"{path} could not be written: {reason} ({free_bytes(path):,} bytes are free there)",
            hint="free some space, then give the same command again",
        ) from error


def is_disk_error(error: Exception) -> bool:
    """Whether it is the disk that failed."""
    if isinstance(error, OSError):
        return error.errno in DISK_ERRORS
    return any(words in str(error) for words in DISK_WORDS)


def free_bytes(path: Path) -> int:
    """Bytes that this user can still write at `path`, or at the nearest folder above it that exists."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def discard(folder: Path) -> None:
    """Delete a folder so that a kill leaves all of it, or something that `sweep` deletes; never a part of it."""
    doomed = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}.tmp")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def sweep(folder: Path) -> None:
    """Delete what a killed process left unpublished in `folder` and below; only for whoever holds it alone."""
    for leftover in list(folder.rglob(".*.tmp")):  # one may lie in another
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def sync_tree(folder: Path) -> None:
    """Flush all files below `folder`, its folders and itself to disk, with the permissions that the umask gives."""
    for entry in sorted(folder.rglob("*")):
        if entry.is_dir():
            sync_dir(entry)
            continue
        entry.chmod(0o666 & ~current_umask())  # safetensors writes 0600, whatever the umask says
        sync_file(entry)
    sync_dir(folder)


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


def adapter_sha256(folder: Path) -> dict[str, str]:
    """Hex digests of an adapter's weights and configuration by their names: what it is, wherever it lies."""
    return {file.name: file_sha256(file) for file in sorted(folder.glob("adapter_*"))}


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
