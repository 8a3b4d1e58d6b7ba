"""Files made of uploaded ones, divided or in another format, and kept as files of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from mistraltune.data.converting import convert_file
from mistraltune.data.lines import display_name
from mistraltune.data.splitting import split_file
from mistraltune.errors import ConfigError, DataError
from mistraltune.serve.dataset_replies import FindingReply, describe_finding
from mistraltune.serve.files import FileReply, Files, reply
from mistraltune.serve.job_requests import Request
from mistraltune.serve.records import FileRecord
from mistraltune.serve.refusals import Refusal
from mistraltune.serve.uploads import Upload

Share = Annotated[float, Field(ge=0, lt=1)]


class SplitRequest(Request):
    """How to divide a file."""

    val: Share = 0.1
    """Share of the rows for validation."""
    test: Share = 0.0
    """Share of the rows for the test."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 42
    """Another seed makes another choice."""


class ConversionRequest(Request):
    """What to make of a file."""

    to: Literal["messages", "instruct"]


class SplitReply(TypedDict):
    """The files that a split made; each keeps the name of the whole with its part."""

    train: FileReply
    val: FileReply | None
    test: FileReply | None
    num_duplicates: int


class ConversionReply(TypedDict):
    """The file that a conversion made."""

    file: FileReply
    num_rows: int
    num_tool_calls: int
    warnings: list[FindingReply]


class DerivedFiles:
    """What can be made of files.

    Args:
        files: The files, those that were made among them.
    """

    def __init__(self, files: Files) -> None:
        self.files = files

    def split(self, file: FileRecord, request: SplitRequest) -> SplitReply:
        """A file divided, its parts kept as files of their own; equal rows share a part.

        Raises:
            Refusal: 422, the shares leave a part without rows.
        """
        with self.working_on(file) as folder:
            done = split_file(self.files.path(file.id), folder, val=request.val, test=request.test, seed=request.seed)
            kept = {part: self.keep(path, beside(file, part)) for part, path in done.files.items()}
        return {
            "train": reply(kept["train"]),
            "val": optional_reply(kept.get("val")),
            "test": optional_reply(kept.get("test")),
            "num_duplicates": done.num_duplicates,
        }

    def convert(self, file: FileRecord, request: ConversionRequest) -> ConversionReply:
        """A file in another format, kept as a file of its own.

        Raises:
            Refusal: 422, a row would lose something.
        """
        with self.working_on(file) as folder:
            done = convert_file(self.files.path(file.id), folder / "converted.jsonl", to=request.to)
            kept = self.keep(done.file, beside(file, request.to))
        return {
            "file": reply(kept),
            "num_rows": done.num_rows,
            "num_tool_calls": done.num_tool_calls,
            "warnings": [describe_finding(warning) for warning in done.warnings],
        }

    @contextmanager
    def working_on(self, file: FileRecord) -> Iterator[Path]:
        """A folder for what is made of a file; what goes wrong is told with the file's own name."""
        try:
            with TemporaryDirectory(prefix=".making-", suffix=".tmp", dir=self.files.folder) as folder:
                yield Path(folder)
        except (ConfigError, DataError) as error:
            words = f"{error.message}; {error.hint}" if error.hint else error.message
            place = display_name(self.files.path(file.id))
            raise Refusal(422, words.replace(place, display_name(Path(file.filename)))) from error

    def keep(self, path: Path, filename: str) -> FileRecord:
        """A file that was made here, kept as if it had been uploaded."""
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = path.stat().st_size
        return self.files.keep(Upload(path, filename, "application/jsonl", num_bytes=size, sha256=digest))


def beside(file: FileRecord, word: str) -> str:
    """The name of what was made of a file: `rows.jsonl` becomes `rows.WORD.jsonl`."""
    stem = file.filename.removesuffix(".jsonl").removesuffix(".json")
    return f"{stem}.{word}.jsonl"


def optional_reply(file: FileRecord | None) -> FileReply | None:
    """A file as clients read it, if there is one."""
    return reply(file) if file else None
