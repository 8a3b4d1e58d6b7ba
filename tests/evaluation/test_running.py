import json

import pytest
from scripted import register, write_rows, write_script

from mistraltune.configuring import dump_yaml
from mistraltune.data.conversation import ask
from mistraltune.errors import ConfigError, DataError
from mistraltune.evaluation.options import JudgeOptions, judge_options
from mistraltune.evaluation.prompts import read_prompts
from mistraltune.evaluation.running import compare_models, evaluate_model, held_like
from mistraltune.interfaces import Sampling
from mistraltune.registry import find_model
from mistraltune.results import ModelRef

ROWS = {"a": "yes", "b": "no"}


@pytest.fixture
def backend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return register(tmp_path / "plugin", monkeypatch)


@pytest.fixture
def eval_file(tmp_path):
    return write_rows(tmp_path / "test.jsonl", ROWS)


@pytest.fixture
def good(tmp_path, backend):
    return find_model(write_script(tmp_path / "good.json", {**ROWS, "hello": "hi there"}))


@pytest.fixture
def bad(tmp_path, backend):
    return find_model(write_script(tmp_path / "bad.json", {"a": "no", "b": "no", "hello": "hm"}))


def files_below(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_an_evaluation_leaves_every_prediction_and_a_report(tmp_path, good, eval_file):
    evaluation = evaluate_model(good, eval_file)
    assert evaluation.report_file.resolve().parent == tmp_path / "outputs" / "evals"
    assert evaluation.report_file.name.startswith("test-")
    report = json.loads(evaluation.report_file.read_text())
    assert report["metrics"]["exact_match"] == 1.0
    assert "predictions" not in report
    lines = [json.loads(line) for line in evaluation.predictions_file.read_text().splitlines()]
    assert [line["text"] for line in lines] == ["yes", "no"]
    assert lines[0]["prompt"] == [{"role": "user", "content": "a"}]
    assert lines[0]["references"] == ["yes"]
    assert lines[0]["scores"] == {"exact_match": 1.0, "f1": 1.0}


def test_the_same_evaluation_again_loads_no_model_and_changes_no_byte(tmp_path, backend, good, eval_file):
    first = evaluate_model(good, eval_file)
    before = files_below(tmp_path / "outputs")
    second = evaluate_model(good, eval_file)
    assert (first.is_reused, second.is_reused) == (False, True)
    assert second.report == first.report
    assert backend.opened == ["good.json"]
    assert files_below(tmp_path / "outputs") == before


def test_another_sampling_file_limit_or_model_is_another_evaluation(tmp_path, good, bad, eval_file):
    longer = write_rows(tmp_path / "test2.jsonl", ROWS | {"hello": "hi"})
    names = {
        evaluate_model(good, eval_file).report_file.name,
        evaluate_model(good, eval_file, sampling=Sampling(max_new_tokens=9)).report_file.name,
        evaluate_model(good, eval_file, limit=1).report_file.name,
        evaluate_model(good, longer).report_file.name,
        evaluate_model(bad, eval_file).report_file.name,
    }
    assert len(names) == 5


def test_another_way_of_judging_is_another_evaluation_and_found_again(backend, good, eval_file):
    ways = [
        JudgeOptions(),
        JudgeOptions(metrics=("rouge_l",)),
        JudgeOptions(language="fr"),
        JudgeOptions(turns="all"),
        judge_options(["chrf", "f1"], "de", "all"),
    ]
    first = [evaluate_model(good, eval_file, options=options) for options in ways]
    assert len({evaluation.report_file for evaluation in first}) == len(ways)
    backend.opened.clear()
    again = [evaluate_model(good, eval_file, options=options) for options in ways]
    assert all(evaluation.is_reused for evaluation in again)
    assert [evaluation.report for evaluation in again] == [evaluation.report for evaluation in first]
    assert backend.opened == []
    assert first[4].report.options == {"metrics": ["chrf", "f1"], "language": "de", "turns": "all"}
    assert judge_options(["exact_match", "f1"], "en", "last") == JudgeOptions()


def test_options_that_there_are_not_are_refused_before_the_model_is_loaded(backend, good, eval_file):
    with pytest.raises(ConfigError, match="'rouge'"):
        judge_options(["rouge"], "en", "last")
    with pytest.raises(ConfigError, match="'ru'") as caught:
        judge_options([], "ru", "last")
    assert "de, en, es, fr, it" in caught.value.hint
    assert backend.opened == []


def test_a_limit_beyond_the_end_is_the_whole_file(good, eval_file):
    assert evaluate_model(good, eval_file, limit=99).report_file == evaluate_model(good, eval_file).report_file


@pytest.mark.parametrize("damage", ["cut predictions", "no predictions", "cut report", "foreign report"])
def test_a_damaged_evaluation_is_computed_again(backend, good, eval_file, damage):
    first = evaluate_model(good, eval_file)
    match damage:
        case "cut predictions":
            first.predictions_file.write_text(first.predictions_file.read_text()[:-20])
        case "no predictions":
            first.predictions_file.unlink()
        case "cut report":
            first.report_file.write_text(first.report_file.read_text()[:-20])
        case "foreign report":
            first.report_file.write_text("{}")
    again = evaluate_model(good, eval_file)
    assert not again.is_reused
    assert len(again.predictions_file.read_text().splitlines()) == 2
    assert evaluate_model(good, eval_file).is_reused


def test_a_run_directory_keeps_its_own_evaluations_and_may_be_moved(tmp_path, good, eval_file):
    run = tmp_path / "runs" / "my-run"
    run.mkdir(parents=True)
    (run / "adapter_model.safetensors").write_bytes(b"weights")
    model = good.model_copy(update={"adapter": str(run), "quantization": "nf4"})
    metadata = {"format_version": 1, "status": "finished", "model": model.model_dump(exclude_none=True)}
    (run / "training_metadata.yaml").write_text(dump_yaml(metadata))
    assert evaluate_model(find_model(str(run)), eval_file).report_file.parent == run / "evals"

    moved = run.rename(tmp_path / "moved")
    evaluation = evaluate_model(find_model(str(moved)), eval_file)
    assert evaluation.is_reused
    assert evaluation.report.model.adapter == str(moved)

    (moved / "adapter_model.safetensors").write_bytes(b"other weights")
    assert not evaluate_model(find_model(str(moved)), eval_file).is_reused


def test_an_output_dir_that_is_named_is_where_the_files_go(tmp_path, good, eval_file):
    evaluation = evaluate_model(good, eval_file, output_dir=tmp_path / "here" / "there")
    assert evaluation.predictions_file.parent == tmp_path / "here" / "there"


def test_a_place_that_cannot_be_written_is_refused_before_the_model_is_loaded(tmp_path, backend, good, eval_file):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        evaluate_model(good, eval_file, output_dir=tmp_path / "file" / "evals")
    assert backend.opened == []


def test_an_unknown_evaluator_is_refused_before_the_model_is_loaded(backend, good, eval_file):
    with pytest.raises(ConfigError, match="no evaluator called 'txet'") as caught:
        evaluate_model(good, eval_file, evaluator="txet")
    assert caught.value.hint == "did you mean text?"
    assert backend.opened == []


def test_models_are_compared_one_open_at_a_time(backend, good, bad, eval_file):
    compared = compare_models(bad, good, eval_file=eval_file, prompts=[ask("hello")])
    assert backend.opened == ["bad.json", "good.json"]  # the backend itself refuses two at once
    assert all(model.is_closed for model in backend.models)
    assert compared.comparison.differences["exact_match"].value == 0.5
    assert (compared.answers[0].base.text, compared.answers[0].fine_tuned.text) == ("hm", "hi there")


def test_a_comparison_finds_the_evaluations_that_eval_left(backend, good, bad, eval_file):
    evaluate_model(good, eval_file)
    evaluate_model(bad, eval_file)
    backend.opened.clear()
    compared = compare_models(bad, good, eval_file=eval_file)
    assert backend.opened == []
    assert all(evaluation.is_reused for evaluation in compared.evaluations)


def test_prompts_alone_give_answers_and_no_comparison(good, bad):
    compared = compare_models(bad, good, prompts=[ask("a"), ask("b")])
    assert compared.comparison is None
    assert compared.evaluations is None
    assert [pair.fine_tuned.text for pair in compared.answers] == ["yes", "no"]


def test_a_model_that_fails_is_closed(backend, good, tmp_path):
    strange = write_rows(tmp_path / "strange.jsonl", {"nobody knows": "this"})
    with pytest.raises(KeyError):
        evaluate_model(good, strange)
    assert backend.models[0].is_closed
    assert not list((tmp_path / "outputs").rglob("*.json*"))


def test_the_base_is_held_as_the_fine_tuned_model_is():
    tuned = ModelRef(model="m/7b", adapter="runs/x", revision="abc", quantization="nf4")
    assert held_like(ModelRef(model="m/7b"), tuned) == ModelRef(model="m/7b", revision="abc", quantization="nf4")
    assert held_like(ModelRef(model="m/7b", revision="v2"), tuned).revision == "v2"
    assert held_like(ModelRef(model="copies/7b"), tuned) == ModelRef(model="copies/7b", quantization="nf4")
    other_run = ModelRef(model="m/7b", adapter="runs/y")
    assert held_like(other_run, tuned) == other_run
    hosted = ModelRef(backend="api", model="mistral-small")
    assert held_like(hosted, tuned) == hosted
    assert held_like(ModelRef(model="m/7b"), hosted) == ModelRef(model="m/7b")


def test_progress_names_what_is_done(good, eval_file):
    heard = []
    evaluate_model(good, eval_file, watch=lambda *event: heard.append(event))
    assert heard[0] == (f"loading {good}", 0, 0)
    assert [event[1:] for event in heard[1:]] == [(0, 2), (1, 2), (2, 2)]


def test_prompts_are_read_from_lines(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("first\n\n  second  \r\n")
    assert read_prompts(path) == [ask("first"), ask("second")]


def test_prompts_are_read_from_rows_with_or_without_an_answer(tmp_path):
    path = tmp_path / "prompts.jsonl"
    user, assistant = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    rows = [{"messages": [user]}, {"messages": [user, assistant]}, {"messages": [user, assistant, user]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [[m.role for m in prompt.messages] for prompt in read_prompts(path)] == [
        ["user"],
        ["user"],
        ["user", "assistant", "user"],
    ]


def test_prompts_are_read_from_prompt_rows_with_or_without_a_completion(tmp_path):
    path = tmp_path / "prompts.jsonl"
    user = {"role": "user", "content": "q"}
    rows = [{"prompt": "q"}, {"prompt": "q", "completion": "a"}, {"prompt": [user]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [prompt.messages for prompt in read_prompts(path)] == [ask("q").messages] * 3


def test_prompts_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "prompts"
    with pytest.raises(ConfigError, match="no such file"):
        read_prompts(path)
    path.write_text("\n \n")
    with pytest.raises(DataError, match="holds no prompt"):
        read_prompts(path)
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_prompts(path)
    path.write_text('{"messages": []}\n{"messages": [{"role": "user", "content": "q"}]}\n{"x": 1}\n')
    with pytest.raises(DataError, match=r"prompts:3"):
        read_prompts(path)
