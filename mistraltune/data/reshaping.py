"""One row of any known format as a row of messages, and a row of messages as an instruct row.

ShareGPT is what LLaMA-Factory and others write: `conversations` of `{"from": ..., "value": ...}`, with tool calls as
the JSON text of a `function_call` turn, results as `observation` turns, and `tools` as JSON text beside them.
"""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

from mistraltune.data.checking import format_problem, row_format, row_problems
from mistraltune.data.findings import excerpt, type_name
from mistraltune.data.message_rules import join_chunks
from mistraltune.data.prompt_completion import border_problems, joined_messages
from mistraltune.data.strict_json import Json, LineError, parse
from mistraltune.data.tool_rules import CALL_ID

Fields = dict[str, Any]

_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "function_call",
    "observation": "tool",
    "tool": "tool",
}
_ID_ALPHABET = string.digits + string.ascii_letters


class CannotConvert(ValueError):  # noqa: N818 - reads as what happened
    """A row that does not fit into the wanted format.

    Attributes:
        rule: Short id, such as `tools`.
        hint: What to do about it; may be empty.
    """

    def __init__(self, rule: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.hint = hint


def to_messages(row: Json, number: int) -> Fields:
    """A row with `messages`, `tools` where it has any, and all its other fields.

    Args:
        row: A parsed instruct, messages, prompt-completion or ShareGPT row.
        number: Its number; ids of tool calls that have none are made from it.

    Raises:
        CannotConvert: It has none of these formats.
    """
    if not isinstance(row, dict):
        raise CannotConvert("not-an-object", f"a row must be a JSON object, not {type_name(row)}")
    fields = dict(row)
    if "conversations" in fields and row_format(fields) is None:
        messages = from_sharegpt(fields.pop("conversations"))
    elif row_format(fields) == "messages":
        messages = from_messages(fields.pop("messages"))
    elif row_format(fields) == "instruct":
        messages = from_instruct(fields)
    elif row_format(fields) == "prompt-completion":
        messages = from_prompt_completion(fields.pop("prompt"), fields.pop("completion"))
    else:
        problem = format_problem(row)
        raise CannotConvert(problem.rule, problem.message)
    if system := fields.pop("system", None):
        messages.insert(0, {"role": "system", "content": system})
    tools = convert_tools(fields.pop("tools", None) or fields.pop("functions", None))
    link_calls(messages, number)
    return {"messages": messages, **({"tools": tools} if tools else {}), **fields}


def from_instruct(fields: Fields) -> list[Fields]:
    """The messages of an instruct row, whose fields are taken out of `fields`; `history` holds earlier turns."""
    for problem in row_problems(fields):
        if problem.is_error:
            raise CannotConvert(problem.rule, problem.message, problem.hint)
    turns = list(fields.pop("history", None) or ())
    question = "\n\n".join(part for part in (fields.pop("instruction"), fields.pop("input", None)) if part)
    turns.append([question, fields.pop("output")])
    messages = []
    for turn in turns:
        if not isinstance(turn, list) or len(turn) != 2:
            raise CannotConvert("content", "`history` must be a list of [question, answer] pairs")
        messages += [{"role": "user", "content": turn[0]}, {"role": "assistant", "content": turn[1]}]
    return messages


def from_prompt_completion(prompt: Json, completion: Json) -> list[Fields]:
    """The messages of a prompt and its completion; an assistant message of the prompt gets weight 0."""
    if type(prompt) is not type(completion) or not isinstance(prompt, str | list):
        raise CannotConvert("content", "`prompt` and `completion` must be two texts, or two lists of messages")
    if isinstance(prompt, list):
        for problem in border_problems(prompt, completion):
            raise CannotConvert(problem.rule, problem.message, problem.hint)
    return from_messages(joined_messages(prompt, completion))


def from_messages(messages: Json) -> list[Fields]:
    """The messages of a row that has them already, in today's form: no nulls, no `function_call`."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise CannotConvert("content", "`messages` must be a list of objects")
    return [from_message(message) for message in messages]


def from_message(message: Fields) -> Fields:
    """One message; a `function_call` and its result in OpenAI's old form become a tool call and a tool message."""
    fields = {key: value for key, value in message.items() if value is not None}
    if fields.get("role") == "function":
        fields["role"] = "tool"
    if "function_call" in fields:
        fields["tool_calls"] = [convert_call(fields.pop("function_call"))]
    elif isinstance(fields.get("tool_calls"), list):
        fields["tool_calls"] = [convert_call(call) for call in fields["tool_calls"]]
    if fields.get("tool_calls") and not fields.get("content"):
        fields.pop("content", None)
    return fields


def from_sharegpt(turns: Json) -> list[Fields]:
    """The messages of ShareGPT turns; tool calls have no ids yet."""
    if not isinstance(turns, list):
        raise CannotConvert("content", f"`conversations` must be a list, not {type_name(turns)}")
    return [from_turn(turn, f"conversations[{index}]") for index, turn in enumerate(turns)]


def from_turn(turn: Json, where: str) -> Fields:
    """One ShareGPT turn as a message."""
    if not isinstance(turn, dict):
        raise CannotConvert("not-an-object", f"{where} must be an object, not {type_name(turn)}")
    fields = {key: value for key, value in turn.items() if value is not None}
    speaker = fields.pop("from", None) or fields.pop("role", None)
    value = fields.pop("value", fields.pop("content", None))
    role = _ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise CannotConvert("role", f"{where} is from {excerpt(speaker)}", f"known are {', '.join(_ROLES)}")
    if role == "function_call":
        calls = value if isinstance(value, dict | list) else parse_json(value, where)
        listed = calls if isinstance(calls, list) else [calls]
        return {"role": "assistant", "tool_calls": [convert_call(call) for call in listed], **fields}
    if role == "tool" and isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return {"role": role, "content": value, **fields}


# Tools


def convert_tools(tools: Json) -> list[Json]:
    """Tool definitions as a list in OpenAI's form, from a list or its JSON text, flat definitions included."""
    if isinstance(tools, str):
        tools = parse_json(tools, "`tools`") if tools.strip() else []
    if not tools:
        return []
    if not isinstance(tools, list):
        raise CannotConvert("tools", f"`tools` must be a list, not {type_name(tools)}")
    return [convert_tool(tool) for tool in tools]


def convert_tool(tool: Json) -> Json:
    """One tool definition in OpenAI's form; what is none is left for the check to name."""
    if not isinstance(tool, dict):
        return tool
    function = tool["function"] if isinstance(tool.get("function"), dict) else tool
    function = {key: value for key, value in function.items() if value is not None and key != "type"}
    function.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": function}


def convert_call(call: Json) -> Json:
    """One tool call in OpenAI's form, from that form or from `{"name": ..., "arguments": ...}`."""
    if not isinstance(call, dict):
        return call
    fields = {key: value for key, value in call.items() if value is not None}
    outer = {key: fields.pop(key) for key in ("id", "type") if key in fields}
    function = fields.pop("function") if isinstance(fields.get("function"), dict) else None
    if function is None:
        function, fields = fields, {}
    arguments = convert_arguments(function.get("arguments"))
    return {**outer, "type": "function", "function": {**function, "arguments": arguments}, **fields}


def convert_arguments(arguments: Json) -> str:
    """A call's arguments as JSON text; none at all are an empty object."""
    if arguments is None or arguments == "":
        return "{}"
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def link_calls(messages: list[Fields], number: int) -> None:
    """Give every tool call an id of nine characters, and every result the id and the name of its call."""
    open_calls: list[tuple[Json, str, Json]] = []
    num_calls = 0
    for index, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            if not isinstance(call, dict):
                continue
            given = call.get("id")
            call_id = given if isinstance(given, str) and CALL_ID.fullmatch(given) else make_call_id(number, num_calls)
            call["id"] = call_id
            open_calls.append((given, call_id, call["function"].get("name")))
            num_calls += 1
        if message.get("role") == "tool":
            answer_call(message, open_calls, f"messages[{index}]")


def answer_call(message: Fields, open_calls: list[tuple[Json, str, Json]], where: str) -> None:
    """Point a tool message to the call it names, or else to the first that is still open."""
    given = message.get("tool_call_id")
    matches = [call for call in open_calls if given is None or call[0] == given]
    if not matches:
        raise CannotConvert("tool-result", f"{where} is the result of no tool call before it")
    open_calls.remove(matches[0])
    _, message["tool_call_id"], name = matches[0]
    message.setdefault("name", name)


def make_call_id(number: int, index: int) -> str:
    """Nine letters and digits that are always the same for the same call of the same row."""
    rest = int.from_bytes(hashlib.sha256(f"{number}.{index}".encode()).digest()[:8], "big")
    letters = []
    for _ in range(9):
        rest, letter = divmod(rest, len(_ID_ALPHABET))
        letters.append(_ID_ALPHABET[letter])
    return "".join(letters)


# Instruct


def to_instruct(row: Fields, converted: Fields) -> Fields:
    """An instruct row, where one question and its answer are all that a row holds.

    Args:
        row: The row as it was; an instruct row stays as it is.
        converted: The same as a row of messages.

    Raises:
        CannotConvert: More would be lost.
    """
    fields = dict(converted)
    messages = fields.pop("messages")
    hint = "only one question and its answer fit into an instruct row; --to messages keeps all"
    if [message.get("role") for message in messages] != ["user", "assistant"]:
        roles = ", ".join(str(message.get("role")) for message in messages[:6])
        raise CannotConvert("format", f"holds the messages {roles}", hint)
    question, answer = messages
    if "tools" in fields or "tool_calls" in answer:
        raise CannotConvert("format", "has tools", hint)
    if answer.get("weight") == 0:
        raise CannotConvert("format", "has an answer of weight 0", hint)
    if row_format(row) == "instruct":
        return {key: value for key, value in row.items() if key in fields or key in ("instruction", "input", "output")}
    return {"instruction": join_chunks(question["content"]), "output": join_chunks(answer.get("content")), **fields}


def parse_json(text: Json, where: str) -> Json:
    """The value of JSON text inside a row."""
    if not isinstance(text, str):
        raise CannotConvert("content", f"{where} must be JSON text, not {type_name(text)}")
    try:
        return parse(text)
    except LineError as error:
        raise CannotConvert("json", f"{where} is not JSON: {error.message}", error.hint) from error
