r"""A file's lines, from bytes to text.

Lines end at `\n` alone: text mode would also split at a lone CR, and `str.splitlines` at U+2028 inside a string.
"""

from __future__ import annotations

import json
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from mistraltune.data.strict_json import LineError, decode
from mistraltune.errors import ConfigError

MAX_LINE_BYTES = 8 * 2**20

_BOM = "\ufeff".encode()
_SKIPPED_BY_JSONLINES = (b"\x1e", _BOM)
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\xfd7zX": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
}


class Digest(Protocol):
    """A running hash, such as `hashlib.sha256()`."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""
        ...


class FileState(NamedTuple):
    """What changes when somebody writes to an open file."""

    num_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, file: int | Path) -> FileState:
        """The state of a file, now, by descriptor or by path."""
        status = os.stat(file)  # noqa: PTH116 - takes a descriptor too
        return cls(status.st_size, status.st_mtime_ns)


def display_name(path: Path) -> str:
    """A file's name as messages show it: quoted and escaped where it would not print."""
    name = str(path)
    return name if name.isprintable() else json.dumps(name)


def open_data(path: Path) -> BufferedReader:
    """A regular file, open for reading. Never waits, as opening a FIFO would.

    Raises:
        ConfigError: There is no such file.
        LineError: Rule `not-a-file`: it is something else, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ConfigError(f"no such file: {display_name(path)}") from None
    except OSError as error:
        raise LineError("not-a-file", f"cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LineError("not-a-file", "not a regular file", hint="copy the data to a file first")
    return BufferedReader(FileIO(descriptor), buffer_size=2**20)


def foreign_format(head: bytes) -> LineError | None:
    """What a file's first bytes give away: compressed, or in another encoding."""
    for magic, kind in _COMPRESSED.items():
        if head.startswith(magic):
            return LineError("compressed", f"a {kind} file", hint="decompress it first")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        message = "UTF-16 or UTF-32 (byte offset 0)"
        return LineError("encoding", message, hint="convert it with `iconv -f UTF-16 -t UTF-8`")
    return None


class Lines:
    """Iterates over the lines of a file as text, and knows where it is.

    After a line that raises `LineError` the iteration can go on with the next.

    Attributes:
        number: Number of the current line, from 1.
        offset: Where its content starts, in bytes; behind a byte order mark.
        raw: Its bytes, line end included; cut at the cap.
        text: Its bytes without byte order mark and line end.
        has_bom: Whether the file began with a byte order mark.
    """

    def __init__(self, file: BufferedReader, digest: Digest | None = None) -> None:
        self.number = 0
        self.offset = 0
        self.raw = self.text = b""
        self.has_bom = False
        self._file = file
        self._digest = digest
        self._end = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        """The next line without its end.

        Raises:
            LineError: It is too long, is not UTF-8, has a lone CR, or begins with what is no JSON and would be skipped.
        """
        self._advance()
        if b"\r" in self.text:
            hint = "convert the line ends to \\n, for one with `tr '\\r' '\\n'`"
            raise LineError("newline", "a carriage return (CR) without a line feed", hint=hint)
        if len(self.text) > MAX_LINE_BYTES:
            raise LineError("line-too-long", f"longer than {MAX_LINE_BYTES // 2**20} MiB", hint="split the row")
        if self.text.startswith(_SKIPPED_BY_JSONLINES):
            raise LineError("json", "starts with a byte order mark or a record separator", hint="remove it")
        return decode(self.text, offset=self.offset)

    def _advance(self) -> None:
        raw = self._file.readline(MAX_LINE_BYTES + 2)
        if not raw:
            raise StopIteration
        self.number += 1
        self.offset = self._end
        self._end += len(raw)
        if self._digest:
            self._digest.update(raw)
        self.raw = raw
        self.text = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
        if self.number == 1 and raw.startswith(_BOM):
            self.has_bom = True
            self.offset = len(_BOM)
            self.text = self.text[len(_BOM) :]
        if len(raw) == MAX_LINE_BYTES + 2 and not raw.endswith(b"\n"):
            self._skip_rest()

    def _skip_rest(self) -> None:
        """Pass over the rest of a line beyond the cap, which is refused anyway; its bytes are not hashed."""
        while rest := self._file.readline(2**20):
            self._end += len(rest)
            if rest.endswith(b"\n"):
                return
