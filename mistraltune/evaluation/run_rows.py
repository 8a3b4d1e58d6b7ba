"""The rows that a run was trained or validated on, where they are still there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from mistraltune.configuring import parse_yaml
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.lines import display_name
from mistraltune.errors import MistralTuneError
from mistraltune.publishing import file_sha256
from mistraltune.runs import RunDir


class RunRows(NamedTuple):
    """Rows of a run.

    Attributes:
        file: Where they were, as text that can be written down.
        sha256: Of the bytes that the run read.
        rows: The open file; None where it is gone or has changed since.
        problem: Why there are none; empty where there are.
    """

    file: str
    sha256: str
    rows: ConversationFile | None
    problem: str = ""


def run_rows(run: RunDir, name: Literal["train", "val"]) -> RunRows | None:
    """The rows that a run was trained (`train`) or validated (`val`) on; None where it had none.

    The run's metadata says which bytes they were, its configuration where they lay.
    """
    digest = run.metadata.get("identity", {}).get(f"{name}_sha256")
    if not digest:
        return None
    try:
        config = parse_yaml((run.path / "config.yaml").read_text(encoding="utf-8"))
        path = Path(config["data"][f"{name}_file"])
    except (OSError, KeyError, TypeError, MistralTuneError):
        return RunRows("", digest, None, f"{run.path}/config.yaml does not say where the run's rows lay")
    file = display_name(path)
    try:
        if file_sha256(path) != digest:
            return RunRows(file, digest, None, f"{file} has changed since the run was trained on it")
        return RunRows(file, digest, ConversationFile.open(path))
    except (OSError, MistralTuneError):
        return RunRows(file, digest, None, f"{file}, which the run was trained on, is no longer there")
