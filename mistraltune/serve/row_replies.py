"""Rows of an uploaded file as the console reads them: messages, and the text of which a model is trained on parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.rendered import Rendered
from mistraltune.interfaces import Renderer


class RowToolCall(TypedDict):
    """A tool call of a message; `arguments` is JSON as it stands in the file."""

    id: str
    name: str
    arguments: str


class RowMessage(TypedDict):
    """One message of a row."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    is_trained: bool
    tool_calls: NotRequired[list[RowToolCall]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


class Segment(TypedDict):
    """A stretch of text whose tokens are all trained, or all not."""

    text: str
    is_trained: bool
    num_tokens: int


class SequenceReply(TypedDict):
    """One sequence that a row renders to, as the model reads it."""

    num_tokens: int
    num_trained_tokens: int
    segments: list[Segment]


class RowReply(TypedDict):
    """A row; its sequences where a model was named, or why that model cannot read it."""

    row: int
    line: int
    messages: list[RowMessage]
    tools: list[dict[str, Any]]
    sequences: list[SequenceReply] | None
    problem: str | None


class RowList(TypedDict):
    """Some rows of a file, in its order; `row` counts from 1."""

    total: int
    offset: int
    rows: list[RowReply]


def line_of(source: str) -> int:
    """The line in `file:line`."""
    return int(source.rpartition(":")[2])


def describe_messages(conversation: Conversation) -> list[RowMessage]:
    """The messages of a row."""
    return [describe_message(message) for message in conversation.messages]


def describe_message(message: Message) -> RowMessage:
    """One message; what it does not have is left out."""
    told: RowMessage = {
        "role": message.role,
        "content": message.content,
        "is_trained": message.role == "assistant" and message.weight > 0,
    }
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    if message.name:
        told["name"] = message.name
    return told


def describe_sequences(sequences: Sequence[Rendered], renderer: Renderer) -> list[SequenceReply]:
    """The sequences of a row, cut where training begins and ends."""
    return [
        {
            "num_tokens": len(sequence.token_ids),
            "num_trained_tokens": sequence.num_trained_tokens,
            "segments": list(cut(sequence, renderer)),
        }
        for sequence in sequences
    ]


def cut(sequence: Rendered, renderer: Renderer) -> list[Segment]:
    """The stretches of a sequence."""
    segments: list[Segment] = []
    tokens = zip(sequence.token_ids, sequence.loss_mask, strict=True)
    for is_trained, run in groupby(tokens, key=lambda token: bool(token[1])):
        token_ids = [token_id for token_id, _ in run]
        text = renderer.decode(token_ids, skip_special_tokens=False)
        segments.append({"text": text, "is_trained": is_trained, "num_tokens": len(token_ids)})
    return segments
