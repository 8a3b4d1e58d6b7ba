import pytest
from scripted import ScriptedModel, row, tool_row

from mistraltune.data.conversation import Conversation, Message, ToolCall, message_dicts
from mistraltune.errors import DataError
from mistraltune.evaluation.evaluator import TextEvaluator
from mistraltune.evaluation.intervals import wilson_interval
from mistraltune.evaluation.rows import LazyRows
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef

REF = ModelRef(backend="scripted", model="m")
FIND = ToolCall("abcdefghi", "find", '{"id": 1}')


def evaluate(rows, answers, **options):
    return TextEvaluator().evaluate(ScriptedModel(answers), REF, rows, sampling=Sampling(**options))


def test_metrics_are_means_over_the_rows_with_their_intervals():
    rows = [row("a", "bug / urgent"), row("b", "billing / normal"), row("c", "returns"), row("d", "bug")]
    answers = {"a": "Bug / urgent.", "b": "billing / urgent", "c": "I do not know", "d": "bug"}
    report = evaluate(rows, answers)
    assert report.num_examples == 4
    assert report.metrics["exact_match"] == 0.5
    assert report.metrics["f1"] == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert report.metrics["average_length"] == pytest.approx((3 + 3 + 4 + 1) / 4)
    assert report.metrics["average_length_tokens"] == pytest.approx((4 + 4 + 5 + 2) / 4)
    assert report.metrics["share_cut"] == 0.0
    assert report.metrics["tokens_per_second"] > 0
    assert report.intervals["exact_match"] == wilson_interval(2, 4)
    assert set(report.intervals) == {"exact_match", "share_cut"}  # four rows are too few for what is no share
    report = evaluate(rows * 3, answers)
    assert report.intervals["f1"].low < report.metrics["f1"] < report.intervals["f1"].high
    assert set(report.metrics) - set(report.intervals) == {"tokens_per_second"}


def test_a_prediction_says_what_was_asked_expected_answered_and_scored():
    conversation = Conversation(
        (Message("system", "Be brief."), Message("user", "a"), Message("assistant", "yes")), references=("sure", "yes")
    )
    (prediction,) = evaluate([conversation], {"a": "Sure!"}).predictions
    assert prediction.row == 1
    assert prediction.prompt == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]
    assert prediction.references == ["yes", "sure"]
    assert prediction.text == "Sure!"
    assert prediction.scores == {"exact_match": 1.0, "f1": 1.0}


def test_answers_that_reach_the_limit_are_counted():
    report = evaluate(
        [row("a", "one two three"), row("b", "one")], {"a": "one two three", "b": "one"}, max_new_tokens=2
    )
    assert report.metrics["share_cut"] == 0.5
    assert [prediction.finish_reason for prediction in report.predictions] == ["length", "stop"]


def test_tool_calls_are_judged_apart_from_text():
    rows = [row("a", "yes"), tool_row("b", FIND), tool_row("c", FIND), tool_row("d", FIND)]
    answers = {"a": "yes", "b": [{"name": "find", "arguments": '{"id":1.0}'}], "c": "It is here.", "d": []}
    report = evaluate(rows, answers)
    assert report.metrics["exact_match"] == report.metrics["f1"] == 1.0
    assert report.metrics["tool_call_match"] == pytest.approx(1 / 3)
    assert report.intervals["tool_call_match"] == wilson_interval(1, 3)
    assert report.predictions[1].tool_calls[0].name == "find"


def test_without_tool_calls_there_is_no_metric_for_them():
    assert "tool_call_match" not in evaluate([row("a", "yes")], {"a": "yes"}).metrics


def test_a_tool_call_where_text_was_expected_scores_nothing():
    report = evaluate([row("a", "yes")], {"a": [{"name": "find", "arguments": "{}"}]})
    assert report.predictions[0].scores == {"exact_match": 0.0, "f1": 0.0}


def test_rows_without_a_reference_are_refused_by_name_before_anything_is_generated():
    rows = [row("a", "yes"), row("b", ""), Conversation((Message("user", "c"),), source="rows.jsonl:3")]
    with pytest.raises(DataError, match=r"2 of 3 rows have no reference: rows\.jsonl:b, rows\.jsonl:3"):
        evaluate(rows, {})
    with pytest.raises(DataError, match="no row"):
        evaluate([], {})


def test_many_rows_without_a_reference_are_named_in_part_and_listed_in_the_details():
    with pytest.raises(DataError, match=r"8 of 8 .* and 3 more") as caught:
        evaluate([row(str(number), "") for number in range(8)], {})
    assert len(caught.value.details["rows_without_reference"]) == 8


def test_progress_is_told_row_by_row():
    heard: list[int] = []
    rows = [row("a", "yes"), row("b", "no")]
    model = ScriptedModel({"a": "yes", "b": "yes"})
    TextEvaluator().evaluate(model, REF, rows, sampling=Sampling(), on_progress=heard.append)
    assert heard == [1, 2]


def test_the_sampling_is_part_of_the_report():
    sampling = evaluate([row("a", "yes")], {"a": "yes"}, max_new_tokens=7).sampling
    assert sampling["max_new_tokens"] == 7
    assert sampling["temperature"] == 0.0


def test_messages_keep_their_tool_fields():
    conversation = Conversation(
        (
            Message("assistant", tool_calls=(FIND,)),
            Message("tool", "found", tool_call_id="abcdefghi", name="find"),
        )
    )
    function = {"name": "find", "arguments": '{"id": 1}'}
    assert message_dicts(conversation) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "abcdefghi", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "found", "tool_call_id": "abcdefghi", "name": "find"},
    ]


def test_lazy_rows_read_what_is_asked_for_and_no_more():
    asked: list[str] = []

    def look(conversation: Conversation) -> Conversation:
        asked.append(conversation.source)
        return conversation.prompt

    rows = LazyRows([row(name, "yes") for name in "abcd"], look, limit=3)
    assert len(rows) == 3
    assert asked == []
    assert rows[-1].messages[0].content == "c"
    assert [prompt.messages[0].content for prompt in rows[:2]] == ["a", "b"]
    assert asked == ["rows.jsonl:c", "rows.jsonl:a", "rows.jsonl:b"]
    with pytest.raises(IndexError):
        rows[3]


def test_the_metrics_asked_for_are_those_that_are_scored_and_reported_in_their_order():
    evaluator = TextEvaluator().with_options(metrics=["rouge_l", "json_valid", "bleu"], language="en")
    assert evaluator.scores == ("rouge_l", "json_valid", "bleu", "tool_call_match")
    rows = [row("a", "one two three four"), row("b", "{}"), tool_row("c", FIND)]
    answers = {"a": "one two three four", "b": "[1", "c": [{"name": "find", "arguments": '{"id": 1}'}]}
    report = evaluator.evaluate(ScriptedModel(answers), REF, rows, sampling=Sampling())
    assert list(report.predictions[0].scores) == ["rouge_l", "json_valid", "bleu"]
    assert list(report.metrics)[:4] == ["rouge_l", "json_valid", "bleu", "tool_call_match"]
    assert report.metrics["rouge_l"] == report.metrics["json_valid"] + 0.5 == 0.5
    assert report.metrics["tool_call_match"] == 1
    assert report.metrics["bleu"] != sum(prediction.scores.get("bleu", 0) for prediction in report.predictions) / 2


def test_the_language_decides_which_articles_count():
    rows, answers = [row("a", "une gare")], {"a": "La gare."}
    evaluator = TextEvaluator().with_options(metrics=(), language="fr")
    report = evaluator.evaluate(ScriptedModel(answers), REF, rows, sampling=Sampling())
    assert report.metrics["exact_match"] == 1
    assert evaluate(rows, answers).metrics["exact_match"] == 0
