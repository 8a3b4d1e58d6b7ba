import pytest
from scripted import ScriptedModel, row, tool_row

from mistraltune.data.conversation import ToolCall
from mistraltune.errors import ConfigError, ExitCode, GateError
from mistraltune.evaluation.comparing import compare
from mistraltune.evaluation.evaluator import TextEvaluator
from mistraltune.evaluation.gates import check_gates, gate_results, parse_gates
from mistraltune.evaluation.intervals import newcombe_interval
from mistraltune.evaluation.wording import caveats, evidence, headline, signed
from mistraltune.interfaces import Sampling
from mistraltune.results import EvalReport, ModelRef

SCORES = TextEvaluator().scores


def report(rows, answers, **options) -> EvalReport:
    ref = ModelRef(backend="scripted", model="m")
    return TextEvaluator().evaluate(ScriptedModel(answers), ref, rows, sampling=Sampling(**options))


def compared(*outcomes: tuple[str, str, int]):
    """A comparison of rows whose reference is `x y`, given as base answer, tuned answer, how many."""
    rows, base, tuned = [], {}, {}
    for before, after, count in outcomes:
        for _ in range(count):
            name = str(len(rows))
            rows.append(row(name, "x y"))
            base[name], tuned[name] = before, after
    return compare(report(rows, base), report(rows, tuned))


def test_differences_are_fine_tuned_minus_base_with_paired_intervals():
    comparison = compared(("no", "x y", 6), ("x y", "no", 1), ("x y", "x y", 3))
    difference = comparison.differences["exact_match"]
    assert difference.value == pytest.approx(0.5)
    assert difference.interval == newcombe_interval(both=3, first_only=6, second_only=1, neither=0)
    assert set(comparison.differences) == {"exact_match", "f1", "average_length", "average_length_tokens", "share_cut"}


def test_shares_have_mcnemars_p_value_and_other_means_have_none():
    comparison = compared(("no", "x y", 6), ("x y", "no", 1), ("x y", "x y", 3), ("x", "x", 1))
    assert comparison.differences["exact_match"].p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert comparison.differences["f1"].p_value is None
    assert "McNemar's p 0.125" in " ".join(evidence(comparison))


def test_the_difference_of_corpus_bleu_is_no_mean_of_differences():
    texts = ["one two three four five", "six seven eight nine ten eleven", "twelve thirteen fourteen fifteen"]
    rows = [row(text, text) for text in texts]
    evaluator, ref = TextEvaluator(metrics=["bleu"]), ModelRef(backend="scripted", model="m")
    answers = {texts[0]: "one two three four five", texts[1]: "six seven eight ten nine", texts[2]: "twelve"}
    reports = [
        evaluator.evaluate(ScriptedModel(script), ref, rows, sampling=Sampling())
        for script in (answers, {text: text for text in texts})
    ]
    difference = compare(*reports).differences["bleu"]
    assert difference.value == pytest.approx(1 - reports[0].metrics["bleu"])
    assert difference.interval.low <= difference.value <= difference.interval.high
    assert difference.p_value is None


def test_rows_are_won_by_exact_match_first_and_f1_then():
    comparison = compared(("no", "x y", 4), ("no", "x", 2), ("x y", "x", 1), ("no", "nothing", 3))
    assert (comparison.wins, comparison.ties, comparison.losses) == (6, 3, 1)


def test_the_rows_that_changed_most_come_biggest_change_first():
    comparison = compared(("no", "x", 2), ("same", "same", 2), ("x y", "no", 1), ("no", "x y", 1))
    assert comparison.changed_rows == [5, 6, 1, 2]


def test_losses_are_shown_even_among_many_wins():
    comparison = compared(("no", "x y", 100), ("x", "no", 30))
    assert len(comparison.changed_rows) == 20
    assert sum(row > 100 for row in comparison.changed_rows) == 10
    few = compared(("no", "x y", 100), ("x", "no", 3))
    assert sum(row > 100 for row in few.changed_rows) == 3
    assert len(few.changed_rows) == 20


def test_tool_rows_are_won_by_their_calls():
    rows = [tool_row("a", ToolCall("", "find", "{}")), row("b", "yes")]
    right = [{"name": "find", "arguments": "{}"}]
    comparison = compare(report(rows, {"a": "hm", "b": "yes"}), report(rows, {"a": right, "b": "yes"}))
    assert (comparison.wins, comparison.ties) == (1, 1)
    assert comparison.differences["tool_call_match"].value == 1.0


def test_reports_on_different_rows_are_refused():
    one, other = report([row("a", "x")], {"a": "x"}), report([row("b", "x")], {"b": "x"})
    with pytest.raises(ConfigError, match=r"row 1 .* not the same row"):
        compare(one, other)
    longer = report([row("a", "x"), row("b", "x")], {"a": "x", "b": "x"})
    with pytest.raises(ConfigError, match="1 rows of the base, 2"):
        compare(one, longer)
    with pytest.raises(ConfigError, match="different evaluators"):
        compare(one, one.model_copy(update={"evaluator": "judge"}))


def test_a_clear_gain_is_called_better():
    comparison = compared(("no", "x y", 40), ("x y", "no", 2))
    assert headline(comparison) == "The fine-tuned model is better: exact match 95.2%, base 4.8%."
    assert "Of 42 rows the fine-tuned model answers 40 better, 2 worse and 0 equally well." in evidence(comparison)


def test_a_clear_loss_is_called_worse():
    assert headline(compared(("x y", "no", 40))).startswith("The fine-tuned model is worse: exact match 0.0%")


def test_a_difference_whose_interval_includes_0_is_not_clear():
    comparison = compared(("no", "x y", 4), ("x y", "no", 3), ("x y", "x y", 33))
    assert headline(comparison) == "No clear difference: exact match 92.5%, base 90.0%."
    assert any("which includes 0" in sentence for sentence in evidence(comparison))


def test_scores_that_part_ways_are_called_mixed():
    rows = [row(f"t{n}", "x") for n in range(40)] + [tool_row(f"c{n}", ToolCall("", "f", "{}")) for n in range(40)]
    calls = [{"name": "f", "arguments": "{}"}]
    base = {f"t{n}": "x" for n in range(40)} | {f"c{n}": "no" for n in range(40)}
    tuned = {f"t{n}": "no" for n in range(40)} | {f"c{n}": calls for n in range(40)}
    comparison = compare(report(rows, base), report(rows, tuned))
    assert headline(comparison).startswith("A mixed result: exact match 0.0%, base 100.0%;")
    assert any("on 40 of the rows" in sentence for sentence in evidence(comparison))


def test_few_rows_and_cut_answers_are_pointed_out():
    rows = [row("a", "x")]
    cut = report(rows, {"a": "one two three"}, max_new_tokens=2)
    found = caveats(compare(cut, report(rows, {"a": "x"}, max_new_tokens=2)))
    assert len(found) == 2
    assert found[0] == "With 1 row only, the intervals are wide; more rows would say more."
    assert found[1] == "100.0% of the base's answers were cut at 2 tokens."


def test_what_rounds_to_zero_has_no_minus():
    assert signed("exact_match", -0.00001) == "+0.0"
    assert signed("average_length", -1.25) == "-1.2"


def test_gates_that_are_met_let_a_comparison_pass():
    comparison = compared(("x y", "no", 1), ("x y", "x y", 9))
    gates = parse_gates(["exact_match=0.9"], ["exact_match=0.1", "f1 = 0.1"], scores=SCORES)
    check_gates(comparison, gates)
    assert [result["met"] for result in gate_results(comparison, gates)] == [True, True, True]


def test_a_gate_that_is_not_met_exits_6_and_says_what_was_measured():
    comparison = compared(("x y", "no", 2), ("x y", "x y", 8))
    gates = parse_gates(["exact_match=0.9", "f1=0.1"], ["exact_match=0.1"], scores=SCORES)
    with pytest.raises(GateError) as caught:
        check_gates(comparison, gates, details={"comparison": {}})
    assert caught.value.exit_code == ExitCode.FAILED == 6
    assert "2 quality gates are not met" in caught.value.message
    assert "--fail-under exact_match=0.9: exact_match is 0.8000, of the base 1.0000" in caught.value.message
    assert caught.value.details == {"comparison": {}}


def test_an_improvement_is_no_regression():
    comparison = compared(("no", "x y", 10))
    check_gates(comparison, parse_gates([], ["exact_match=0"], scores=SCORES))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exact_match", "not METRIC=V"),
        ("=0.5", "not METRIC=V"),
        ("exact_match=high", "no number"),
        ("exact_match=80", "between 0 and 1"),
        ("exact_match=nan", "between 0 and 1"),
        ("accuracy=0.5", "no score 'accuracy'"),
        ("tokens_per_second=5", "no score 'tokens_per_second'"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_gates([text], [], scores=SCORES)
    with pytest.raises(ConfigError, match=message):
        parse_gates([], [text], scores=SCORES)


def test_a_gate_on_a_score_that_no_row_has_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError) as caught:
        check_gates(compared(("x", "x", 1)), parse_gates(["tool_call_match=0.5"], [], scores=SCORES))
    assert caught.value.hint == "valid: exact_match, f1"
