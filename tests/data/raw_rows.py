"""Rows as they stand in files, part by part, and what a check finds in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistraltune.data.checking import row_problems

GOOD = b'{"instruction": "a", "output": "b"}'
"""A row of the fewest bytes."""

USER = {"role": "user", "content": "What is the weather in Paris?"}
ANSWER = {"role": "assistant", "content": "Sunny."}
CALL = {"id": "abcdefgh1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
CALLING = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "sun", "tool_call_id": "abcdefgh1", "name": "weather"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}

HI = {"role": "user", "content": "Hi there."}
HELLO = {"role": "assistant", "content": "Hello!"}
BARE_CALL = {"id": "abcdefgh1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TOOL_ROW = {
    "messages": [HI, HELLO, HI, {"role": "assistant", "tool_calls": [BARE_CALL]}, RESULT, HELLO],
    "tools": [TOOL],
}
"""Two turns, the second with a tool call and its result."""


def rules(row: Any, *, warnings: bool = False) -> list[str]:
    return [problem.rule for problem in row_problems(row) if problem.is_error != warnings]


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": list(messages), **fields}


def changed(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**message, **fields}


def numbered(number: int) -> dict[str, Any]:
    return {"instruction": f"question {number}", "output": f"answer {number}"}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_numbered(path: Path, num_rows: int) -> Path:
    return write(path, b"".join(json.dumps(numbered(number)).encode() + b"\n" for number in range(num_rows)))
