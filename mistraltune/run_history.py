"""The metrics of a run, step by step: lines that are only ever appended, or cut back to a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistraltune.publishing import naming_failed_writes, publish_text, sync_file

Event = dict[str, Any]
"""One thing that happened: `event` names it, the other keys say more. JSON-like."""


class RunHistory:
    """The metric events that `metrics.jsonl` of one run directory holds.

    Attributes:
        path: The file.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.jsonl"

    def entries(self) -> list[Event]:
        """The events so far, oldest first; a torn last line (a kill while writing) is left out."""
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        return [json.loads(line) for line in lines[:-1]]  # after the last newline there is nothing, or a torn line

    def append(self, entry: Event) -> None:
        """Add one event.

        Raises:
            TemporaryError: The disk does not take it.
        """
        with naming_failed_writes(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def rewind(self, step: int) -> None:
        """Cut it back to `step`, a torn last line included."""
        kept = [entry for entry in self.entries() if entry["step"] <= step]
        publish_text(self.path, "".join(json.dumps(entry) + "\n" for entry in kept))

    def sync(self) -> None:
        """Have the disk hold all that was appended."""
        if self.path.exists():
            sync_file(self.path)
