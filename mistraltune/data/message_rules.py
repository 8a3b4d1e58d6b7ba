"""The rules that the messages of a row must keep.

They are those of mistral-common's `MistralRequestValidatorV3` in finetuning mode, written out here because importing
mistral-common takes half a second, and pydantic would halve the speed of a check. Where the two differ on purpose:

Stricter, because the row would train something else than its author meant:
    tool-call arguments must be the JSON text of an object; a conversation opens neither with a tool result nor with
    tool calls; at least one assistant message must train; an assistant's text chunks must not all be empty; names and
    ids must match to their last character (`$` lets a newline pass); weights are the numbers 0 and 1, not `true` or
    `"1"`; content is text, so that images and other chunks are refused.
Laxer, because nothing is lost:
    a field that is `null` counts as absent (exporters write every optional field as null), absent arguments as `{}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from mistraltune.data.conversation import ROLES
from mistraltune.data.findings import Problem, excerpt, type_name, unknown_fields
from mistraltune.data.strict_json import Json
from mistraltune.data.tool_rules import tool_call_problems, tool_result_problems, tools_problems, undeclared_tools

CHUNK_SEPARATOR = "\n\n"  # what mistral-common puts between the text chunks of one message

_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "weight", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
_FOLLOWERS = {
    "system": {"user", "assistant", "system"},
    "user": {"assistant", "system", "user"},
    "assistant": {"assistant", "user", "tool"},
    "tool": {"assistant", "tool", "user"},
}


def messages_problems(messages: Json, tools: Json) -> list[Problem]:
    """Problems of a row's `messages` and `tools`."""
    if not isinstance(messages, list):
        return [Problem("content", f"`messages` must be a list, not {type_name(messages)}")]
    if not messages:
        return [Problem("content", "`messages` is empty")]
    last = len(messages) - 1
    special = [index for index, message in enumerate(messages) if not is_plain_message(message)]
    problems: list[Problem] = []
    for index in special:
        problems += message_problems(messages[index], f"messages[{index}]", is_last=index == last)
    if all(isinstance(message, dict) and message.get("role") in ROLES for message in messages):
        problems += order_problems(tuple(message["role"] for message in messages))
        problems += tool_flow_problems(messages) if special else ()
    if tools is not None:
        problems += tools_problems(tools)
    if special and not any(problem.is_error for problem in problems):
        problems += training_problems(messages)
        problems += undeclared_tools(messages, tools or [])
    return problems


def is_plain_message(message: Json) -> bool:
    """Whether a message is a role and some text and nothing else: most are, and need no closer look."""
    return (
        type(message) is dict
        and len(message) == 2
        and type(message.get("content")) is str
        and message["content"] != ""
        and message.get("role") in ("user", "assistant", "system")
    )


def message_problems(message: Json, where: str, *, is_last: bool) -> list[Problem]:
    """Problems of one message, wherever it stands in its conversation."""
    if not isinstance(message, dict):
        return [Problem("not-an-object", f"{where} must be an object, not {type_name(message)}")]
    role = message.get("role")
    if not isinstance(role, str) or role not in _FIELDS:
        return [Problem("role", f"{where} has the role {excerpt(role)}", f"roles are {', '.join(ROLES)}")]
    problems = unknown_fields(message, _FIELDS[role], where)
    problems += content_problems(message.get("content"), where, may_be_missing=role == "assistant")
    if role == "assistant":
        problems += assistant_problems(message, where, is_last=is_last)
    if role == "tool":
        problems += tool_result_problems(message, where)
    return problems


def content_problems(content: Json, where: str, *, may_be_missing: bool) -> list[Problem]:
    """Problems of a content field: a text or a list of text chunks."""
    if isinstance(content, str) or (content is None and may_be_missing):
        return []
    if not isinstance(content, list):
        return [Problem("content", f"{where}.content must be text, not {type_name(content)}")]
    problems: list[Problem] = []
    for index, chunk in enumerate(content):
        problems += chunk_problems(chunk, f"{where}.content[{index}]")
    return problems


def chunk_problems(chunk: Json, where: str) -> list[Problem]:
    """Problems of one content chunk; only text is trained on."""
    if not isinstance(chunk, dict):
        return [Problem("content", f"{where} must be an object, not {type_name(chunk)}")]
    if chunk.get("type") != "text":
        found = f"{where} has the type {excerpt(chunk.get('type'))}"
        return [Problem("content-type", f"{found}, and only text is trained on", "keep `text` chunks")]
    if not isinstance(chunk.get("text"), str):
        return [Problem("content", f"{where}.text must be text, not {type_name(chunk.get('text'))}")]
    return unknown_fields(chunk, {"type", "text"}, where)


def assistant_problems(message: dict[str, Any], where: str, *, is_last: bool) -> list[Problem]:
    """Problems that only an assistant message can have."""
    content, calls = message.get("content"), message.get("tool_calls")
    problems: list[Problem] = []
    if calls is not None and not isinstance(calls, list):
        problems.append(Problem("tool-calls", f"{where}.tool_calls must be a list, not {type_name(calls)}"))
    elif content and calls:
        hint = "write two assistant messages or drop one of the two"
        problems.append(Problem("content", f"{where} has both content and tool_calls", hint))
    elif not calls and not has_text(content):
        problems.append(Problem("content", f"{where} has neither content nor tool_calls"))
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        problems += tool_call_problems(call, f"{where}.tool_calls[{index}]", is_last=is_last)
    weight = message.get("weight")
    if weight is not None and (isinstance(weight, bool) or weight not in (0, 1)):
        problems.append(Problem("weight", f"{where}.weight is {excerpt(weight)}", "0 leaves it out, 1 trains it"))
    if message.get("prefix") not in (None, False):
        problems.append(Problem("prefix", f"{where}.prefix is set, but a row holds whole answers", "remove it"))
    return problems


def has_text(content: Json) -> bool:
    """Whether a content holds any text; True also for chunks that are wrong otherwise."""
    if not isinstance(content, list):
        return bool(content)
    return any(not isinstance(chunk, dict) or chunk.get("text") != "" for chunk in content)


def join_chunks(content: str | list[Any] | None) -> str:
    """A content's text, whether it stands there whole or in chunks."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    texts = (chunk.get("text") for chunk in content if isinstance(chunk, dict))
    return CHUNK_SEPARATOR.join(text for text in texts if isinstance(text, str) and text)


# The order of messages


@lru_cache(maxsize=4096)
def order_problems(roles: tuple[str, ...]) -> tuple[Problem, ...]:
    """Problems of the order of roles; few orders make up a data set, hence the cache."""
    return tuple(_order_problems(roles))


def _order_problems(roles: tuple[str, ...]) -> Iterator[Problem]:
    if roles[0] == "tool" or roles == ("assistant",):
        yield Problem("order", f"messages[0] has the role {roles[0]}", "start with a user or a system message")
    elif roles[0] == "assistant":
        message = "messages[0] has the role assistant: mistral-common puts an empty user message before it"
        yield Problem("order", message, "start with a user or a system message", is_error=False)
    for index, (before, role) in enumerate(pairwise(roles), start=1):
        if role not in _FOLLOWERS[before]:
            yield Problem("order", f"messages[{index}] has the role {role}, which cannot follow {before}")
    if roles[-1] != "assistant":
        message = f"the last message has the role {roles[-1]}, so there is no answer to train on"
        yield Problem("last-role", message, "end with an assistant message")


def tool_flow_problems(messages: list[dict[str, Any]]) -> list[Problem]:
    """Problems between tool calls and their results.

    Calls must be answered before the assistant speaks again, by exactly as many results. That a result names a call
    that was made is checked too, but only warned about: tokenizers before v11 do not look at it.
    """
    problems: list[Problem] = []
    call_ids: list[Any] = []
    num_open = 0
    for index, message in enumerate(messages):
        if message["role"] == "tool" and index:
            num_open -= 1
            problems += _unmatched_result(message, call_ids, f"messages[{index}]")
        if message["role"] != "assistant":
            continue
        calls = message.get("tool_calls")
        call_ids = [call.get("id") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
        if index == 0 and calls:
            problems.append(Problem("order", "messages[0] calls tools before anything is asked"))
        elif num_open:
            problems.append(_result_count_problem(index, num_open))
        num_open = len(call_ids) if index else 0
    return problems


def _result_count_problem(index: int, num_open: int) -> Problem:
    what = f"{num_open} of the tool calls before it have no result" if num_open > 0 else "more results than tool calls"
    hint = "answer every call with one tool message before the assistant speaks again"
    return Problem("tool-result", f"before messages[{index}]: {what}", hint)


def _unmatched_result(message: dict[str, Any], call_ids: list[Any], where: str) -> list[Problem]:
    call_id = message.get("tool_call_id")
    if not call_ids or call_id in call_ids or not isinstance(call_id, str):
        return []
    found = f"{where}.tool_call_id {excerpt(call_id)} names none of the calls before it"
    return [Problem("tool-result", found, "tokenizers from v11 on refuse it", is_error=False)]


def training_problems(messages: list[dict[str, Any]]) -> list[Problem]:
    """An error where every assistant message is weighed 0."""
    if any(message["role"] == "assistant" and message.get("weight") != 0 for message in messages):
        return []
    return [Problem("weight", "every assistant message has weight 0, so nothing is trained", "drop the row")]
