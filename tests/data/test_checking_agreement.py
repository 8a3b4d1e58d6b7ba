"""Verdicts on rows, held against those of mistral-common and of jsonschema."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from raw_rows import ANSWER, CALL, CALLING, RESULT, TOOL, USER, changed, chat, rules

from mistraltune.data.checking import row_problems
from mistraltune.data.tool_rules import is_plain_schema

VALUES = st.sampled_from(
    [
        None,
        "",
        "text",
        "null",
        "abcdefgh1",
        "abcdefgh1\n",
        "a b",
        "function",
        "user",
        "assistant",
        "tool",
        "system",
        '{"a": 1}',
        "{",
        0,
        1,
        1.0,
        0.5,
        True,
        False,
        [],
        {},
        {"a": 1},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "objekt"},
        [{"type": "text", "text": "a"}],
        [{"type": "text", "text": ""}],
        [{"type": "text"}],
        [{"type": "image_url", "image_url": "https://example.com/a.png"}],
        [CALL],
        [CALL, CALL],
        [TOOL],
    ]
)


KEYS = st.sampled_from(
    [
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "name",
        "weight",
        "prefix",
        "id",
        "type",
        "function",
        "arguments",
        "parameters",
        "description",
        "strict",
        "extra",
        "text",
    ]
)


TURNS = st.sampled_from(
    [
        [USER, ANSWER],
        [USER, CALLING, RESULT, ANSWER],
        [USER, changed(CALLING, tool_calls=[CALL, CALL]), RESULT, RESULT, ANSWER],
        [USER, changed(ANSWER, weight=0)],
        [USER, CALLING],
        [ANSWER],
        [RESULT],
        [{"role": "system", "content": "s"}],
        [USER],
    ]
)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    messages = [message for turn in draw(st.lists(TURNS, max_size=4)) for message in turn]
    row = copy.deepcopy({"messages": messages, "tools": draw(st.sampled_from([None, [], [TOOL], [TOOL, TOOL]]))})
    for _ in range(draw(st.integers(0, 2))):
        objects = list(objects_in(row["messages"])) + list(objects_in(row["tools"]))
        if objects:
            target = draw(st.sampled_from(objects))
            key = draw(KEYS)
            if draw(st.booleans()):
                target[key] = copy.deepcopy(draw(VALUES))
            else:
                target.pop(key, None)
    return row


def objects_in(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects_in(inner)
    if isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)


def without_nulls(value: Any) -> Any:
    """The row as a laxer reader sees it: null is absent, and absent arguments are an empty object."""
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: inner if key == "parameters" else without_nulls(inner)  # in a schema null is a value
        for key, inner in value.items()
        if inner is not None
    }
    if isinstance(kept.get("function"), dict) and "parameters" not in kept["function"]:
        kept["function"].setdefault("arguments", {})
    return kept


def mistral_common_accepts(row: dict[str, Any]) -> bool:
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.messages import FinetuningMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import MistralRequestValidatorV3, ValidationMode
    from pydantic import ValidationError

    try:
        request = ChatCompletionRequest[FinetuningMessage].model_validate(without_nulls(row))
        MistralRequestValidatorV3(mode=ValidationMode.finetuning).validate_request(request)
    except (ValidationError, MistralCommonException):
        return False
    return True


STRICTER = {"tool-arguments", "content-type", "weight", "prefix"}


def is_stricter_on_purpose(row: dict[str, Any]) -> bool:
    """Whether one of the documented differences is among the errors of a row."""
    return any(
        problem.rule in STRICTER
        or (problem.rule == "order" and problem.message.startswith("messages[0]"))
        or (problem.rule == "content" and "neither content nor tool_calls" in problem.message)
        or (problem.rule in ("tool-call-id", "tool-name") and r"\n" in problem.message)
        or (problem.rule == "tools" and ".strict must be" in problem.message)
        for problem in row_problems(row)
        if problem.is_error
    )


@settings(max_examples=1500, deadline=None)
@given(rows())
def test_verdicts_equal_those_of_mistral_common(row: dict[str, Any]):
    is_accepted = not rules(row)
    if is_accepted != mistral_common_accepts(row):
        assert not is_accepted
        assert is_stricter_on_purpose(row)


def test_both_verdicts_occur_in_the_comparison():
    good = chat(USER, CALLING, RESULT, ANSWER, tools=[TOOL])
    assert mistral_common_accepts(good)
    assert not mistral_common_accepts(chat(USER, CALLING, USER, ANSWER))


SCHEMAS = st.recursive(
    VALUES | st.sampled_from(["object", "string", ["a"], ["a", "a"], ["string", "null"]]),
    lambda inner: st.dictionaries(
        st.sampled_from(["type", "properties", "items", "required", "enum", "description", "title", "default", "$ref"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)


@settings(max_examples=1000, deadline=None)
@given(SCHEMAS)
def test_a_schema_taken_for_valid_at_first_sight_is_valid(schema: Any):
    import jsonschema

    if is_plain_schema(schema):
        jsonschema.Draft7Validator.check_schema(schema)
