"""Messages as chat templates read them, and what of a message is missing in the text that a template made."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from mistraltune.data.conversation import Message


def template_message(message: Message) -> dict[str, Any]:
    """The message in the form that chat templates read, tool-call arguments parsed.

    A template may write a call as JSON, in the order of its keys: this one is kept whatever the `messages` format does.
    """
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": _parsed(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    if message.name:
        fields["name"] = message.name
    return fields


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """JSON-like `value` with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): map_texts(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [map_texts(item, change) for item in value]
    return value


def texts_in(value: object) -> Iterator[str]:
    """Every text in a JSON-like value, its keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain(map(str, value), *map(texts_in, value.values()))
    elif isinstance(value, (list, tuple)):
        yield from itertools.chain.from_iterable(map(texts_in, value))


def missing_part(message: dict[str, Any], rendered: str) -> str:
    """What of `message` does not stand in `rendered`: "the text", "a tool call", or nothing."""
    content = message["content"].strip()  # many templates strip
    if not _stands_in(content, rendered):
        return "the text"
    rest = rendered.replace(content, "", 1) if content else rendered
    for call in message.get("tool_calls", ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        if not all(
            _stands_in(text, rest) for text in (name, *texts_in(arguments), *map(json.dumps, _numbers(arguments)))
        ):
            return "a tool call"
    return ""


def _stands_in(text: str, rendered: str) -> bool:
    """Whether `text` stands in `rendered` as it is or as JSON."""
    forms = (text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])
    return any(form in rendered for form in forms)


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, (dict, list)):
        yield from itertools.chain.from_iterable(map(_numbers, value.values() if isinstance(value, dict) else value))
