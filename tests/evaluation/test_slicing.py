"""Metrics by a field of the rows."""

import json

import pytest
from scripted import register, write_script

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.errors import ConfigError
from mistraltune.evaluation.options import JudgeOptions
from mistraltune.evaluation.running import compare_models, evaluate_model
from mistraltune.evaluation.slicing import NO_VALUE, group_rows, grouping_fields
from mistraltune.registry import find_model

TAGS = ["billing", "billing", ["bug", "urgent"], "bug", None, 3]


@pytest.fixture
def eval_file(tmp_path):
    path = tmp_path / "test.jsonl"
    rows = [{"instruction": str(number), "output": "yes", "tag": tag} for number, tag in enumerate(TAGS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    register(tmp_path / "plugin", monkeypatch)
    answers = [dict.fromkeys(map(str, range(6)), "no") | right for right in ({}, {"0": "yes", "1": "yes", "2": "yes"})]
    return [find_model(write_script(tmp_path / f"{name}.json", each)) for name, each in zip("ab", answers, strict=True)]


def test_rows_are_grouped_by_value_lists_by_each_of_theirs_and_the_largest_group_comes_first(eval_file):
    groups = group_rows(ConversationFile.open(eval_file), "tag", 6)
    assert list(groups.items()) == [
        ("billing", {1, 2}),
        ("bug", {3, 4}),
        (NO_VALUE, {5}),
        ("3", {6}),
        ("urgent", {3}),
    ]
    assert list(group_rows(ConversationFile.open(eval_file), "tag", 2)) == ["billing"]


def test_the_fields_that_make_groups_are_told_and_a_near_one_is_named(tmp_path):
    path = tmp_path / "many.jsonl"
    rows = [{"instruction": f"q{n}", "output": "yes", "tag": n % 3, "to": {"a": 1}} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"instruction": "q", "output": "no", "late": 1}]))
    file = ConversationFile.open(path)
    assert grouping_fields(file) == {"output": 2, "tag": 4, "late": 2}
    with pytest.raises(ConfigError) as caught:
        group_rows(file, "lat", 61)
    assert caught.value.hint == "did you mean 'late'?"
    with pytest.raises(ConfigError) as caught:
        group_rows(file, "topic", 10)
    assert caught.value.hint == "fields of the rows: 'instruction', 'output', 'tag', 'to'"


def test_scores_that_happen_to_be_all_wrong_are_no_shares_of_few_rows(models, eval_file):
    metrics = ("exact_match", "json_valid", "f1", "rouge_l", "chrf", "edit_similarity")
    kinds = JudgeOptions(metrics=metrics)
    report = evaluate_model(models[0], eval_file, options=kinds, by=["tag"]).report
    assert report.metrics["f1"] == report.metrics["rouge_l"] == 0.0
    for intervals in (report.intervals, *(one.intervals for one in report.slices)):
        assert {*metrics} & {*intervals} == {"exact_match", "json_valid"}
    changes = compare_models(*models, eval_file=eval_file, options=kinds).comparison.differences
    assert changes["exact_match"].p_value is not None
    assert changes["f1"].p_value is None  # though each row is 0 or 1
    assert changes["f1"].interval == changes["exact_match"].interval


def test_a_report_has_the_metrics_of_each_group_and_computes_nothing_anew(models, eval_file):
    evaluate_model(models[1], eval_file)
    evaluation = evaluate_model(models[1], eval_file, by=["tag"])
    assert evaluation.is_reused
    slices = {one.value: one for one in evaluation.report.slices}
    assert slices["billing"].metrics["exact_match"] == 1.0
    assert slices["bug"].metrics["exact_match"] == 0.5
    assert (slices["bug"].field, slices["bug"].num_examples) == ("tag", 2)
    assert slices["bug"].intervals["exact_match"].low < 0.2
    assert "slices" not in json.loads(evaluation.report_file.read_text())


def test_a_comparison_has_both_models_and_their_difference_in_each_group(models, eval_file):
    comparison = compare_models(*models, eval_file=eval_file, by=["tag"]).comparison
    assert comparison is not None
    billing = comparison.slices[0]
    assert (billing.base["exact_match"], billing.fine_tuned["exact_match"]) == (0.0, 1.0)
    assert billing.differences["exact_match"].value == 1.0
    assert billing.differences["exact_match"].p_value == 0.5
    assert {one.value for one in comparison.slices} == {"billing", "bug", "urgent", "3", NO_VALUE}


def test_a_small_group_has_no_interval_for_a_score_that_is_no_share(models, eval_file, tmp_path):
    partly = find_model(write_script(tmp_path / "c.json", dict.fromkeys(map(str, range(6)), "yes, of course")))
    report = evaluate_model(partly, eval_file, by=["tag"]).report
    for one in (report, *report.slices):
        assert (one.metrics["exact_match"], one.metrics["f1"]) == (0.0, 0.5)
        assert set(one.intervals) == {"exact_match", "share_cut"}
    (billing, *_) = compare_models(models[0], partly, eval_file=eval_file, by=["tag"]).comparison.slices
    assert (billing.num_examples, billing.base["f1"], billing.fine_tuned["f1"]) == (2, 0.0, 0.5)
    assert set(billing.differences) == {"exact_match", "share_cut"}


def test_turns_are_grouped_by_the_row_that_they_are_of(models, tmp_path):
    path = tmp_path / "chats.jsonl"
    turn = [{"role": "user", "content": "0"}, {"role": "assistant", "content": "yes"}]
    path.write_text(json.dumps({"messages": turn * 2, "tag": "a"}) + "\n" + json.dumps({"messages": turn}) + "\n")
    report = evaluate_model(models[1], path, options=JudgeOptions(turns="all"), by=["tag"]).report
    assert {one.value: one.num_examples for one in report.slices} == {"a": 2, NO_VALUE: 1}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("topic", "x", "no row has a field 'topic'"),
        ("tag", {"a": 1}, "'tag' is"),
        ("tag", [["a"]], "'tag' is"),
    ],
)
def test_a_field_that_makes_no_groups_is_refused_before_a_model_is_loaded(models, tmp_path, field, value, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"instruction": "0", "output": "yes", "tag": value}) + "\n")
    with pytest.raises(ConfigError, match=message):
        evaluate_model(models[0], path, by=[field])
    path.write_text("".join(json.dumps({"instruction": "0", "output": "yes", "id": n}) + "\n" for n in range(60)))
    with pytest.raises(ConfigError, match="more than 50 values"):
        evaluate_model(models[0], path, by=["id"])
