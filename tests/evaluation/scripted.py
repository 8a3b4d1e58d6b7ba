"""A backend whose models answer from a script: a real implementation of the protocols, without weights.

`scripted:FILE` names a JSON file that maps the last user message to an answer: a text, or a list of tool calls.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.interfaces import Completion, Sampling
from mistraltune.results import ModelRef

Answer = str | list[dict[str, str]]


class ScriptedModel:
    """Answers by looking the prompt up; one word is one token, and one more ends the turn."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.is_closed = False

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        for index in range(len(prompts)):
            yield self.answer(prompts[index], sampling)

    def answer(self, prompt: Conversation, sampling: Sampling) -> Completion:
        answer = self.answers[prompt.messages[-1].content]
        if isinstance(answer, list):
            calls = tuple(ToolCall("", call["name"], call["arguments"]) for call in answer)
            return Completion("", num_tokens=10, finish_reason="stop", tool_calls=calls)
        words = answer.split()
        if len(words) >= sampling.max_new_tokens:
            kept = sampling.max_new_tokens
            return Completion(" ".join(words[:kept]), num_tokens=kept, finish_reason="length")
        return Completion(answer, num_tokens=len(words) + 1, finish_reason="stop")

    def stream(self, prompt: Conversation, sampling: Sampling) -> Iterator[str]:
        yield self.answer(prompt, sampling).text

    def close(self) -> None:
        self.is_closed = True


class NoOptions(BaseModel):
    """A script has no settings."""


class ScriptedBackend:
    """Opens scripts, and remembers which."""

    name: ClassVar[str] = "scripted"
    options: ClassVar[type[BaseModel]] = NoOptions
    opened: ClassVar[list[str]] = []
    models: ClassVar[list[ScriptedModel]] = []

    def chat_model(self, ref: ModelRef) -> ScriptedModel:
        assert all(model.is_closed for model in self.models), "two models are open at once"
        self.opened.append(Path(ref.model).name)
        self.models.append(ScriptedModel(json.loads(Path(ref.model).read_text(encoding="utf-8"))))
        return self.models[-1]

    def revision(self, ref: ModelRef) -> str:
        return Path(ref.model).read_text(encoding="utf-8")


def register(folder: Path, monkeypatch: pytest.MonkeyPatch) -> type[ScriptedBackend]:
    """Make the backend known as an installed plugin is: by its package's entry points."""
    package = folder / "scripted-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: scripted\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[mistraltune.backends]\nscripted = scripted:ScriptedBackend\n")
    monkeypatch.syspath_prepend(folder)
    ScriptedBackend.opened.clear()
    ScriptedBackend.models.clear()
    return ScriptedBackend


def row(question: str, answer: str, *references: str) -> Conversation:
    """A conversation of one turn."""
    turns = (Message("user", question), Message("assistant", answer))
    return Conversation(turns, references=references, source=f"rows.jsonl:{question}")


def tool_row(question: str, *calls: ToolCall) -> Conversation:
    """A conversation whose right answer calls tools."""
    return Conversation((Message("user", question), Message("assistant", "", tool_calls=calls)))


def write_rows(path: Path, rows: dict[str, str]) -> Path:
    """An evaluation file."""
    lines = [json.dumps({"instruction": question, "output": answer}) for question, answer in rows.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_script(path: Path, answers: dict[str, Answer]) -> str:
    """A model's script; returns its reference."""
    path.write_text(json.dumps(answers), encoding="utf-8")
    return f"scripted:{path}"
