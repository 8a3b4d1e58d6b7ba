"""A Modelfile for Ollama whose template says what the renderer says, found by asking the renderer.

Ollama's templates are Go's (https://pkg.go.dev/text/template) over `.Messages` and `.System`
(https://github.com/ollama/ollama/blob/main/docs/template.md). Most chat formats put fixed texts around each message;
those texts are found here, and tried on samples. Any other format gets no template instead of a wrong one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mistraltune.data.conversation import Conversation, Message
from mistraltune.errors import DataError

SpellPrompt = Callable[[Conversation], str]
"""The text before the answer to a conversation, control tokens by name, no beginning-of-sequence token."""


@dataclass(frozen=True, slots=True)
class TurnFormat:
    """The fixed texts of a chat format.

    Attributes:
        opening: Before the first user message where there is no system message: many formats have a default one.
        before_user: Before a user message.
        after_user: After it; the answer follows.
        before_answer: Between that and an answer that is given.
        after_answer: After such an answer.
        before_system: Before a system message; None where the format has none.
        after_system: After it, up to the user message.
        system_is_last: Whether it stands before the last user message, and not before the first.
    """

    opening: str
    before_user: str
    after_user: str
    before_answer: str
    after_answer: str
    before_system: str | None
    after_system: str
    system_is_last: bool

    def render(self, conversation: Conversation) -> str:
        """The text before the answer to a conversation of texts."""
        system = "\n\n".join(message.content for message in conversation.messages if message.role == "system")
        turns = [message for message in conversation.messages if message.role in ("user", "assistant")]
        users = [index for index, message in enumerate(turns) if message.role == "user"]
        place = users[-1 if self.system_is_last else 0]
        parts = []
        for index, message in enumerate(turns):
            if message.role == "assistant":
                parts += [self.before_answer, message.content, self.after_answer]
                continue
            if system and index == place and self.before_system is not None:
                parts += [self.before_system, system, self.after_system]
            else:
                parts += [self.opening if index == users[0] else "", self.before_user]
            parts += [message.content, self.after_user]
        return "".join(parts)

    def go_template(self) -> str:
        """The same in Go's language, over Ollama's `.Messages` and `.System`."""
        with_system = (
            ""
            if self.before_system is None
            else (f"{literal(self.before_system)}{{{{ $.System }}}}{literal(self.after_system)}")
        )
        first, others = literal(self.opening + self.before_user), literal(self.before_user)
        is_last = "eq (len (slice $.Messages $index)) 1"
        if self.system_is_last and with_system:
            before = f"{{{{ if and $.System ({is_last}) }}}}{with_system}{{{{ else if $first }}}}{first}"
        else:
            system = f"{{{{ if $.System }}}}{with_system}{{{{ else }}}}{first}{{{{ end }}}}" if with_system else first
            before = f"{{{{ if $first }}}}{system}"
        return (
            "{{ $first := true }}{{ range $index, $message := .Messages }}"
            '{{ if eq $message.Role "user" }}'
            f"{before}{{{{ else }}}}{others}{{{{ end }}}}{{{{ $first = false }}}}"
            f"{{{{ $message.Content }}}}{literal(self.after_user)}"
            '{{ else if eq $message.Role "assistant" }}'
            f"{literal(self.before_answer)}{{{{ $message.Content }}}}{literal(self.after_answer)}"
            "{{ end }}{{ end }}"
        )


def literal(text: str) -> str:
    """Text as it stands in a Go template."""
    return text.replace("{{", '{{ "{{" }}')


def say(*texts: str, system: str = "") -> Conversation:
    """Turns of user and assistant, after a system message."""
    roles = itertools.cycle(("user", "assistant"))
    messages = [Message(role=role, content=text) for role, text in zip(roles, texts, strict=False)]  # type: ignore[arg-type]
    return Conversation(messages=(*([Message(role="system", content=system)] if system else ()), *messages))


SAMPLES = (
    say("What?"),
    say("Un deux.\nTrois ?", "Quatre.", "Et cinq ?"),
    say("a", "b", "c", "d", "e"),
    say("Who are you?", system="You are terse."),
    say("1", "2", "3", "4", "5", system="Rules:\n- one\n- two"),
)


def find_format(spell_prompt: SpellPrompt, end_texts: Sequence[str]) -> TurnFormat | None:
    """The fixed texts around each part of a conversation; None where the renderer's format is of another kind.

    Args:
        spell_prompt: Renders.
        end_texts: Names of the tokens that end an answer.
    """
    try:
        opened, after_user = split(spell_prompt(say("zq-one")), "zq-one")
        first, middle, between, after_last = split(
            spell_prompt(say("zq-one", "zq-said", "zq-two")), "zq-one", "zq-said", "zq-two"
        )
        before_answer = middle.removeprefix(after_user)
        after_answer = next(end for end in end_texts if between.startswith(end))
    except (DataError, ValueError, StopIteration):
        return None
    before_user = common_suffix(opened, between.removeprefix(after_answer))
    after_answer = between.removesuffix(before_user)
    before_system, after_system, system_is_last = find_system(spell_prompt)
    found = TurnFormat(
        opening=opened.removesuffix(before_user),
        before_user=before_user,
        after_user=after_user,
        before_answer=before_answer,
        after_answer=after_answer,
        before_system=before_system,
        after_system=after_system,
        system_is_last=system_is_last,
    )
    is_regular = first == opened and after_last == after_user and middle.startswith(after_user)
    samples = [each for each in SAMPLES if before_system is not None or each.messages[0].role != "system"]
    return found if is_regular and count_equal(found, spell_prompt, samples) == len(samples) else None


def find_system(spell_prompt: SpellPrompt) -> tuple[str | None, str, bool]:
    """Texts before and after a system message, and whether it stands before the last user message."""
    try:
        before, after, _ = split(spell_prompt(say("zq-one", system="zq-rule")), "zq-rule", "zq-one")
        whole = spell_prompt(say("zq-one", "zq-said", "zq-two", system="zq-rule"))
    except (DataError, ValueError):
        return None, "", False
    return before, after, whole.index("zq-rule") > whole.index("zq-one")


def split(text: str, *markers: str) -> list[str]:
    """The texts around markers that follow each other.

    Raises:
        ValueError: A marker is missing.
    """
    parts = []
    for marker in markers:
        index = text.index(marker)
        parts.append(text[:index])
        text = text[index + len(marker) :]
    return [*parts, text]


def common_suffix(one: str, other: str) -> str:
    """The longest text that both end with."""
    equal = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(reversed(one), reversed(other), strict=False))
    length = sum(1 for _ in equal)
    return one[len(one) - length :]


def count_equal(found: TurnFormat, spell_prompt: SpellPrompt, conversations: Iterable[Conversation]) -> int:
    """How many conversations are rendered as the renderer does it."""
    return sum(found.render(each) == spell_prompt(each) for each in conversations)


def write_modelfile(name: str, gguf_file: str, found: TurnFormat | None, end_texts: Sequence[str]) -> str:
    """The Modelfile's text, for `ollama create NAME -f Modelfile`."""
    lines = [f"# {name}, exported by MistralTune. Use it: ollama create NAME -f Modelfile", f"FROM ./{gguf_file}"]
    if found:
        lines.append(f'TEMPLATE """{found.go_template()}"""')
    else:
        lines.append("# No TEMPLATE: this chat format is none that is written here; the GGUF holds it as Jinja.")
    lines += [f'PARAMETER stop "{text}"' for text in end_texts]
    return "\n".join(lines) + "\n"
