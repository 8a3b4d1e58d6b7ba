"""Which uploaded files a job's rows were copied from: people know those, not the copies on the server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mistraltune.data.lines import display_name
from mistraltune.publishing import publish_text

PARTS_FILE = "parts.json"


class Part(NamedTuple):
    """An uploaded file within a copy.

    Attributes:
        filename: As the client called it.
        num_lines: Its lines, blank ones too.
    """

    filename: str
    num_lines: int


def note_parts(folder: Path, copies: Mapping[str, Sequence[Part]]) -> None:
    """Write down what each copy in a job's folder is made of; the files themselves may be deleted later."""
    publish_text(folder / PARTS_FILE, json.dumps(copies, indent=2) + "\n")


def name_uploads(text: str, folder: Path) -> str:
    """The text, with rows of a job's copies named by uploaded file and line, as far as that was written down."""
    try:
        copies = json.loads((folder / PARTS_FILE).read_bytes())
    except FileNotFoundError:
        return text
    for name, parts in copies.items():
        text = name_copy(text, folder.resolve() / name, [Part(*part) for part in parts])
    return text


def name_copy(text: str, copy: Path, parts: Sequence[Part]) -> str:
    """The text, with `COPY:LINE` as `FILENAME:LINE`, and `COPY` alone as the names of all its files."""

    def place(match: re.Match[str]) -> str:
        if not match["line"]:
            return ", ".join(part.filename for part in parts)
        line = int(match["line"])
        for part in parts:
            if line <= part.num_lines:
                return f"{part.filename}:{line}"
            line -= part.num_lines
        return match[0]

    return re.sub(rf"{re.escape(display_name(copy))}(:(?P<line>\d+))?", place, text)
