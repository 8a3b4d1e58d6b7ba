"""The rules that tool definitions, tool calls and tool results must keep, each by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mistraltune.data.findings import Problem, excerpt, type_name, unknown_fields
from mistraltune.data.strict_json import Json, LineError, parse

CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NO_CALL_ID = "null"  # mistral-common's word for an id that is not there

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


# Definitions


def tools_problems(tools: Json) -> list[Problem]:
    """Problems of a row's tool definitions."""
    if isinstance(tools, str):
        return [Problem("tools", "`tools` is a text", "a list is wanted; `mistraltune data convert` makes one")]
    if not isinstance(tools, list):
        return [Problem("tools", f"`tools` must be a list, not {type_name(tools)}")]
    return list(_cached_tools_problems(json.dumps(tools))) if tools else []


@lru_cache(maxsize=1024)
def _cached_tools_problems(tools: str) -> tuple[Problem, ...]:
    """Problems of tool definitions given as JSON text: rows share their tools, and schemas are slow to check."""
    problems = (tool_problems(tool, f"tools[{index}]") for index, tool in enumerate(json.loads(tools)))
    return tuple(problem for group in problems for problem in group)


def tool_problems(tool: Json, where: str) -> list[Problem]:
    """Problems of one tool definition (OpenAI's form)."""
    if not isinstance(tool, dict):
        return [Problem("tools", f"{where} must be an object, not {type_name(tool)}")]
    function = tool.get("function")
    if not isinstance(function, dict):
        hint = '{"type": "function", "function": {...}} is wanted; `mistraltune data convert` wraps flat definitions'
        return [Problem("tools", f"{where}.function must be an object, not {type_name(function)}", hint)]
    problems = unknown_fields(tool, {"type", "function"}, where)
    problems += unknown_fields(function, {"name", "description", "parameters", "strict"}, f"{where}.function")
    problems += name_problems(function.get("name"), f"{where}.function.name")
    if tool.get("type") not in (None, "function"):
        problems.append(Problem("tools", f"{where}.type is {excerpt(tool['type'])}", "the only type is function"))
    if not isinstance(function.get("description"), str | None):
        problems.append(Problem("tools", f"{where}.function.description must be text"))
    if not isinstance(function.get("strict"), bool | None):
        problems.append(Problem("tools", f"{where}.function.strict must be true or false"))
    return problems + parameters_problems(function.get("parameters"), f"{where}.function.parameters")


def parameters_problems(parameters: Json, where: str) -> list[Problem]:
    """Problems of a function's parameters: a JSON Schema, draft 7."""
    if not isinstance(parameters, dict):
        hint = 'for a function without parameters write {"type": "object", "properties": {}}'
        return [Problem("tools", f"{where} must be an object, not {type_name(parameters)}", hint)]
    if is_plain_schema(parameters):
        return []
    import jsonschema  # type: ignore[import-untyped]

    try:
        jsonschema.Draft7Validator.check_schema(parameters)
    except jsonschema.SchemaError as error:
        return [Problem("tools", f"{where} is no JSON Schema (draft 7): {excerpt(error.message)}")]
    return []


def is_plain_schema(schema: Json) -> bool:
    """Whether a schema is valid draft 7 at first sight: most are, and the full check takes a hundred times longer."""
    return isinstance(schema, dict) and all(
        keyword in _PLAIN_KEYWORDS and _PLAIN_KEYWORDS[keyword](value) for keyword, value in schema.items()
    )


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _are_distinct_texts(value: Json) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and 0 < len(value) == len(set(value))


def _are_plain_schemas(value: Json) -> bool:
    return isinstance(value, dict) and all(map(is_plain_schema, value.values()))


_PLAIN_KEYWORDS: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) and value in _TYPES,
    "title": _is_text,
    "description": _is_text,
    "properties": _are_plain_schemas,
    "required": lambda value: value == [] or _are_distinct_texts(value),
    "items": is_plain_schema,
    "enum": _are_distinct_texts,
    "default": lambda value: True,
}


def undeclared_tools(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[Problem]:
    """Warnings about calls of functions that the row does not offer; for rows without errors."""
    called = {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
    undeclared = called - {tool["function"]["name"] for tool in tools}
    return [
        Problem("tools", f"calls {name}, which `tools` does not declare", "declare what is called", is_error=False)
        for name in sorted(undeclared)
    ]


# Calls and results


def tool_call_problems(call: Json, where: str, *, is_last: bool) -> list[Problem]:
    """Problems of one tool call."""
    if not isinstance(call, dict):
        return [Problem("tool-calls", f"{where} must be an object, not {type_name(call)}")]
    problems = unknown_fields(call, {"id", "type", "function"}, where)
    problems += call_id_problems(call.get("id"), f"{where}.id", may_be_missing=is_last)
    if call.get("type") not in (None, "function"):
        problems.append(Problem("tool-calls", f"{where}.type is {excerpt(call['type'])}", "the only type is function"))
    function = call.get("function")
    if not isinstance(function, dict):
        return [*problems, Problem("tool-calls", f"{where}.function must be an object, not {type_name(function)}")]
    problems += unknown_fields(function, {"name", "arguments"}, f"{where}.function")
    problems += name_problems(function.get("name"), f"{where}.function.name")
    return problems + arguments_problems(function.get("arguments"), f"{where}.function.arguments")


def call_id_problems(call_id: Json, where: str, *, may_be_missing: bool) -> list[Problem]:
    """Problems of a call's id; the calls of the last message may do without."""
    if may_be_missing and call_id in (None, NO_CALL_ID):
        return []
    if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
        return []
    hint = "nine letters or digits; `mistraltune data convert` makes them"
    return [Problem("tool-call-id", f"{where} is {excerpt(call_id)}", hint)]


def name_problems(name: Json, where: str) -> list[Problem]:
    """Problems of a function's name."""
    if isinstance(name, str) and FUNCTION_NAME.fullmatch(name):
        return []
    return [Problem("tool-name", f"{where} is {excerpt(name)}", "1 to 64 of a-z, A-Z, 0-9, _ and -")]


def arguments_problems(arguments: Json, where: str) -> list[Problem]:
    """Problems of a call's arguments: the JSON text of an object, or the object itself."""
    if arguments is None or isinstance(arguments, dict):
        return []
    hint = 'write them as JSON text, such as "{\\"city\\": \\"Paris\\"}"'
    if not isinstance(arguments, str):
        return [Problem("tool-arguments", f"{where} must be JSON text, not {type_name(arguments)}", hint)]
    try:
        value = parse(arguments)
    except LineError as error:
        return [Problem("tool-arguments", f"{where} is not JSON: {error.message}", hint)]
    if not isinstance(value, dict):
        return [Problem("tool-arguments", f"{where} must hold a JSON object, not {type_name(value)}", hint)]
    return []


def tool_result_problems(message: dict[str, Any], where: str) -> list[Problem]:
    """Problems that only a tool message can have."""
    problems = call_id_problems(message.get("tool_call_id"), f"{where}.tool_call_id", may_be_missing=False)
    if message.get("name") is not None:
        problems += name_problems(message["name"], f"{where}.name")
    return problems
