"""Messages and renderings in few words, for tests of renderers."""

from __future__ import annotations

from functools import cache
from itertools import compress
from typing import Any

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.rendering import MistralRenderer

SEARCH = {"type": "function", "function": {"name": "search", "description": "", "parameters": {"type": "object"}}}


def system(content: str) -> Message:
    return Message(role="system", content=content)


def user(content: str) -> Message:
    return Message(role="user", content=content)


def assistant(content: str, *calls: ToolCall, weight: int = 1) -> Message:
    return Message(role="assistant", content=content, tool_calls=calls, weight=weight)


def result(content: str, call_id: str, *, name: str = "") -> Message:
    return Message(role="tool", content=content, tool_call_id=call_id, name=name)


def search(call_id: str, arguments: str = '{"q": "x"}') -> ToolCall:
    """A call of the tool `SEARCH`."""
    return ToolCall(id=call_id, name="search", arguments=arguments)


def row(*messages: Message, tools: tuple[dict[str, Any], ...] = ()) -> Conversation:
    """A row of a file, so that refusals name it."""
    return Conversation(messages, tools=tools, source="train.jsonl:7")


@cache
def renderer_of(name: str) -> MistralRenderer:
    return MistralRenderer.from_name(name)


def trained_text(renderer: MistralRenderer, conversation: Conversation) -> list[str]:
    """The trained text of each sequence, control tokens shown."""
    return [
        renderer.decode(list(compress(rendered.token_ids, rendered.loss_mask)), skip_special_tokens=False)
        for rendered in renderer.render(conversation)
    ]
