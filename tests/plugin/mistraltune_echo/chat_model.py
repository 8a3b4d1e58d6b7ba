"""A model that says what it hears, as often as it has learned to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import Completion, Sampling
from mistraltune.results import ModelRef
from mistraltune_echo.trainer import read_state


@dataclass(frozen=True)
class EchoModel:
    """Answers with the last message's words; a word is a token, and one more ends the answer."""

    repeats: int

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        for prompt in prompts:
            words = list(self.stream(prompt, sampling))
            is_whole = len(words) < sampling.max_new_tokens
            kept = words[: sampling.max_new_tokens]
            yield Completion(
                text="".join(kept).strip(),
                num_tokens=len(kept) + is_whole,
                finish_reason="stop" if is_whole else "length",
            )

    def stream(self, prompt: Conversation, sampling: Sampling) -> Iterator[str]:
        text = "".join(f"{word} " for word in prompt.messages[-1].content.split() * self.repeats)
        for stop in sampling.stop:
            text = text.partition(stop)[0]
        yield from re.findall(r"\S+ ?", text)

    def close(self) -> None:
        """Nothing is held."""


def open_echo(ref: ModelRef) -> EchoModel:
    """An untrained echo, or the one that a run left. `echo:broken` has a bug, as any plugin may have."""
    if ref.model == "broken":
        raise ZeroDivisionError("a bug of the plugin")
    return EchoModel(read_state(Path(ref.adapter))["repeats"] if ref.adapter else 1)
