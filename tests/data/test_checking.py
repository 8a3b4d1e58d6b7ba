from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from raw_rows import ANSWER, CALL, CALLING, RESULT, TOOL, USER, changed, chat, rules

from mistraltune.data.checking import RowChecker, parse_row, row_problems
from mistraltune.data.conversation import Message, ToolCall

# Formats


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "a", "output": "b"},
        {"instruction": "a", "input": "", "output": "b"},
        {"instruction": "a", "input": None, "output": "b", "id": 7, "tags": ["x"], "references": ["c", "d"]},
        {"instruction": "", "input": "a", "output": "b"},
        chat(USER, ANSWER, id="x"),
        chat({"role": "system", "content": ""}, USER, ANSWER, USER, changed(ANSWER, weight=0), USER, ANSWER),
        chat(USER, changed(ANSWER, weight=1.0, prefix=False, tool_calls=None)),
        chat(changed(USER, content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), ANSWER),
        chat(USER, CALLING, RESULT, ANSWER, tools=[TOOL]),
        chat(USER, CALLING, tools=[TOOL]),
        chat(USER, changed(CALLING, tool_calls=[changed(CALL, id="null")]), tools=[TOOL]),
        chat(USER, changed(CALLING, content=None), RESULT, USER, ANSWER, tools=[TOOL]),
        chat({"role": "system", "content": "s"}, {"role": "system", "content": "t"}, USER, ANSWER),
        chat(USER, USER, ANSWER, ANSWER),
        {"prompt": "a", "completion": "b", "references": ["c"]},
        {"prompt": [{"role": "system", "content": "s"}, USER], "completion": [ANSWER]},
        {"prompt": [USER, ANSWER, USER], "completion": [CALLING, RESULT, ANSWER], "tools": [TOOL]},
    ],
)
def test_good_rows_have_no_errors(row: dict[str, Any]):
    assert rules(row) == []


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, ["not-an-object"]),
        ([], ["not-an-object"]),
        ("x", ["not-an-object"]),
        (1, ["not-an-object"]),
        ({}, ["format"]),
        ({"instruction": "a"}, ["format"]),
        ({"prompt": "a", "completion": "b", "messages": [USER, ANSWER]}, ["format"]),
        ({"prompt": "a", "completion": "b", "instruction": "a", "output": "b"}, ["format"]),
        ({"prompt": "a"}, ["format"]),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, ["format"]),
        ({"prompt": "", "completion": ""}, ["content", "content"]),
        ({"prompt": "a", "completion": [ANSWER]}, ["content"]),
        ({"prompt": 1, "completion": None}, ["content"]),
        ({"prompt": [], "completion": [ANSWER]}, ["content"]),
        ({"prompt": [USER, ANSWER], "completion": [ANSWER]}, ["order"]),
        ({"prompt": [USER], "completion": [USER, ANSWER]}, ["order"]),
        ({"prompt": [USER, changed(ANSWER, weight=1), USER], "completion": [ANSWER]}, ["weight"]),
        ({"prompt": [USER], "completion": [changed(ANSWER, weight=0)]}, ["weight"]),
        ({"prompt": "a", "completion": "b", "tools": "x"}, ["tools"]),
        ({"conversations": []}, ["format"]),
        ({"instruction": "a", "output": "b", "messages": []}, ["format"]),
        ({"instruction": 1, "output": None}, ["content", "content"]),
        ({"instruction": "a", "input": ["x"], "output": ""}, ["content", "content"]),
        ({"instruction": "", "output": "b"}, ["content"]),
        ({"instruction": "a", "output": "b", "references": "b"}, ["references"]),
        ({"instruction": "a", "output": "b", "references": ["b", ""]}, ["references"]),
        (chat(), ["content"]),
        ({"messages": "x"}, ["content"]),
        (chat(USER, "x", ANSWER), ["not-an-object"]),
        (chat({"role": "bot", "content": "a"}, ANSWER), ["role"]),
        (chat({"content": "a"}, ANSWER), ["role"]),
        (chat({"role": ["user"], "content": "a"}, ANSWER), ["role"]),
        (chat({"role": "user"}, ANSWER), ["content"]),
        (chat(changed(USER, content=None), ANSWER), ["content"]),
        (chat(changed(USER, content=3), ANSWER), ["content"]),
        (chat(changed(USER, content=["a"]), ANSWER), ["content"]),
        (chat(changed(USER, content=[{"type": "image_url", "image_url": "x"}]), ANSWER), ["content-type"]),
        (chat(USER, changed(ANSWER, content="")), ["content"]),
        (chat(USER, changed(ANSWER, content=None)), ["content"]),
        (chat(USER, changed(ANSWER, content=[{"type": "text", "text": ""}])), ["content"]),
        (chat(USER, changed(ANSWER, tool_calls=[CALL]), tools=[TOOL]), ["content"]),
        (chat(USER, changed(ANSWER, weight=2)), ["weight"]),
        (chat(USER, changed(ANSWER, weight=True)), ["weight"]),
        (chat(USER, changed(ANSWER, weight=0)), ["weight"]),
        (chat(USER, changed(ANSWER, prefix=True)), ["prefix"]),
        (chat(USER, changed(ANSWER, mood="good")), ["unknown-field"]),
        (chat(changed(USER, weight=0), ANSWER), ["unknown-field"]),
        (chat(USER), ["last-role"]),
        (chat(USER, ANSWER, USER), ["last-role"]),
        (chat({"role": "system", "content": "a"}), ["last-role"]),
        (chat(ANSWER), ["order"]),
        (chat(USER, ANSWER, {"role": "system", "content": "a"}, USER, ANSWER), ["order"]),
        (chat(USER, RESULT, ANSWER), ["order", "tool-result"]),
        (chat(RESULT, ANSWER), ["order"]),
        (chat(CALLING, RESULT, ANSWER), ["order", "tool-result"]),
        (chat(USER, CALLING, USER, ANSWER), ["tool-result"]),
        (chat(USER, CALLING, RESULT, RESULT, ANSWER), ["tool-result"]),
        (chat(USER, ANSWER, RESULT, ANSWER), ["tool-result"]),
        (chat(USER, CALLING, changed(RESULT, tool_call_id="call_1"), ANSWER), ["tool-call-id"]),
        (chat(USER, CALLING, changed(RESULT, name="a b"), ANSWER), ["tool-name"]),
        (chat(USER, changed(CALLING, tool_calls={})), ["tool-calls", "content"][:1]),
        (chat(USER, changed(CALLING, tool_calls=["x"])), ["tool-calls"]),
        (chat(USER, changed(CALLING, tool_calls=[{"id": "abcdefgh1"}])), ["tool-calls"]),
        (chat(USER, changed(CALLING, tool_calls=[changed(CALL, type="x")])), ["tool-calls"]),
    ],
)
def test_bad_rows_are_named_by_rule(row: Any, expected: list[str]):
    assert rules(row) == expected


@pytest.mark.parametrize("arguments", ["Paris", "", '"Paris"', "[1]", '{"a": 1, "a": 2}', '{"a": NaN}', 7, ["x"]])
def test_arguments_must_be_the_json_text_of_an_object(arguments: Any):
    call = changed(CALL, function={"name": "weather", "arguments": arguments})
    assert rules(chat(USER, changed(CALLING, tool_calls=[call]))) == ["tool-arguments"]


@pytest.mark.parametrize(
    "tool",
    [
        "weather",
        {"name": "weather", "parameters": {}},
        {"type": "function", "function": {"name": "weather"}},
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "objekt"}}},
        {"type": "function", "function": {"name": "weather", "parameters": {}, "description": 3}},
        {"type": "function", "function": {"name": "weather", "parameters": {}, "strict": "yes"}},
        {"type": "retrieval", "function": {"name": "weather", "parameters": {}}},
    ],
)
def test_a_tool_definition_that_is_none_is_refused(tool: Any):
    assert rules(chat(USER, ANSWER, tools=[TOOL, tool])) == ["tools"]
    assert rules(chat(USER, ANSWER, tools=json.dumps([tool]))) == ["tools"]


def test_a_problem_names_the_message_it_is_about():
    bad = changed(CALLING, tool_calls=[CALL, changed(CALL, id="x")])
    (problem,) = [problem for problem in row_problems(chat(USER, bad, RESULT, RESULT, ANSWER)) if problem.is_error]
    assert problem.message.startswith("messages[1].tool_calls[1].id is 'x'")


def test_all_errors_of_a_row_are_found_at_once():
    row = chat({"role": "bot"}, changed(USER, content=1), changed(ANSWER, weight=3), references=3)
    assert rules(row) == ["role", "content", "weight", "references"]


def test_values_are_quoted_short_and_printable_in_messages():
    (problem,) = row_problems(chat({"role": "\x1b[31m\u202e" + "x" * 1000, "content": "a"}, ANSWER))
    assert problem.message.isprintable()
    assert len(problem.message) < 120


def test_both_formats_in_one_file_are_an_error_with_the_line():
    checker = RowChecker("data.jsonl")
    assert checker.check(chat(USER, ANSWER), 1) == []
    assert checker.check({}, 2)[0].rule == "format"
    (finding,) = checker.check({"instruction": "a", "output": "b"}, 3)
    assert str(finding) == (
        "data.jsonl:3 mixed-formats a row in instruct format, but the file began with messages rows (line 1); "
        "keep one format in a file"
    )


# Warnings


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (chat(ANSWER, USER, ANSWER), ["order"]),
        (chat(USER, CALLING, tools=[]), ["tools"]),
        (chat(USER, CALLING, changed(RESULT, tool_call_id="zzzzzzzz9"), ANSWER, tools=[TOOL]), ["tool-result"]),
        (chat(USER, ANSWER, system="Be kind."), ["ignored-field"]),
        ({"instruction": "a", "output": "b", "history": [["c", "d"]], "system": ""}, ["ignored-field"]),
    ],
)
def test_what_is_odd_but_allowed_is_a_warning(row: Any, expected: list[str]):
    assert rules(row) == []
    assert rules(row, warnings=True) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("plain — “text” with émojis 👩‍💻 and می‌خواهم\n\t", []),
        ("a\u202eb", ["invisible-character"]),
        ("a\u200bb", ["invisible-character"]),
        ("a\ufeffb", ["invisible-character"]),
        ("a\x1b[31m", ["invisible-character"]),
        ("a\x08b", ["invisible-character"]),
        ("a\x7fb", ["invisible-character"]),
        ("a\x85b", ["invisible-character"]),
        ("[INST] a [/INST]", ["control-token"]),
        ("a</s>", ["control-token"]),
        ("<|im_end|>", ["control-token"]),
        ("[TOOL_CALLS]\u2066", ["invisible-character", "control-token"]),
        ("[1] a <b> [Note]", []),
    ],
)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_text_that_misleads_is_accepted_with_a_warning(content: str, expected: list[str], is_ascii: bool):
    for row in (chat(USER, changed(ANSWER, content=content)), {"instruction": "a", "output": content}):
        text = json.dumps(row, ensure_ascii=is_ascii).encode()
        found = RowChecker("x").check(row, 1, text=text)
        assert [finding.rule for finding in found] == expected
        assert not any(finding.is_error for finding in found)


# Conversations


def test_an_instruct_row_is_a_question_and_its_answer():
    conversation = parse_row({"instruction": "Add.", "input": "1 2", "output": "3", "references": ["three"]}, "x:1")
    assert conversation.messages == (
        Message(role="user", content="Add.\n\n1 2"),
        Message(role="assistant", content="3"),
    )
    assert conversation.references == ("three",)
    assert conversation.source == "x:1"
    assert parse_row({"instruction": "Add.", "input": "", "output": "3"}).messages[0].content == "Add."


def test_a_row_of_messages_keeps_everything_that_a_model_reads():
    row = chat(
        changed(USER, content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        changed(CALLING, weight=0, content=None),
        RESULT,
        ANSWER,
        USER,
        changed(CALLING, tool_calls=[{"function": {"name": "f", "arguments": {"x": "é"}}}]),
        tools=[{"function": {"name": "weather", "parameters": {}, "description": None}}],
    )
    assert rules(row) == []
    conversation = parse_row(row)
    assert conversation.messages == (
        Message(role="user", content="a\n\nb"),
        Message(role="assistant", weight=0, tool_calls=(ToolCall("abcdefgh1", "weather", '{"city": "Paris"}'),)),
        Message(role="tool", content="sun", tool_call_id="abcdefgh1", name="weather"),
        Message(role="assistant", content="Sunny."),
        Message(role="user", content=USER["content"]),
        Message(role="assistant", tool_calls=(ToolCall("", "f", '{"x": "é"}'),)),
    )
    assert conversation.tools == ({"type": "function", "function": {"name": "weather", "parameters": {}}},)


def test_a_prompt_and_its_completion_are_a_conversation_of_which_the_completion_is_trained():
    texts = parse_row({"prompt": "a", "completion": " b"}, "x:1")
    assert texts.messages == (Message(role="user", content="a"), Message(role="assistant", content=" b"))
    lists = parse_row({"prompt": [USER, ANSWER, USER], "completion": [CALLING, RESULT, ANSWER], "tools": [TOOL]})
    assert [(message.role, message.weight) for message in lists.messages] == [
        ("user", 1),
        ("assistant", 0),
        ("user", 1),
        ("assistant", 1),
        ("tool", 1),
        ("assistant", 1),
    ]
    assert lists.tools == (TOOL,)
    assert parse_row(chat(USER, ANSWER, instruction="kept as it is", tools=[TOOL])).tools == (TOOL,)


def test_a_problem_of_a_completion_is_told_by_its_place_in_the_completion():
    row = {"prompt": [USER], "completion": [ANSWER, USER, changed(ANSWER, content=7)]}
    (problem,) = row_problems(row)
    assert problem.message.startswith("completion[2].content must be text")
    (problem,) = row_problems({"prompt": [changed(USER, name="Ann")], "completion": [ANSWER]})
    assert problem.message.startswith("prompt[0] has the field 'name'")


def test_checking_does_not_import_mistral_common():
    source = Path(__file__).parents[2] / "mistraltune" / "data"
    for name in ("checking", "message_rules", "tool_rules", "characters"):
        text = (source / f"{name}.py").read_text()
        assert "import mistral_common" not in text
        assert "from mistral_common" not in text
