"""A job's events once more in its folder, numbered as the index has them: a rebuilt index has the same numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mistraltune.serve.records import Event

EVENTS_FILE = "events.jsonl"
"""A line is what was stored at once: `{"log_offset": ..., "events": [[seq, created_at, name, data], ...]}`."""


class Place(NamedTuple):
    """Up to where a folder has the events.

    Attributes:
        last: Number of the last one; 0 where there is none.
        num_bytes: Of the lines up to it; what stands behind them was cut off while it was written.
    """

    last: int
    num_bytes: int


class Copied(NamedTuple):
    """What a folder knows of the events.

    Attributes:
        events: From the first on, without a gap.
        log_offset: How far the job's log was read when the last of them was stored.
        place: Up to where that is.
    """

    events: list[Event]
    log_offset: int
    place: Place


def read_events(folder: Path) -> Copied:
    """The events that a folder knows, up to the first line that is damaged."""
    try:
        content = (folder / EVENTS_FILE).read_bytes()
    except FileNotFoundError:
        content = b""
    events: list[Event] = []
    log_offset = num_bytes = 0
    for line in content.splitlines(keepends=True):
        try:
            stored = json.loads(line)
            added = [Event(*event) for event in stored["events"]]
            offset = int(stored["log_offset"])
        except (ValueError, TypeError, LookupError):
            break
        expected = range(len(events) + 1, len(events) + 1 + len(added))
        if not line.endswith(b"\n") or [event.seq for event in added] != list(expected):
            break
        events += added
        log_offset = offset
        num_bytes += len(line)
    return Copied(events, log_offset, Place(len(events), num_bytes))


def append_events(folder: Path, events: Sequence[Event], *, log_offset: int, behind: Place) -> Place:
    """Add events in one line; up to where the folder then has them.

    What was written of a line when the disk was full is cut off. The file is not synchronised: the index is, and what
    is missing here is added with the next event.
    """
    line = json.dumps({"log_offset": log_offset, "events": events}).encode() + b"\n"
    with (folder / EVENTS_FILE).open("ab") as file:
        file.truncate(behind.num_bytes)
        file.write(line)
    return Place(events[-1].seq, behind.num_bytes + len(line))
