import re
from html.parser import HTMLParser

import pytest
from scripted import ScriptedModel, row, tool_row

from mistraltune.data.conversation import ToolCall
from mistraltune.evaluation.comparing import compare
from mistraltune.evaluation.evaluator import TextEvaluator
from mistraltune.evaluation.report import Axis, describe_sampling, render_report
from mistraltune.evaluation.running import ModelComparison
from mistraltune.interfaces import Sampling
from mistraltune.results import Answer, AnswerPair, EvalReport, ModelRef, Prediction

BASE = ModelRef(model="org/base-7b", revision="abc123", quantization="nf4")
TUNED = BASE.model_copy(update={"adapter": "outputs/my-run"})
HOSTILE = "<script>alert('x')</script><img src=https://evil.example/x.png> & \"quoted\" {{ 7 * 7 }}"
VOID = {"meta", "link", "img", "br", "hr", "input", "line", "circle"}


class Checker(HTMLParser):
    """Collects tags and text, and insists that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def check(html: str) -> tuple[Checker, str]:
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker, " ".join(" ".join(checker.words).split())


def compared(rows, base, tuned, *, answers=()):
    evaluator, sampling = TextEvaluator(), Sampling(max_new_tokens=64)
    reports = [
        evaluator.evaluate(ScriptedModel(script), ref, rows, sampling=sampling).model_copy(
            update={"eval_file": "data/test.jsonl", "eval_sha256": "9f2c" * 16}
        )
        for ref, script in ((BASE, base), (TUNED, tuned))
    ]
    return ModelComparison(BASE, TUNED, sampling, None, compare(*reports), list(answers))


def render(comparison: ModelComparison) -> str:
    return render_report(comparison, created_at="2026-11-23T13:05:00+00:00", versions={"mistraltune": "0.1.0"})


@pytest.fixture
def html() -> str:
    rows = [row(f"q{n}", "bug / urgent") for n in range(40)]
    base = {f"q{n}": "no idea" for n in range(40)}
    tuned = {f"q{n}": "bug / urgent" if n else "hm" for n in range(40)}
    return render(compared(rows, base, tuned))


def test_a_report_names_finding_models_file_versions_and_date(html):
    _, text = check(html)
    for expected in (
        "The fine-tuned model is better: exact match 97.5%, base 0.0%.",
        "org/base-7b",
        "outputs/my-run",
        "abc123",
        "nf4",
        "Evaluation file test.jsonl",
        "9f2c" * 16,
        "greedy, at most 64 new tokens",
        "mistraltune 0.1.0",
        "2026-11-23T13:05:00+00:00",
        "Fine-tuned better: 39",
        "Show all 40 rows",
    ):
        assert expected in text


def test_a_report_needs_nothing_but_itself(html):
    checker, _ = check(html)
    assert not re.search(r"https?://|url\(|@import|//cdn", html)
    assert {tag for tag, _ in checker.tags} & {"script", "link", "img", "iframe", "object", "a"} == set()
    assert not any({"src", "href", "onclick", "onload"} & set(attributes) for _, attributes in checker.tags)


def test_a_report_knows_the_dark_paper_and_phones(html):
    for query in ("prefers-color-scheme: dark", "@media print", "max-width: 40rem", 'name="viewport"'):
        assert query in html


def test_all_rows_are_there_folded_away(html):
    checker, _ = check(html)
    folded = [attributes for tag, attributes in checker.tags if tag == "details"]
    assert len(folded) == 41
    assert not any("open" in attributes for attributes in folded)


def test_data_is_text_and_never_markup():
    rows = [row(HOSTILE, HOSTILE), tool_row(f"tool {HOSTILE}", ToolCall("", HOSTILE, HOSTILE))]
    script = {HOSTILE: HOSTILE, f"tool {HOSTILE}": [{"name": HOSTILE, "arguments": HOSTILE}]}
    pair = AnswerPair(
        prompt=[{"role": "user", "content": HOSTILE}],
        base=Answer(text=HOSTILE, num_tokens=1, finish_reason="stop"),
        fine_tuned=Answer(text="", num_tokens=1, finish_reason="stop"),
    )
    checker, text = check(render(compared(rows, script | {HOSTILE: "no"}, script, answers=[pair])))
    assert {tag for tag, _ in checker.tags} & {"script", "img"} == set()
    assert HOSTILE in text
    assert "(empty)" in text


def test_chart_marks_lie_within_the_chart(html):
    checker, _ = check(html)
    places = [
        float(value.removesuffix("%"))
        for tag, attributes in checker.tags
        if tag in ("line", "circle")
        for name, value in attributes.items()
        if name in ("x1", "x2", "cx")
    ]
    assert len(places) > 10
    assert all(0 <= place <= 100 for place in places)


def test_a_difference_without_a_winner_is_reported_as_such():
    rows = [row(f"q{n}", "yes") for n in range(10)]
    same = {f"q{n}": "yes" for n in range(10)}
    _, text = check(render(compared(rows, same, same)))
    assert "No clear difference: exact match 100.0%, base 100.0%." in text
    assert "No row's score changed." in text


def test_prompts_alone_are_shown_side_by_side():
    answer = Answer(text="Paris is its capital.", num_tokens=64, finish_reason="length")
    tuned = Answer(text="Paris.", num_tokens=3, finish_reason="stop")
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
    pair = AnswerPair(prompt=prompt, base=answer, fine_tuned=tuned)
    _, text = check(render(ModelComparison(BASE, TUNED, Sampling(), None, None, [pair])))
    assert "Two models, side by side" in text
    assert "Be brief." in text
    assert "cut after 64 tokens Paris is its capital." in text
    assert "Row by row" not in text
    assert "Exact match" not in text


def test_a_report_of_tool_calls_alone_needs_no_text_scores():
    rows = [tool_row("a", ToolCall("", "find", "{}"))]
    _, text = check(render(compared(rows, {"a": "no"}, {"a": [{"name": "find", "arguments": "{}"}]})))
    assert "Tool calls matched: +100.0 points" in text
    assert "Exact match 0" not in text


def judged(score: float, *, num_rows: int = 12) -> EvalReport:
    """A report as an evaluator of another kind leaves it: its own scale, no intervals."""
    predictions = [
        Prediction(
            row=number,
            prompt=[{"role": "user", "content": "q"}],
            references=["r"],
            text="t",
            num_tokens=2,
            finish_reason="stop",
            scores={"helpfulness": score + number % 2},
        )
        for number in range(1, num_rows + 1)
    ]
    return EvalReport(
        model=BASE,
        evaluator="judge",
        num_examples=num_rows,
        metrics={"helpfulness": score},
        intervals={},
        sampling={},
        predictions=predictions,
    )


def test_an_evaluator_with_a_scale_of_its_own_is_reported_too():
    comparison = compare(judged(2.0), judged(3.5))
    _, text = check(render(ModelComparison(BASE, TUNED, Sampling(), None, comparison, [])))
    assert "The fine-tuned model is better: helpfulness 3.5, base 2." in text
    assert "helpfulness +1.5" in text
    assert "SQuAD" not in text


def test_an_evaluator_without_scores_per_row_is_reported_as_such():
    comparison = compare(judged(2.0, num_rows=0), judged(3.5, num_rows=0))
    _, text = check(render(ModelComparison(BASE, TUNED, Sampling(), None, comparison, [])))
    assert "No score to compare" in text


def test_the_ticks_of_an_axis_are_signed_where_it_has_two_sides():
    assert Axis(-0.4, 0.4, 0.2, in_percent=True).ticks == [
        (0, "-40"),
        (25, "-20"),
        (50, "0"),
        (75, "+20"),
        (100, "+40"),
    ]
    assert [text for _, text in Axis(0.0, 5.0, 2.5, in_percent=False).ticks] == ["0", "2.5", "5"]


def test_sampling_is_put_into_words():
    assert describe_sampling(Sampling()) == "greedy, at most 256 new tokens"
    sampled = Sampling(temperature=0.7, top_p=0.9, seed=3, max_new_tokens=10)
    assert describe_sampling(sampled) == "temperature 0.7, top-p 0.9, seed 3, at most 10 new tokens"
