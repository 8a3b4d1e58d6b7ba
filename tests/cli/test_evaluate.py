import json
import re
import sys
from pathlib import Path

import pytest
import scripted as scripted_module

from mistraltune.cli.app import main

ROWS = {f"ticket {number}": "billing / urgent" for number in range(40)}


@pytest.fixture(autouse=True)
def scripted(tmp_path, monkeypatch):
    """The scripted backend of the evaluation tests, installed as a plugin."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    scripted_module.register(tmp_path / "plugin", monkeypatch)
    return scripted_module


@pytest.fixture
def eval_file(scripted, tmp_path):
    return str(scripted.write_rows(tmp_path / "test.jsonl", ROWS))


@pytest.fixture
def good(scripted, tmp_path):
    return scripted.write_script(tmp_path / "good.json", ROWS | {"hello": "hi there"})


@pytest.fixture
def bad(scripted, tmp_path):
    answers = dict.fromkeys(ROWS, "Dear customer, \x1b[31m[bold]we[/bold] are sorry") | {"hello": "hm"}
    return scripted.write_script(tmp_path / "bad.json", answers)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line; returns exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mistraltune", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_eval_prints_a_table_and_where_the_files_are(run, good, eval_file):
    code, out, err = run("eval", "--model", good, "--eval-file", eval_file)
    assert code == 0
    assert "on 40 rows of" in out
    assert "Exact match" in out
    assert "100.0%  91.2% to 100.0%" in out
    assert "predictions: outputs/evals/test-" in out
    assert f"loading {good.removeprefix('scripted:')} ..." in err
    assert "4/40\n8/40\n" in err
    assert "40/40" in err


def test_eval_json_is_one_object_with_metrics_intervals_and_files(run, good, eval_file):
    nearby = f"../{Path.cwd().name}/test.jsonl"
    code, out, _ = run("eval", "--model", good, "--eval-file", nearby, "--limit", "5", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["eval_file"] == eval_file  # a report is read in other folders too
    assert result["num_examples"] == 5
    assert result["metrics"]["exact_match"] == result["metrics"]["f1"] == 1.0
    assert result["intervals"]["exact_match"]["high"] == 1.0
    assert result["model"] == {"backend": "scripted", "model": good.removeprefix("scripted:"), "quantization": "none"}
    assert len(Path(result["predictions_file"]).read_text().splitlines()) == 5
    assert json.loads(Path(result["report_file"]).read_text())["num_examples"] == 5


def test_eval_again_computes_nothing_and_says_so(run, scripted, good, eval_file):
    _, first, _ = run("eval", "--model", good, "--eval-file", eval_file, "--json")
    code, second, err = run("eval", "--model", good, "--eval-file", eval_file, "--json")
    assert code == 0
    assert "already evaluated" in err
    assert scripted.ScriptedBackend.opened == ["good.json"]
    assert json.loads(second) == json.loads(first) | {"already_evaluated": True}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--batch-size", "many"], 2, "--batch-size 'many' is neither a number above 0 nor auto"),
        (["--batch-size", "0"], 2, "--batch-size '0'"),
        (["--max-new-tokens", "0"], 2, "--max-new-tokens"),
        (["--limit", "0"], 2, "--limit"),
        (["--evaluator", "judge"], 2, "no evaluator called 'judge'"),
        (["--eval-file", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["--metrics", "rouge"], 2, "there is no metric 'rouge'"),
        (["--language", "xx"], 2, "the articles of 'xx' are not known"),
        (["--turns", "some"], 2, "--turns"),
        (["--by", "tag"], 2, "no row has a field 'tag'"),
    ],
)
def test_eval_refuses_what_it_cannot_do_before_loading(run, scripted, good, eval_file, options, code, message):
    found, out, err = run("eval", "--model", good, "--eval-file", eval_file, *options, "--json")
    assert found == code
    assert message in err
    assert json.loads(out)["error"]["exit_code"] == code
    assert scripted.ScriptedBackend.opened == []


def test_eval_takes_a_batch_size(run, good, eval_file):
    _, out, _ = run("eval", "--model", good, "--eval-file", eval_file, "--batch-size", "3", "--json")
    assert json.loads(out)["sampling"]["batch_size"] == 3


@pytest.fixture
def tagged(tmp_path):
    rows = [
        {"instruction": question, "output": answer, "tag": "even" if number % 2 == 0 else "odd"}
        for number, (question, answer) in enumerate(ROWS.items())
    ]
    path = tmp_path / "tagged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_eval_takes_metrics_a_language_and_a_field_to_group_by(run, good, tagged):
    options = ["--metrics", "rouge_l,json_valid", "--language", "fr", "--by", "tag"]
    code, out, _ = run("eval", "--model", good, "--eval-file", tagged, *options)
    assert code == 0
    assert "ROUGE-L" in out
    assert "Valid JSON" in out
    assert "Exact match" not in out
    assert "even    20  100.0% (" in out
    code, out, _ = run("eval", "--model", good, "--eval-file", tagged, *options, "--json")
    result = json.loads(out)
    assert result["already_evaluated"]
    assert result["options"] == {"metrics": ["rouge_l", "json_valid"], "language": "fr"}
    assert [(one["field"], one["value"], one["num_examples"]) for one in result["slices"]] == [
        ("tag", "even", 20),
        ("tag", "odd", 20),
    ]


def test_a_group_of_few_rows_is_counted_and_says_why_it_has_no_interval(run, scripted, tmp_path):
    rows = [{"instruction": str(number), "output": "yes", "tag": "rare" if number else "common"} for number in range(2)]
    path = tmp_path / "few.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    partly = scripted.write_script(tmp_path / "partly.json", {"0": "yes sir", "1": "yes, of course"})
    code, out, err = run("eval", "--model", partly, "--eval-file", str(path), "--by", "tag")
    assert code == 0
    assert re.search(r"^common +1 +0\.0% \(0\.0% to 79\.3%\) +66\.7%$", out, re.MULTILINE)
    assert re.search(r"^F1 +58\.3%$", out, re.MULTILINE)
    assert "no interval for a figure that is no share where it is of fewer than 10 rows\n" in err


def test_eval_of_all_turns_says_how_many_conversations_they_are_of(run, good, tmp_path):
    turns = [{"role": "user", "content": "ticket 1"}, {"role": "assistant", "content": "billing / urgent"}]
    untrained = [turns[0], {**turns[1], "weight": 0}]
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": untrained + turns * 2}) + "\n" + json.dumps({"messages": turns}) + "\n")
    code, out, err = run("eval", "--model", good, "--eval-file", str(path), "--turns", "all")
    assert code == 0
    assert "on 3 turns of 2 conversations of" in out
    assert "1 answer of weight 0, or to nothing, not judged" in err


def test_compare_groups_rows_gates_any_metric_and_prints_mcnemars_p(run, good, bad, tagged, tmp_path):
    html = tmp_path / "report.html"
    models = ["--base-model", bad, "--fine-tuned-model", good, "--eval-file", tagged]
    options = ["--metrics", "exact_match,rouge_l,bleu", "--by", "tag", "--html", str(html)]
    code, out, _ = run("compare", *models, *options, "--fail-under", "rouge_l=0.4")
    assert code == 0
    assert "McNemar's p" in out
    assert "< 0.001" in out
    assert "0.0% → 100.0% (" in out
    page = html.read_text()
    assert "<h2>By tag</h2>" in page
    assert "corpus BLEU" in page
    code, out, _ = run("compare", *models, *options, "--fail-under", "rouge_l=0.4", "--json")
    result = json.loads(out)
    assert result["differences"]["exact_match"]["p_value"] < 1e-6
    assert result["slices"][0]["differences"]["rouge_l"]["value"] > 0.9
    code, _, err = run("compare", *models, "--fail-under", "rouge_l=0.4")
    assert code == 2
    assert "there is no score 'rouge_l' here" in err


def test_compare_shows_answers_to_prompts_side_by_side(run, good, bad, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("ticket 2\n")
    options = ["--prompts", "ticket 1", "--prompts-file", str(prompts)]
    code, out, _ = run("compare", "--base-model", bad, "--fine-tuned-model", good, "hello", *options)
    assert code == 0
    assert f"base:       {bad.removeprefix('scripted:')}\n" in out
    assert "│ hm " in out
    assert "│ hi there " in out
    assert out.index("hello") < out.index("ticket 1") < out.index("ticket 2")
    assert "\x1b" not in out
    assert "\\u001b[31m[bold]we[/bold]" in out.replace("\n", "")


def test_compare_with_an_eval_file_says_what_changed(run, good, bad, eval_file, tmp_path):
    html = tmp_path / "reports" / "report.html"
    models = ["--base-model", bad, "--fine-tuned-model", good]
    code, out, _ = run("compare", *models, "--eval-file", eval_file, "--html", str(html))
    assert code == 0
    assert "The fine-tuned model is better: exact match 100.0%, base 0.0%." in out
    assert "Of 40 rows the fine-tuned model answers 40 better, 0 worse and 0 equally well." in out
    assert "+100.0 (+87.6 to +100.0)" in out
    assert "row 1, better: ticket 0" in out
    assert "reference: billing / urgent" in out
    assert "15 more rows that changed much" in out
    assert html.read_text().startswith("<!DOCTYPE html>")


def test_compare_json_is_one_object(run, good, bad, eval_file):
    models = ["--base-model", bad, "--fine-tuned-model", good]
    gate = ["--fail-under", "f1=0.5"]
    code, out, _ = run("compare", *models, "--eval-file", eval_file, "hello", *gate, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["base"]["metrics"]["exact_match"] == 0.0
    assert result["fine_tuned"]["intervals"]["exact_match"]["high"] == 1.0
    assert result["differences"]["exact_match"]["value"] == 1.0
    assert result["differences"]["exact_match"]["interval"]["low"] > 0.8
    assert (result["wins"], result["ties"], result["losses"]) == (40, 0, 0)
    assert len(result["changed_rows"]) == 20
    assert result["answers"][0]["fine_tuned"]["text"] == "hi there"
    assert result["gates"][0]["met"] is True


def test_compare_of_prompts_alone_has_no_figures(run, good, bad):
    code, out, _ = run("compare", "--base-model", bad, "--fine-tuned-model", good, "hello", "--json")
    result = json.loads(out)
    assert code == 0
    assert set(result) == {"base", "fine_tuned", "answers", "html", "gates"}
    assert result["base"]["model"]["backend"] == "scripted"


def test_compare_reuses_what_eval_computed(run, scripted, good, bad, eval_file):
    for model in (good, bad):
        run("eval", "--model", model, "--eval-file", eval_file)
    scripted.ScriptedBackend.opened.clear()
    run("compare", "--base-model", bad, "--fine-tuned-model", good, "--eval-file", eval_file)
    assert scripted.ScriptedBackend.opened == []


def test_compare_says_which_side_was_evaluated_before(run, good, bad, eval_file):
    run("eval", "--model", bad, "--eval-file", eval_file)
    compared = ("compare", "--base-model", bad, "--fine-tuned-model", good, "--eval-file", eval_file)
    code, out, err = run(*compared, "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["base"]["already_evaluated"], result["fine_tuned"]["already_evaluated"]) == (True, False)
    assert "base: already evaluated; nothing was computed\n" in err
    assert "fine-tuned: already evaluated" not in err
    assert "fine-tuned: already evaluated; nothing was computed\n" in run(*compared)[2]


@pytest.mark.parametrize("gate", [("--fail-under", "exact_match=0.5"), ("--max-regression", "f1=0.02")])
def test_a_gate_that_is_not_met_exits_6_after_everything_was_written(run, good, bad, eval_file, tmp_path, gate):
    html = tmp_path / "report.html"
    models = ["--base-model", good, "--fine-tuned-model", bad]
    options = ["--eval-file", eval_file, "--html", str(html), *gate]
    code, out, err = run("compare", *models, *options)
    assert code == 6
    assert "The fine-tuned model is worse" in out
    assert "error: 1 quality gate is not met" in err
    assert html.exists()

    code, out, _ = run("compare", *models, *options, "--json")
    error = json.loads(out)["error"]
    assert code == error["exit_code"] == 6
    assert error["comparison"]["gates"][0]["met"] is False
    assert error["comparison"]["losses"] == 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to compare on"),
        (["hello", "--fail-under", "f1=0.5"], "a quality gate needs --eval-file"),
        (["--eval-file", "test.jsonl", "--fail-under", "bleu=0.5"], "there is no score 'bleu'"),
        (["--eval-file", "test.jsonl", "--max-regression", "f1"], "not METRIC=V"),
        (["hello", "--html", "."], "is a directory"),
        (["hello", "--html", "test.jsonl/report.html"], "cannot write to test.jsonl"),
        (["--prompts-file", "nowhere.txt"], "no such file: nowhere.txt"),
    ],
)
def test_compare_refuses_what_it_cannot_do_before_loading(run, scripted, good, bad, eval_file, options, message):
    code, out, err = run("compare", "--base-model", bad, "--fine-tuned-model", good, *options)
    assert code == 2
    assert out == ""
    assert message in err
    assert scripted.ScriptedBackend.opened == []


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_help_names_every_option(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    for option in (
        "--eval-file",
        "--max-new-tokens",
        "--batch-size",
        "--limit",
        "--evaluator",
        "--metrics",
        "--language",
        "--turns",
        "--by",
        "--allow-overlap",
        "--output-dir",
        "--json",
    ):
        assert option in out
