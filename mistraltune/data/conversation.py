"""The conversation: the one shape that all data takes between a file and a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call that an assistant message makes.

    Attributes:
        id: Nine letters or digits (mistral-common, tokenizers v3 to v11), or empty where the format has none.
        name: The function's name.
        arguments: JSON text, as it stands in the file.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks.
        content: Plain text; empty when an assistant message only calls tools.
        tool_calls: The calls of an assistant message.
        tool_call_id: On a tool message, the call that it answers.
        name: On a tool message, the function that answered.
        weight: 0 keeps an assistant message out of the loss; 1 trains it.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Conversation:
    """A list of messages, the tools on offer, and what an evaluation needs to know of the row.

    Attributes:
        messages: At least one; training rows end with an assistant message.
        tools: Tool definitions in OpenAI's form (`{"type": "function", "function": {...}}`), JSON-like dicts.
        references: Further accepted answers to the last turn (row field `references`).
        source: `file:line` of the row, for error messages; empty when made in code.
    """

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = field(default=(), hash=False)
    references: tuple[str, ...] = ()
    source: str = field(default="", compare=False)

    @property
    def prompt(self) -> Conversation:
        """The conversation up to its last assistant message, which is left out: what a model is asked to continue."""
        end = self.last_assistant_index
        messages = self.messages if end is None else self.messages[:end]
        return Conversation(messages=messages, tools=self.tools, references=self.references, source=self.source)

    @property
    def completion(self) -> Message | None:
        """The last assistant message: the reference of an evaluation; None where there is none."""
        end = self.last_assistant_index
        return None if end is None else self.messages[end]

    @property
    def last_assistant_index(self) -> int | None:
        """Index of the last assistant message, None where there is none."""
        indices = (i for i in range(len(self.messages) - 1, -1, -1) if self.messages[i].role == "assistant")
        return next(indices, None)


def ask(prompt: str, *, system: str = "") -> Conversation:
    """A conversation of one user message, after a system message where `system` is given."""
    opening = (Message(role="system", content=system),) if system else ()
    return Conversation(messages=(*opening, Message(role="user", content=prompt)))


def message_dicts(conversation: Conversation) -> list[dict[str, Any]]:
    """The conversation's messages in the `messages` format."""
    return [message_dict(message) for message in conversation.messages]


def message_dict(message: Message) -> dict[str, Any]:
    """One message in the `messages` format, without the fields that it does not use."""
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    if message.name:
        fields["name"] = message.name
    return fields


def training_row(conversation: Conversation) -> dict[str, Any]:
    """The conversation as a training row in the `messages` format: with weights, without `references`."""
    messages = message_dicts(conversation)
    for message, given in zip(messages, conversation.messages, strict=True):
        if given.tool_calls and not given.content:
            del message["content"]
        if given.weight != 1:
            message["weight"] = given.weight
    return {"messages": messages, **({"tools": list(conversation.tools)} if conversation.tools else {})}
