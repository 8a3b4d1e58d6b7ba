"""Rows on their way to an API: as `messages`, within its limits, under a name that says what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Literal

from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.data.conversation import Conversation, training_row
from mistraltune.errors import DataError
from mistraltune.publishing import naming_failed_writes

MAX_FILE_BYTES = 512 * 2**20
MAX_VALIDATION_BYTES = 2**20
MAX_VALIDATION_SHARE = 0.05
"""Limits of Mistral's API: of each file, and of all validation rows together, against the training rows."""

Role = Literal["train", "validation"]

Progress = Callable[[int, int], None]
"""Hears how many bytes have gone out, and of how many."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it will be uploaded.

    Attributes:
        role: What its rows are for.
        num_rows: In it.
        num_bytes: In it.
        sha256: Of its bytes.
    """

    role: Role
    num_rows: int
    num_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """By which an API is asked whether it has the file."""
        return f"mistraltune-{self.sha256[:16]}-{self.role}.jsonl"


def lines(rows: Sequence[Conversation]) -> Iterator[bytes]:
    """The lines of the file that holds `rows`; the same rows always make the same file."""
    for row in rows:
        yield json.dumps(training_row(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def measure(role: Role, rows: Sequence[Conversation]) -> Upload:
    """What a file will be, without keeping it."""
    digest, num_bytes = hashlib.sha256(), 0
    for line in lines(rows):
        digest.update(line)
        num_bytes += len(line)
    return Upload(role, len(rows), num_bytes, digest.hexdigest())


def check_limits(endpoint: Endpoint, uploads: Sequence[Upload], *, ignore: bool) -> list[str]:
    """Warnings about files larger than Mistral's API takes; at that API they are errors.

    Raises:
        DataError: A limit is exceeded there, and `ignore` does not say to try all the same.
    """
    problems = [
        f"the {each.role} file has {each.num_bytes:,} bytes; Mistral's API takes {MAX_FILE_BYTES:,}"
        for each in uploads
        if each.num_bytes > MAX_FILE_BYTES
    ]
    num_train = sum(each.num_bytes for each in uploads if each.role == "train")
    num_validation = sum(each.num_bytes for each in uploads if each.role == "validation")
    allowed = min(MAX_VALIDATION_BYTES, int(MAX_VALIDATION_SHARE * num_train))
    if num_validation > allowed:
        problems.append(
            f"the validation rows have {num_validation:,} bytes; Mistral's API takes {allowed:,} "
            f"(1 MiB, and {MAX_VALIDATION_SHARE:.0%} of the training rows)"
        )
    if problems and endpoint.is_mistral and not ignore:
        raise DataError("; ".join(problems), hint="split the data otherwise, or try it all the same: --ignore-limits")
    return problems


def ensure_uploaded(
    client: ApiClient, upload: Upload, rows: Sequence[Conversation], *, folder: Path, on_progress: Progress
) -> str:
    """The id of the API's file that holds `rows`: found there by its name, else uploaded, once whatever happens.

    Raises:
        TemporaryError: The API could not be reached for long, or `folder` is full.
        ApiError: It refuses the file.
    """

    def look() -> str | None:
        found = [file for file in client.find_files(upload.name) if file.num_bytes in (None, upload.num_bytes)]
        return found[0].id if found else None

    def make() -> str:
        with written(rows, folder) as file:
            counting = BufferedReader(CountingFile(file, upload.num_bytes, on_progress), buffer_size=2**16)
            return client.upload(upload.name, counting).id

    return client.retry.make_once(look, make)


@contextmanager
def written(rows: Sequence[Conversation], folder: Path) -> Iterator[IO[bytes]]:
    """Yield a file of `rows`; it is gone at the end, or swept when the run is next locked."""
    with naming_failed_writes(folder), NamedTemporaryFile(dir=folder, prefix=".upload.", suffix=".tmp") as file:
        file.writelines(lines(rows))
        file.flush()
        file.seek(0)
        yield file


class CountingFile(RawIOBase):
    """A file that tells how much of it has been read.

    Args:
        file: The file.
        total: Its bytes.
        on_progress: Is told.
    """

    def __init__(self, file: IO[bytes], total: int, on_progress: Progress) -> None:
        self._file = file
        self._total = total
        self._on_progress = on_progress

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is: whoever sends it looks for its length."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere in it."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read the next bytes, and tell."""
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        self._on_progress(self._file.tell(), self._total)
        return len(piece)
