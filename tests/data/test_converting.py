from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.converting import convert_file
from mistraltune.data.reshaping import make_call_id, to_messages
from mistraltune.data.validating import check_files
from mistraltune.errors import ConfigError, DataError

INSTRUCT = Path(__file__).parents[2].parent / "shared" / "data" / "instruct"

needs_instruct = pytest.mark.skipif(not INSTRUCT.is_dir(), reason="the demo data (shared/data/instruct) is not here")

QUESTION = {"from": "human", "value": "Weather in Paris and Rome?"}
ANSWER = {"from": "gpt", "value": "Sunny."}
TOOL = {"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object", "properties": {}}}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def converted(tmp_path: Path, *rows: Any, to: Any = "messages") -> list[dict[str, Any]]:
    source = write(tmp_path / "in.jsonl", *rows)
    target = tmp_path / "out.jsonl"
    convert_file(source, target, to=to, replace=True)
    assert check_files([target]).num_errors == 0
    return read(target)


def refused(tmp_path: Path, *rows: Any, to: Any = "messages") -> list[str]:
    source = write(tmp_path / "in.jsonl", *rows)
    with pytest.raises(DataError) as caught:
        convert_file(source, tmp_path / "out.jsonl", to=to)
    assert not (tmp_path / "out.jsonl").exists()
    return [finding["message"] for finding in caught.value.details["findings"]]


@needs_instruct
@pytest.mark.parametrize(
    ("name", "to", "num_rows", "num_tool_calls"),
    [
        ("alpaca_en_demo.json", "messages", 999, 0),
        ("alpaca_en_demo.json", "instruct", 999, 0),
        ("glaive_toolcall_en_demo.json", "messages", 300, 211),
    ],
)
def test_every_row_of_the_demo_data_converts_and_validates(
    tmp_path: Path, name: str, to: Any, num_rows: int, num_tool_calls: int
):
    target = tmp_path / "out.jsonl"
    done = convert_file(INSTRUCT / name, target, to=to)
    assert (done.num_rows, done.num_tool_calls) == (num_rows, num_tool_calls)
    report = check_files([target])
    assert (report.num_errors, report.files[0].num_rows) == (0, num_rows)
    assert {finding.rule for finding in report.findings} <= {"duplicate"}


@needs_instruct
def test_what_the_demo_data_says_survives_word_for_word(tmp_path: Path):
    target = tmp_path / "out.jsonl"
    convert_file(INSTRUCT / "glaive_toolcall_en_demo.json", target)
    originals = json.loads((INSTRUCT / "glaive_toolcall_en_demo.json").read_text())
    for original, conversation in zip(originals, ConversationFile.open(target), strict=True):
        spoken = [turn["value"] for turn in original["conversations"] if turn["from"] != "function_call"]
        assert [message.content for message in conversation.messages if not message.tool_calls] == spoken
        made = [json.loads(turn["value"]) for turn in original["conversations"] if turn["from"] == "function_call"]
        calls = [call for message in conversation.messages for call in message.tool_calls]
        assert [{"name": call.name, "arguments": json.loads(call.arguments)} for call in calls] == made
        assert [tool["function"]["name"] for tool in conversation.tools] == [
            tool["name"] for tool in json.loads(original["tools"])
        ]


def test_an_instruct_row_becomes_messages_and_keeps_its_other_fields(tmp_path: Path):
    row = {"instruction": "Add.", "input": "1 2", "output": "3", "id": 7, "references": ["three"]}
    assert converted(tmp_path, row) == [
        {
            "messages": [{"role": "user", "content": "Add.\n\n1 2"}, {"role": "assistant", "content": "3"}],
            "id": 7,
            "references": ["three"],
        }
    ]


def test_a_prompt_and_its_completion_become_messages(tmp_path: Path):
    user, assistant = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    rows = [
        {"prompt": "a", "completion": "b", "id": 1},
        {"prompt": [user, assistant, user], "completion": [assistant]},
    ]
    assert converted(tmp_path, *rows) == [
        {"messages": [user, assistant], "id": 1},
        {"messages": [user, {**assistant, "weight": 0}, user, assistant]},
    ]


def test_system_and_history_of_an_instruct_row_become_messages(tmp_path: Path):
    row = {"instruction": "c", "input": "", "output": "d", "system": "s", "history": [["a", "b"]]}
    (result,) = converted(tmp_path, row)
    assert [(message["role"], message["content"]) for message in result["messages"]] == [
        ("system", "s"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
        ("assistant", "d"),
    ]


def test_sharegpt_roles_become_ours(tmp_path: Path):
    turns = [
        {"from": "system", "value": "s"},
        {"from": "user", "value": "a"},
        {"from": "assistant", "value": "b", "weight": 0},
        {"role": "human", "content": "c"},
        {"role": "gpt", "content": "d"},
    ]
    (result,) = converted(tmp_path, {"conversations": turns, "tools": "", "tags": ["x"]})
    assert [message["role"] for message in result["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert result["messages"][2]["weight"] == 0
    assert result["tags"] == ["x"]


def test_parallel_calls_are_answered_in_order_with_matching_ids_and_names(tmp_path: Path):
    calls = [{"name": "weather", "arguments": {"city": "Pâris"}}, {"name": "news", "arguments": '{"city": "Rome"}'}]
    turns = [
        QUESTION,
        {"from": "function_call", "value": json.dumps(calls)},
        {"from": "observation", "value": '{"sun": 1}'},
        {"from": "tool", "value": "rain"},
        ANSWER,
    ]
    rows = [{"conversations": turns, "tools": [TOOL, {**TOOL, "name": "news"}]}] * 2
    first, second = converted(tmp_path, *rows)
    made = first["messages"][1]["tool_calls"]
    assert [call["function"] for call in made] == [
        {"name": "weather", "arguments": '{"city": "Pâris"}'},
        {"name": "news", "arguments": '{"city": "Rome"}'},
    ]
    results = first["messages"][2:4]
    assert [(result["tool_call_id"], result["name"]) for result in results] == [
        (made[0]["id"], "weather"),
        (made[1]["id"], "news"),
    ]
    assert made[0]["id"] == make_call_id(1, 0) != make_call_id(1, 1)
    assert second["messages"][1]["tool_calls"][0]["id"] == make_call_id(2, 0)
    assert first["tools"][0] == {"type": "function", "function": TOOL}


def test_ids_that_other_services_make_are_replaced_and_results_still_find_their_calls(tmp_path: Path):
    calls = [
        {"id": f"call_{city}_0123456789", "type": "function", "function": {"name": city, "arguments": "{}"}}
        for city in ("Paris", "Rome")
    ]
    messages = [
        {"role": "user", "content": "a", "name": None},
        {"role": "assistant", "content": "", "tool_calls": calls, "function_call": None},
        {"role": "tool", "content": "rain", "tool_call_id": "call_Rome_0123456789"},
        {"role": "tool", "content": "sun", "tool_call_id": "call_Paris_0123456789"},
        {"role": "assistant", "content": "b"},
    ]
    (result,) = converted(tmp_path, {"messages": messages})
    ids = [call["id"] for call in result["messages"][1]["tool_calls"]]
    assert [message["tool_call_id"] for message in result["messages"][2:4]] == [ids[1], ids[0]]
    assert [message["name"] for message in result["messages"][2:4]] == ["Rome", "Paris"]


def test_good_rows_of_messages_stay_as_they_are(tmp_path: Path):
    call = {"id": "abcdefgh1", "type": "function", "function": {"name": "weather", "arguments": '{"a":  1}'}}
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "b", "tool_call_id": "abcdefgh1", "name": "weather"},
            {"role": "assistant", "content": "c", "weight": 1},
        ],
        "tools": [{"type": "function", "function": TOOL}],
        "id": "x",
    }
    assert converted(tmp_path, row) == [row]


def test_openais_old_function_calls_become_tool_calls(tmp_path: Path):
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city": "Rome"}'}},
        {"role": "function", "name": "weather", "content": "rain"},
        {"role": "assistant", "content": "b"},
    ]
    (result,) = converted(tmp_path, {"messages": messages, "functions": [TOOL]})
    assert result["messages"][1]["tool_calls"][0]["function"]["name"] == "weather"
    assert result["messages"][2]["tool_call_id"] == result["messages"][1]["tool_calls"][0]["id"]
    assert result["tools"] == [{"type": "function", "function": TOOL}]
    assert "functions" not in result


def test_one_question_and_its_answer_become_an_instruct_row(tmp_path: Path):
    rows = [
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "id": 1},
        {"instruction": "a", "input": "x", "output": "b", "history": [], "system": ""},
    ]
    assert converted(tmp_path, *rows, to="instruct") == [
        {"instruction": "a", "output": "b", "id": 1},
        {"instruction": "a", "input": "x", "output": "b"},
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"conversations": [QUESTION, ANSWER, QUESTION, ANSWER]},
        {"conversations": [QUESTION, ANSWER], "system": "s"},
        {"conversations": [QUESTION, ANSWER], "tools": [TOOL]},
        {"conversations": [QUESTION, {"from": "function_call", "value": '{"name": "f"}'}]},
        {"instruction": "a", "output": "b", "history": [["c", "d"]]},
    ],
)
def test_what_does_not_fit_into_an_instruct_row_is_an_error_with_its_number(tmp_path: Path, row: Any):
    (message,) = refused(tmp_path, {"instruction": "a", "output": "b"}, row, to="instruct")
    assert message.startswith("row 2: ")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, "must be a JSON object"),
        ({"text": "a"}, "neither `messages` nor"),
        ({"conversations": "a"}, "must be a list"),
        ({"conversations": [{"from": "bot", "value": "a"}]}, "is from 'bot'"),
        ({"conversations": [QUESTION, {"from": "gpt"}]}, "neither content nor tool_calls"),
        ({"conversations": [QUESTION]}, "no answer to train on"),
        ({"conversations": [QUESTION, {"from": "function_call", "value": "weather()"}]}, "is not JSON"),
        ({"conversations": [QUESTION, {"from": "observation", "value": "a"}, ANSWER]}, "result of no tool call"),
        ({"conversations": [QUESTION, {**ANSWER, "mood": "good"}]}, "'mood'"),
        ({"conversations": [QUESTION, ANSWER], "tools": "["}, "`tools` is not JSON"),
        ({"instruction": "a", "output": "b", "history": ["c"]}, "[question, answer]"),
        ({"messages": [1]}, "list of objects"),
    ],
)
def test_a_row_that_cannot_be_converted_is_named_and_nothing_is_written(tmp_path: Path, row: Any, expected: str):
    (message,) = refused(tmp_path, {"conversations": [QUESTION, ANSWER]}, row)
    assert message.startswith("row 2: ")
    assert expected in message


def test_all_rows_that_cannot_be_converted_are_listed(tmp_path: Path):
    assert len(refused(tmp_path, *[{"text": "a"}] * 150)) == 150


def test_a_broken_line_stops_the_conversion(tmp_path: Path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"conversations": [\n')
    with pytest.raises(DataError, match=r"in\.jsonl:1 json"):
        convert_file(source, tmp_path / "out.jsonl")


@pytest.mark.parametrize("content", ["[]", "[{]", '[{"a": 1, "a": 2}]'])
def test_a_json_array_that_is_broken_or_empty_is_refused(tmp_path: Path, content: str):
    source = tmp_path / "in.json"
    source.write_text(content)
    with pytest.raises(DataError):
        convert_file(source, tmp_path / "out.jsonl")


def test_a_pretty_printed_array_with_a_byte_order_mark_is_read(tmp_path: Path):
    source = tmp_path / "in.json"
    source.write_text("\ufeff\n" + json.dumps([{"conversations": [QUESTION, ANSWER]}], indent=2))
    assert convert_file(source, tmp_path / "out.jsonl").num_rows == 1


def test_a_file_is_never_converted_in_place(tmp_path: Path):
    source = write(tmp_path / "in.jsonl", {"conversations": [QUESTION, ANSWER]})
    alias = tmp_path / "alias.jsonl"
    alias.hardlink_to(source)
    before = source.read_bytes()
    for target in (source, alias, tmp_path / "." / "in.jsonl"):
        with pytest.raises(ConfigError, match="its own source"):
            convert_file(source, target, replace=True)
    assert source.read_bytes() == before


def test_a_folder_is_never_replaced(tmp_path: Path):
    source = write(tmp_path / "in.jsonl", {"conversations": [QUESTION, ANSWER]})
    with pytest.raises(ConfigError, match="is a folder"):
        convert_file(source, tmp_path, replace=True)


def test_converting_twice_changes_nothing_and_other_content_is_not_replaced_unasked(tmp_path: Path):
    source = write(tmp_path / "in.jsonl", {"conversations": [QUESTION, ANSWER]})
    target = tmp_path / "new" / "out.jsonl"
    assert convert_file(source, target).is_written
    inode = target.stat().st_ino
    assert not convert_file(source, target).is_written
    assert target.stat().st_ino == inode
    write(target, {"mine": 1})
    with pytest.raises(ConfigError, match="holds something else"):
        convert_file(source, target)
    assert read(target) == [{"mine": 1}]
    assert convert_file(source, target, replace=True).is_written


def test_ids_are_nine_letters_or_digits_and_always_the_same():
    assert make_call_id(7, 0) == make_call_id(7, 0)
    assert len({make_call_id(row, call) for row in range(100) for call in range(10)}) == 1000
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", make_call_id(row, 0)) for row in range(1000))


def test_converting_a_row_does_not_change_the_row_itself():
    row = {"conversations": [QUESTION, {"from": "function_call", "value": {"name": "f", "arguments": {}}}]}
    before = json.dumps(row)
    to_messages(row, 1)
    assert json.dumps(row) == before
