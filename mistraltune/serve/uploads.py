"""An uploaded file, written to disk while it arrives, its bytes counted by us whatever the headers say."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from mistraltune.publishing import naming_failed_writes
from mistraltune.serve.bodies import announced
from mistraltune.serve.refusals import Refusal
from mistraltune.settings import ServerSettings

MAX_PARTS = 20
MAX_FIELD_BYTES = 10_000
OVERHEAD_BYTES = 64 * 2**10
"""What boundaries and the other fields may take beside the file."""


MAX_NAME = 1000
"""Characters of a file's name."""


@dataclass
class Upload:
    """What came with a form.

    Attributes:
        path: The file's content, beside the place where it will be kept.
        filename: What the client calls it.
        mimetype: What the client says it is.
        num_bytes: Its length.
        sha256: Of its bytes, 64 hex digits.
        fields: The other parts of the form.
    """

    path: Path
    filename: str = ""
    mimetype: str = ""
    num_bytes: int = 0
    sha256: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def receive_upload(request: Request, *, folder: Path, settings: ServerSettings) -> AsyncIterator[Upload]:
    """Yield the form's file and fields; the file is gone after the block unless it was moved away.

    Raises:
        Refusal: 400 no form, 408 too slow, 413 too long or too many parts, 422 no file in it.
    """
    parser = UploadParser(boundary_of(request), folder / f".{uuid4().hex}.tmp", max_bytes=settings.max_file_bytes)
    if announced(request.scope) > settings.max_file_bytes + OVERHEAD_BYTES:
        raise parser.too_long
    try:
        await feed(parser, request, seconds=settings.body_seconds)
        yield parser.finished()
    finally:
        parser.close()
        parser.upload.path.unlink(missing_ok=True)


async def feed(parser: UploadParser, request: Request, *, seconds: float) -> None:
    """Hand the body to the parser piece by piece.

    Raises:
        Refusal: A piece took too long, or the form is broken.
    """
    pieces = aiter(request.stream())
    try:
        while True:
            async with asyncio.timeout(seconds):
                piece = await anext(pieces, None)
            if piece is None:
                return
            await run_in_threadpool(parser.write, piece)
    except TimeoutError:
        raise Refusal(408, "the upload took too long to go on") from None
    except FormParserError as error:
        raise Refusal(400, f"the form is broken: {error}") from error
    except ClientDisconnect:
        raise Refusal(400, "the client has gone") from None


def boundary_of(request: Request) -> bytes:
    """What separates the parts of the form.

    Raises:
        Refusal: The body is no form, or does not say.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise Refusal(415, "an upload is multipart/form-data with the parts `file` and `purpose`")
    if not 0 < len(boundary) <= 200:
        raise Refusal(400, "the form's header names no usable boundary")
    return boundary


class UploadParser:
    """Takes a form apart: the part `file` goes to disk, short fields are kept, everything is counted.

    Attributes:
        upload: What has come so far.
        too_long: The refusal of a file that is.
    """

    def __init__(self, boundary: bytes, path: Path, *, max_bytes: int) -> None:
        self.upload = Upload(path)
        self.too_long = Refusal(413, f"the file is longer than {max_bytes:,} bytes")
        self._max_bytes = max_bytes
        self._num_parts = 0
        self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._take: Callable[[bytes], None] = self._pass_over
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._field = ""
        self._text = b""
        self._is_complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_content,
                "on_part_data": self._add_content,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def write(self, piece: bytes) -> None:
        """Take in the next bytes of the body."""
        with naming_failed_writes(self.upload.path):
            self._parser.write(piece)

    def close(self) -> None:
        """Close the file, whatever happened."""
        if self._file:
            self._file.close()

    def finished(self) -> Upload:
        """The upload, if it is whole.

        Raises:
            Refusal: The form was cut, or held no file.
        """
        self.close()
        if not self._is_complete:
            raise Refusal(400, "the form ends too early")
        if not self._file:
            raise Refusal(422, "the form has no part `file`")
        self.upload.sha256 = self._digest.hexdigest()
        return self.upload

    def _begin_part(self) -> None:
        self._num_parts += 1
        if self._num_parts > MAX_PARTS:
            raise Refusal(413, f"the form has more than {MAX_PARTS} parts")
        self._headers = {}

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        self._field = options.get(b"name", b"").decode("utf-8", errors="replace")
        self._text = b""
        self._take = self._add_text
        if self._field == "file":
            self._begin_file(options)

    def _begin_file(self, options: dict[bytes, bytes]) -> None:
        if self._file:
            raise Refusal(422, "the form has two parts `file`")
        self.upload.filename = base_name(options.get(b"filename", b"").decode("utf-8", errors="replace"))
        self.upload.mimetype = self._headers.get(b"content-type", b"").decode("latin-1")[:100]
        self.upload.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.upload.path.open("xb")
        self._take = self._add_to_file

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._take(data[start:end])

    def _add_to_file(self, data: bytes) -> None:
        self.upload.num_bytes += len(data)
        if self.upload.num_bytes > self._max_bytes:
            raise self.too_long
        if self._file:
            self._file.write(data)
        self._digest.update(data)

    def _add_text(self, data: bytes) -> None:
        self._text += data
        if len(self._text) > MAX_FIELD_BYTES:
            raise Refusal(413, f"the part {self._field[:50]!r} is longer than {MAX_FIELD_BYTES:,} bytes")

    def _pass_over(self, data: bytes) -> None:
        """Ignore bytes outside of any part."""

    def _end_part(self) -> None:
        if self._field != "file":
            self.upload.fields[self._field] = self._text.decode("utf-8", errors="replace")
        self._take = self._pass_over

    def _end(self) -> None:
        self._is_complete = True


def base_name(filename: str) -> str:
    """What a client calls a file, without the folders where it lies on the client's machine."""
    name = filename.replace("\\", "/").rpartition("/")[2][-MAX_NAME:]
    return name if name.strip(". ") else "file.jsonl"
