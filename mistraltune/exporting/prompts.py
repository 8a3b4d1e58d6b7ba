"""What exported models are asked, so that one can see whether they still say the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mistraltune.data.conversation import Conversation, ask, message_dicts
from mistraltune.evaluation.prompts import read_prompts
from mistraltune.evaluation.run_rows import run_rows
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


_RUN_ROWS: tuple[tuple[Literal["train", "val"], str], ...] = (("val", "validation"), ("train", "training"))


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
        for name, label in _RUN_ROWS:
            known = run_rows(RunDir(Path(ref.adapter)), name)
            if known and (rows := known.rows):
                first = [rows[index].prompt for index in range(min(limit, len(rows)))]
                return Prompts(first, f"{label} rows", max_new_tokens)
    return Prompts([ask(text) for text in GENERAL[:limit]], "general questions", max_new_tokens)
