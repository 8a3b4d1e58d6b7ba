"""Every answer of a conversation judged with the history that it had, and its figures clustered by conversation."""

import json

import pytest
from scripted import ScriptedModel

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.evaluation.comparing import compare
from mistraltune.evaluation.evaluator import TextEvaluator
from mistraltune.evaluation.intervals import wilson_interval
from mistraltune.evaluation.turns import TurnRows
from mistraltune.interfaces import Sampling
from mistraltune.results import EvalReport, ModelRef

REF = ModelRef(backend="scripted", model="m")
CALL = ToolCall("abcdefghi", "find", "{}")


def chat(*turns: tuple[str, str], **fields) -> Conversation:
    messages = [
        message for question, answer in turns for message in (Message("user", question), Message("assistant", answer))
    ]
    return Conversation(tuple(messages), **fields)


def evaluate(rows: list[Conversation], answers) -> EvalReport:
    return TextEvaluator().evaluate(ScriptedModel(answers), REF, TurnRows(rows), sampling=Sampling())


def test_each_answer_is_a_row_that_ends_with_it_and_knows_its_place():
    rows = TurnRows([chat(("a", "1"), ("b", "2"), references=("two",)), chat(("c", "3"))])
    assert len(rows) == 3
    assert [row.completion.content for row in rows] == ["1", "2", "3"]
    assert [message.content for message in rows[1].prompt.messages] == ["a", "1", "b"]
    assert [row.references for row in rows] == [(), ("two",), ()]
    assert [rows.place(index) for index in range(3)] == [(1, 1), (1, 2), (2, 1)]
    assert [row.completion.content for row in rows[1:]] == ["2", "3"]


def test_answers_that_are_not_trained_and_greetings_are_history_alone_and_counted():
    greeting = Conversation(
        (
            Message("system", "s"),
            Message("assistant", "hello"),
            Message("user", "a"),
            Message("assistant", "no", weight=0),
            Message("user", "b"),
            Message("assistant", "yes"),
        )
    )
    rows = TurnRows([greeting])
    assert [row.completion.content for row in rows] == ["yes"]
    assert rows.num_left_out == 2
    assert len(rows[0].prompt.messages) == 5


def test_tool_calls_and_what_follows_them_are_turns():
    conversation = Conversation(
        (
            Message("user", "a"),
            Message("assistant", tool_calls=(CALL,)),
            Message("tool", "found", tool_call_id="abcdefghi"),
            Message("assistant", "it is here"),
        )
    )
    rows = TurnRows([conversation])
    assert [bool(row.completion.tool_calls) for row in rows] == [True, False]
    report = evaluate([conversation], {"a": [{"name": "find", "arguments": "{}"}], "found": "it is here"})
    assert report.metrics["tool_call_match"] == report.metrics["exact_match"] == 1


def test_a_row_without_an_answer_comes_once_with_its_references():
    row = Conversation((Message("user", "a"),), references=("1",))
    assert list(TurnRows([row])) == [row]


def test_predictions_name_row_and_turn_and_intervals_count_conversations():
    rows = [chat(*[(f"{number}.{turn}", "x y") for turn in range(5)]) for number in range(12)]
    answers = {f"{number}.{turn}": "x y" for number in range(12) for turn in range(5)}
    report = evaluate(rows, answers)
    assert [(prediction.row, prediction.turn) for prediction in report.predictions[4:6]] == [(1, 5), (2, 1)]
    assert report.num_examples == 60
    assert report.intervals["exact_match"] == wilson_interval(12, 12)


def test_a_comparison_of_turns_has_no_mcnemar_and_places_in_the_predictions():
    rows = [chat(("a", "x"), ("b", "x")), chat(("c", "x"), ("d", "x"))]
    good = evaluate(rows, dict.fromkeys("abcd", "x"))
    bad = evaluate(rows, {"a": "x", "b": "x", "c": "x", "d": "no"})
    comparison = compare(bad, good)
    assert comparison.differences["exact_match"].value == 0.25
    assert comparison.differences["exact_match"].p_value is None
    assert comparison.changed_rows == [4]


@pytest.mark.parametrize("turns", [1, 4])
def test_corpus_bleu_of_turns_draws_whole_conversations(turns: int):
    text = "one two three four five six"
    rows = [chat(*[(f"{number}.{turn}", text) for turn in range(turns)]) for number in range(12)]
    answers = {
        f"{number}.{turn}": text if number % 2 else "one two three four six seven"
        for number in range(12)
        for turn in range(turns)
    }
    evaluator = TextEvaluator(metrics=["bleu"])
    report = evaluator.evaluate(ScriptedModel(answers), REF, TurnRows(rows), sampling=Sampling())
    width = report.intervals["bleu"].high - report.intervals["bleu"].low
    assert width > 0.1
    assert 0 < report.metrics["bleu"] < 1
    json.dumps(report.model_dump())
