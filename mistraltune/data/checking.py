"""The check of one row, and the conversation that a checked row stands for."""

from __future__ import annotations

import json
from typing import Any, Literal

from mistraltune.data.characters import character_problems
from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.findings import Finding, Problem, excerpt, type_name
from mistraltune.data.message_rules import join_chunks, messages_problems
from mistraltune.data.prompt_completion import joined_messages, prompt_completion_problems
from mistraltune.data.strict_json import Json
from mistraltune.data.tool_rules import NO_CALL_ID

RowFormat = Literal["instruct", "messages", "prompt-completion"]

_INSTRUCT = ("instruction", "output")
_PROMPT_COMPLETION = ("prompt", "completion")
_FORMAT_FIELDS = (("messages",), _INSTRUCT, _PROMPT_COMPLETION)
# Row fields that other tools read and this format does not: they would be lost without a word.
_IGNORED_FIELDS: dict[RowFormat, tuple[str, ...]] = {
    "instruct": ("system", "history", "tools"),
    "messages": ("system", "functions"),
    "prompt-completion": ("system", "history"),
}


class RowChecker:
    """Checks the rows of one file, which must all have the format of the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.format: RowFormat | None = None
        self._format_line = 0

    def check(self, value: Json, line: int, *, text: bytes = b"") -> list[Finding]:
        """Errors and warnings of one row.

        Args:
            value: The parsed row.
            line: Its line number.
            text: The row as it stands in the file; without it, no warnings about odd characters are given.
        """
        problems = row_problems(value)
        if isinstance(value, dict):
            problems += self._format_problems(row_format(value), line)
            problems += character_problems(value, text)
        return [Finding(self.file, line, *problem) for problem in problems]

    def _format_problems(self, found: RowFormat | None, line: int) -> list[Problem]:
        if found is None:
            return []
        if self.format is None:
            self.format, self._format_line = found, line
        if found == self.format:
            return []
        began = f"the file began with {self.format} rows (line {self._format_line})"
        return [Problem("mixed-formats", f"a row in {found} format, but {began}", "keep one format in a file")]


def row_format(row: dict[str, Any]) -> RowFormat | None:
    """Which of the formats a row has; None where it has none or several."""
    is_messages = "messages" in row
    is_instruct = "output" in row and "instruction" in row
    is_completion = "completion" in row and "prompt" in row
    if is_messages + is_instruct + is_completion != 1:
        return None
    return "messages" if is_messages else "instruct" if is_instruct else "prompt-completion"


def row_problems(row: Json) -> list[Problem]:
    """Everything that is wrong with one parsed row, and what is odd about it."""
    if not isinstance(row, dict):
        return [Problem("not-an-object", f"a row must be a JSON object, not {type_name(row)}")]
    match row_format(row):
        case "messages":
            problems = messages_problems(row["messages"], row.get("tools"))
        case "instruct":
            problems = instruct_problems(row)
        case "prompt-completion":
            problems = prompt_completion_problems(row)
        case _:
            return [format_problem(row)]
    if row.get("references") is not None:
        problems += references_problems(row["references"])
    return problems + ignored_field_problems(row)


def format_problem(row: dict[str, Any]) -> Problem:
    """What to say of a row that has none of the formats or several."""
    found = [f"`{'`/`'.join(fields)}`" for fields in _FORMAT_FIELDS if all(field in row for field in fields)]
    if len(found) > 1:
        return Problem("format", f"has both {found[0]} and {found[1]}", "keep one of the two")
    if "conversations" in row:
        return Problem("format", "a ShareGPT row (`conversations`)", "use `mistraltune data convert`")
    for kind, (first, second) in (("an instruct", _INSTRUCT), ("a prompt-completion", _PROMPT_COMPLETION)):
        if first in row or second in row:
            missing = second if first in row else first
            return Problem("format", f"`{missing}` is missing", f"{kind} row has `{first}` and `{second}`")
    shown = ", ".join(map(excerpt, list(row)[:8])) or "no fields"
    return Problem("format", f"neither `messages` nor `instruction`/`output` nor `prompt`/`completion`, but {shown}")


def references_problems(references: Json) -> list[Problem]:
    """Problems of the further accepted answers."""
    if isinstance(references, list) and all(isinstance(text, str) and text for text in references):
        return []
    return [Problem("references", "`references` must be a list of texts that are not empty")]


def instruct_problems(row: dict[str, Any]) -> list[Problem]:
    """Problems of an `instruction`/`input`/`output` row."""
    problems = [
        Problem("content", f"`{key}` must be text, not {type_name(row[key])}")
        for key in ("instruction", "output")
        if not isinstance(row[key], str)
    ]
    extra = row.get("input")
    if not isinstance(extra, str | None):
        problems.append(Problem("content", f"`input` must be text, not {type_name(extra)}"))
    if row["output"] == "":
        problems.append(Problem("content", "`output` is empty: nothing to train on"))
    if row["instruction"] == "" and not extra:
        problems.append(Problem("content", "`instruction` and `input` are empty: nothing is asked"))
    return problems


def ignored_field_problems(row: dict[str, Any]) -> list[Problem]:
    """Warnings about row fields whose loss would surprise."""
    found = row_format(row)
    hint = "`mistraltune data convert` moves it to where it is read"
    return [
        Problem("ignored-field", f"`{key}` is not read in {found} rows", hint, is_error=False)
        for key in (_IGNORED_FIELDS[found] if found else ())
        if row.get(key)
    ]


def parse_row(row: dict[str, Any], source: str = "") -> Conversation:
    """The conversation that a checked row stands for.

    An instruct row is one user message (instruction, empty line, input) and its answer; a prompt and its completion are
    one conversation, of which the completion is trained.

    Args:
        row: A row without errors.
        source: `file:line`, for error messages.
    """
    tools = row.get("tools") or ()
    match row_format(row):
        case "instruct":
            tools = ()
            question = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
            messages = joined_messages(question, row["output"])
        case "prompt-completion":
            messages = joined_messages(row["prompt"], row["completion"])
        case _:
            messages = row["messages"]
    return Conversation(
        messages=tuple(map(parse_message, messages)),
        tools=tuple(map(parse_tool, tools)),
        references=tuple(row.get("references") or ()),
        source=source,
    )


def parse_message(message: dict[str, Any]) -> Message:
    """One message of a checked row."""
    weight = message.get("weight")
    return Message(
        role=message["role"],
        content=join_chunks(message.get("content")),
        tool_calls=tuple(map(parse_call, message.get("tool_calls") or ())),
        tool_call_id=message.get("tool_call_id") or "",
        name=message.get("name") or "",
        weight=1 if weight is None else int(weight),
    )


def parse_call(call: dict[str, Any]) -> ToolCall:
    """One tool call of a checked row."""
    call_id = call.get("id")
    arguments = call["function"].get("arguments")
    return ToolCall(
        id="" if call_id in (None, NO_CALL_ID) else call_id,
        name=call["function"]["name"],
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False),
    )


def parse_tool(tool: dict[str, Any]) -> dict[str, Any]:
    """One tool definition of a checked row, without fields that are null."""
    function = {key: value for key, value in tool["function"].items() if value is not None}
    return {"type": "function", "function": function}
