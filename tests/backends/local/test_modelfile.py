"""Ollama's template says what the renderer says, as Go would run it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mistral_common
import pytest

from mistraltune.backends.local.gguf_vocabulary import read_vocabulary
from mistraltune.backends.local.loading import load_renderer
from mistraltune.backends.local.modelfile import SAMPLES, SpellPrompt, find_format, literal, say, write_modelfile
from mistraltune.data.conversation import Conversation
from mistraltune.results import ModelRef

MISTRAL = Path(mistral_common.__file__).parent / "data"
FILES = {
    "v1": ("tokenizer.model.v1", "tokenizer.model.v1"),
    "v2": ("mistral_instruct_tokenizer_240216.model.v2", "tokenizer.model.v2"),
    "v3": ("mistral_instruct_tokenizer_240323.model.v3", "tokenizer.model.v3"),
    "v7": ("mistral_instruct_tokenizer_241114.model.v7", "tokenizer.model.v7"),
    "tekken": ("tekken_240911.json", "tekken.json"),
}
ODD = (say("Use {{ .System }} here"), say("x", "y", "z", system="é\n{{ braces }}"))

ACTION = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()]+')


class GoTemplate:
    """The part of Go's text/template that is written here: range, if, else, eq, and, len, slice, variables.

    Source: https://pkg.go.dev/text/template. The templates were also run by Go itself (1.27), with the same results.
    """

    def __init__(self, text: str) -> None:
        parts = ACTION.split(text)
        self.nodes = [("text" if index % 2 == 0 else "action", part) for index, part in enumerate(parts)]

    def render(self, data: dict[str, Any]) -> str:
        self.scope: dict[str, Any] = {"$": data}
        out: list[str] = []
        end = self.run(0, True, out)
        assert end == len(self.nodes)
        return "".join(out)

    def run(self, at: int, active: bool, out: list[str]) -> int:
        """Run from node `at` to the `else` or `end` of its block; the place of that node."""
        while at < len(self.nodes):
            kind, text = self.nodes[at]
            if kind == "text":
                out += [text] if active else []
            elif text.startswith(("else", "end")):
                return at
            elif text.startswith("range "):
                at = self.run_range(at, text, active, out)
            elif text.startswith("if "):
                at = self.run_if(at, active, out)
            elif found := re.fullmatch(r"(\$\w+) :?= (.*)", text):
                if active:
                    self.scope[found[1]] = self.value(found[2])
            elif active:
                out.append(str(self.value(text)))
            at += 1
        return at

    def run_range(self, at: int, text: str, active: bool, out: list[str]) -> int:
        index_name, item_name, over = re.fullmatch(r"range (\$\w+), (\$\w+) := (.*)", text).groups()  # type: ignore[union-attr]
        end = self.run(at + 1, False, [])
        for index, item in enumerate(self.value(over)) if active else ():
            self.scope |= {index_name: index, item_name: item}
            self.run(at + 1, True, out)
        return end

    def run_if(self, at: int, active: bool, out: list[str]) -> int:
        taken = False
        while self.nodes[at][1] != "end":
            condition = self.nodes[at][1].removeprefix("else").strip().removeprefix("if")
            chosen = active and not taken and (not condition or bool(self.value(condition)))
            taken = taken or chosen
            at = self.run(at + 1, chosen, out)
        return at

    def value(self, text: str) -> Any:
        return self.call(iter([*WORD.findall(text), ")"]))

    def call(self, words: Iterator[str]) -> Any:
        terms: list[Any] = []
        for word in words:
            if word == ")":
                break
            terms.append(self.call(words) if word == "(" else self.term(word))
        first, *others = terms
        return first(*others) if callable(first) else first

    def term(self, word: str) -> Any:
        functions: dict[str, Callable[..., Any]] = {
            "eq": lambda a, b: a == b,
            "and": lambda a, b: a and b,
            "len": len,
            "slice": lambda items, start: items[start:],
        }
        if word in functions:
            return functions[word]
        if word in ("true", "false"):
            return word == "true"
        if word.startswith('"'):
            return word[1:-1]
        if word.isdecimal():
            return int(word)
        name, *fields = word.split(".")
        value = self.scope[name or "$"]
        for field in fields:
            value = value[field]
        return value


def as_ollama_runs_it(template: str, conversation: Conversation) -> str:
    messages = [{"Role": message.role, "Content": message.content} for message in conversation.messages]
    system = "\n\n".join(message["Content"] for message in messages if message["Role"] == "system")
    return GoTemplate(template).render({"System": system, "Messages": messages})


@pytest.fixture(params=FILES)
def spell_prompt(request: pytest.FixtureRequest, tmp_path: Path) -> SpellPrompt:
    """The text of a prompt by one of Mistral's tokenizers."""
    source, name = FILES[request.param]
    shutil.copyfile(MISTRAL / source, tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    vocabulary = read_vocabulary(tmp_path, name="model")
    renderer = load_renderer(ModelRef(model=str(tmp_path)))
    return lambda conversation: vocabulary.spell(renderer.prompt(conversation))


def test_the_template_says_what_mistral_common_says(spell_prompt: SpellPrompt) -> None:
    found = find_format(spell_prompt, ["</s>"])
    assert found
    for conversation in [*SAMPLES, *ODD]:
        expected = spell_prompt(conversation)
        assert found.render(conversation) == expected
        assert as_ollama_runs_it(found.go_template(), conversation) == expected


def chatml(conversation: Conversation) -> str:
    system = "" if conversation.messages[0].role == "system" else "<|im_start|>system\nBe kind.<|im_end|>\n"
    turns = (f"<|im_start|>{each.role}\n{each.content}<|im_end|>\n" for each in conversation.messages)
    return f"{system}{''.join(turns)}<|im_start|>assistant\n"


def test_a_default_system_message_stands_only_where_there_is_none() -> None:
    found = find_format(chatml, ["<|im_end|>"])
    assert found
    for conversation in [*SAMPLES, *ODD]:
        assert as_ollama_runs_it(found.go_template(), conversation) == chatml(conversation)


def test_a_format_that_depends_on_more_than_the_turns_gets_no_template() -> None:
    def counted(conversation: Conversation) -> str:
        return f"{len(conversation.messages)}:{chatml(conversation)}"

    assert find_format(counted, ["<|im_end|>"]) is None
    text = write_modelfile("tickets", "model-q8_0.gguf", None, ["<|im_end|>"])
    assert "No TEMPLATE" in text
    assert 'TEMPLATE """' not in text


def test_the_modelfile_names_the_file_beside_it_and_where_an_answer_ends() -> None:
    text = write_modelfile("tickets", "model-q8_0.gguf", find_format(chatml, ["<|im_end|>"]), ["<|im_end|>"])
    assert "FROM ./model-q8_0.gguf\n" in text
    assert 'PARAMETER stop "<|im_end|>"\n' in text
    assert text.count('"""') == 2


def test_braces_of_a_format_are_written_as_text() -> None:
    assert GoTemplate(literal("a {{ b")).render({}) == "a {{ b"
