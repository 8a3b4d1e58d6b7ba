"""Real rows, as many as a benchmark asks for: the shared ones over and over, each with a number of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

ALPACA = Path(__file__).parents[1].parent / "shared" / "data" / "instruct" / "alpaca_en_demo.json"


def write_rows(path: Path, *, number: int | None = None, num_bytes: int | None = None) -> Path:
    """A JSON Lines file of so many instruct rows, or of so many bytes, its last row complete."""
    with path.open("wb") as file:
        for line in islice(numbered_lines(), number):
            if num_bytes is not None and file.tell() >= num_bytes:
                break
            file.write(line)
    return path


def numbered_lines() -> Iterator[bytes]:
    """Rows without end, no two alike."""
    rows = json.loads(ALPACA.read_text(encoding="utf-8"))
    ends = [json.dumps(row, ensure_ascii=False).removeprefix("{").encode() + b"\n" for row in rows]
    for number, end in enumerate(cycle(ends)):
        yield b'{"id": %d, %b' % (number, end)
