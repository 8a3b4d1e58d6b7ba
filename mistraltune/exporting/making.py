"""An export made once: found where it lies already, asked anew for other prompts, or written whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mistraltune.exporting.prompts import Prompts
from mistraltune.exporting.records import RECORD, find_export, new_record
from mistraltune.publishing import publish_dir, publish_json

Record = dict[str, Any]
"""What an export says of itself, see `records`."""


class Export(NamedTuple):
    """An export on disk.

    Attributes:
        record: What it says of itself.
        was_there: Whether it was made before.
    """

    record: Record
    was_there: bool


def make_export(
    folder: Path,
    identity: dict[str, Any],
    *,
    prompts: Prompts,
    write: Callable[[Path], Record],
    ask: Callable[[Record], list[dict[str, Any]]],
) -> Export:
    """The export of `identity` in `folder`, which appears whole or not at all.

    Args:
        folder: Where it goes.
        identity: What decides its content.
        prompts: What it is asked.
        write: Writes it into an empty folder, and tells of it, its `agreement` included.
        ask: The `agreement` of one that is there, by its record, on these prompts.

    Raises:
        ConfigError: Something else lies in `folder`.
        TemporaryError: The disk is too small.
    """
    record = find_export(folder, identity)
    asked = prompts.describe()
    if record and (record["prompts"] == asked or not prompts.conversations):  # figures are kept, not taken back
        return Export(record, was_there=True)
    if record:
        record |= {"prompts": asked, "agreement": ask(record)}
        publish_json(folder / RECORD, record)
        return Export(record, was_there=True)
    with publish_dir(folder) as staging:
        record = new_record(identity, prompts=asked, **write(staging))
        publish_json(staging / RECORD, record)
    return Export(record, was_there=False)
