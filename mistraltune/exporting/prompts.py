"""What exported models are asked, so that one can see whether they still say the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mistraltune.configuring import parse_yaml
from mistraltune.data.conversation import Conversation, ask, message_dicts
from mistraltune.data.reading import ConversationFile
from mistraltune.errors import MistralTuneError
from mistraltune.evaluation.prompts import read_prompts
from mistraltune.publishing import file_sha256
from mistraltune.results import ModelRef
from mistraltune.runs import RunDir, is_run_dir

GENERAL = (
    "What is the capital of France?",
    "Quelle est la capitale de la France ?",
    "Name three colours.",
    "Write one sentence about the sea.",
    "Traduis en anglais : le chat dort sur la chaise.",
    "What is 12 times 3?",
    "Give me a synonym of happy.",
    "Explique en une phrase ce qu'est un contrat.",
)
"""For models that are no run, or whose rows are gone."""


class Prompts(NamedTuple):
    """Prompts, and where they are from.

    Attributes:
        conversations: What both models are asked.
        origin: In words, without a path.
        max_new_tokens: Longest answer.
    """

    conversations: Sequence[Conversation]
    origin: str
    max_new_tokens: int

    def describe(self) -> dict[str, Any]:
        """Origin, number, hash and longest answer, JSON-like."""
        content = json.dumps([[message_dicts(each), list(each.tools)] for each in self.conversations], sort_keys=True)
        return {
            "origin": self.origin,
            "num_prompts": len(self.conversations),
            "sha256": hashlib.sha256(content.encode()).hexdigest(),
            "max_new_tokens": self.max_new_tokens,
        }


def pick_prompts(ref: ModelRef, *, file: Path | None, limit: int, max_new_tokens: int) -> Prompts:
    """The first `limit` prompts of `file`, else of the run's validation or training rows, else general questions.

    Raises:
        ConfigError: There is no such file.
        DataError: It holds no prompt, or rows of it are refused.
    """
    if limit == 0:
        return Prompts((), "none", max_new_tokens)
    if file:
        return Prompts(read_prompts(file)[:limit], f"rows of {file.name}", max_new_tokens)
    if ref.adapter and is_run_dir(Path(ref.adapter)):
        for name, label in (("val", "validation"), ("train", "training")):
            if rows := run_rows(RunDir(Path(ref.adapter)), name):
                first = [rows[index].prompt for index in range(min(limit, len(rows)))]
                return Prompts(first, f"{label} rows", max_new_tokens)
    return Prompts([ask(text) for text in GENERAL[:limit]], "general questions", max_new_tokens)


def run_rows(run: RunDir, name: str) -> ConversationFile | None:
    """The rows that a run was trained or validated on; None where they are gone or have changed since."""
    digest = run.metadata.get("identity", {}).get(f"{name}_sha256")
    try:
        config = parse_yaml((run.path / "config.yaml").read_text(encoding="utf-8"))
        path = Path(config["data"][f"{name}_file"])
        return ConversationFile.open(path) if digest and file_sha256(path) == digest else None
    except (OSError, KeyError, TypeError, MistralTuneError):
        return None
