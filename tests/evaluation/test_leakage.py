"""Rows that a run was trained on are refused by eval and compare, or counted in the report."""

import json
from pathlib import Path

import pytest
from scripted import register, write_script

from mistraltune.config import TrainConfig
from mistraltune.configuring import dump_yaml
from mistraltune.errors import DataError
from mistraltune.evaluation.leakage import describe_overlap
from mistraltune.evaluation.running import compare_models, evaluate_model
from mistraltune.publishing import file_sha256
from mistraltune.registry import find_model

LONG = " ".join(f"word{number}" for number in range(60))
QUESTIONS = ["new", "Seen  before", f"{LONG} again"]


def write(path: Path, questions: list[str]) -> Path:
    path.write_text("".join(json.dumps({"instruction": text, "output": "yes"}) + "\n" for text in questions))
    return path


@pytest.fixture
def backend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return register(tmp_path / "plugin", monkeypatch)


@pytest.fixture
def base(tmp_path, backend):
    return find_model(write_script(tmp_path / "base.json", dict.fromkeys(QUESTIONS, "yes")))


@pytest.fixture
def train_file(tmp_path):
    return write(tmp_path / "train.jsonl", ["seen before", LONG, "other"])


@pytest.fixture
def eval_file(tmp_path):
    return write(tmp_path / "test.jsonl", QUESTIONS)


@pytest.fixture
def run(tmp_path, base, train_file):
    """A finished run, as far as an evaluation looks at it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    model = base.model_copy(update={"adapter": str(folder)})
    val_file = write(tmp_path / "val.jsonl", ["for validation"])
    identity = {"train_sha256": file_sha256(train_file), "val_sha256": file_sha256(val_file)}
    metadata = {"format_version": 1, "status": "finished", "identity": identity, "model": model.model_dump()}
    (folder / "training_metadata.yaml").write_text(dump_yaml(metadata))
    config = TrainConfig(model="m", data={"train_file": str(train_file), "val_file": str(val_file)})
    (folder / "config.yaml").write_text(dump_yaml(config.model_dump(mode="json")))
    return find_model(str(folder))


def test_rows_of_the_training_data_are_refused_with_counts_before_the_model_is_loaded(backend, run, base, eval_file):
    with pytest.raises(DataError, match=r"train\.jsonl: 1 exactly and 1 nearly \(rows 2, 3\)") as caught:
        evaluate_model(run, eval_file)
    assert caught.value.details["overlap"]["rows"] == [2, 3]
    assert "--allow-overlap" in caught.value.hint
    with pytest.raises(DataError, match="1 exactly and 1 nearly"):
        compare_models(base, run, eval_file=eval_file)
    assert backend.opened == []


def test_an_allowed_overlap_is_in_the_report_and_still_refused_where_it_is_not_allowed(run, eval_file):
    first = evaluate_model(run, eval_file, allow_overlap=True)
    overlap = json.loads(first.report_file.read_text())["overlap"]
    assert (overlap["num_exact"], overlap["num_near"]) == (1, 1)
    assert evaluate_model(run, eval_file, allow_overlap=True).is_reused
    with pytest.raises(DataError):
        evaluate_model(run, eval_file)


def test_rows_that_are_not_evaluated_do_not_count(run, eval_file):
    report = evaluate_model(run, eval_file, limit=1).report
    assert (report.overlap.num_exact, report.overlap.num_near) == (0, 0)
    assert describe_overlap(report.overlap) == ""


def test_rows_are_compared_once_and_then_read_in_the_report(backend, run, eval_file, train_file):
    first = evaluate_model(run, eval_file, limit=1)
    train_file.unlink()
    second = evaluate_model(run, eval_file, limit=1)
    assert second.is_reused
    assert second.report.overlap == first.report.overlap
    assert len(backend.opened) == 1


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_training_data_that_cannot_be_compared_is_said_and_recorded(run, eval_file, train_file, damage):
    train_file.unlink() if damage == "gone" else write(train_file, ["else"])
    report = evaluate_model(run, eval_file).report
    assert report.overlap.num_exact is None
    assert str(train_file) in describe_overlap(report.overlap)
    assert describe_overlap(report.overlap).startswith("rows were not compared with the training data")


@pytest.mark.parametrize("damage", ["moved", "changed"])
@pytest.mark.parametrize(("name", "part", "num_rows"), [("train.jsonl", "training", 3), ("val.jsonl", "validation", 1)])
def test_a_file_that_the_run_has_read_is_known_by_its_hash_wherever_it_lies(
    backend, run, tmp_path, damage, name, part, num_rows
):
    moved = tmp_path / "elsewhere.jsonl"
    (tmp_path / name).rename(moved)
    if damage == "changed":
        write(tmp_path / name, ["else"])
    with pytest.raises(DataError, match=rf"{part} data, .*{name}: {num_rows} exactly") as caught:
        evaluate_model(run, moved)
    assert caught.value.details["overlap"]["num_exact"] == num_rows
    assert backend.opened == []


def test_an_overlap_that_is_known_by_its_hash_can_be_allowed_and_is_recorded(run, tmp_path, base):
    script = dict.fromkeys(["seen before", LONG, "other"], "yes")
    write_script(tmp_path / "base.json", script)
    moved = (tmp_path / "train.jsonl").rename(tmp_path / "elsewhere.jsonl")
    report = evaluate_model(run, moved, allow_overlap=True).report
    assert (report.overlap.num_exact, report.overlap.rows) == (3, [1, 2, 3])


def test_a_report_from_before_this_check_gets_it_without_being_computed_again(backend, run, eval_file):
    first = evaluate_model(run, eval_file, limit=1)
    content = json.loads(first.report_file.read_text())
    del content["overlap"], content["options"]
    first.report_file.write_text(json.dumps(content))
    assert evaluate_model(run, eval_file, limit=1).is_reused
    assert json.loads(first.report_file.read_text())["overlap"]["num_exact"] == 0
    assert len(backend.opened) == 1


def test_a_model_that_is_no_run_has_no_overlap(base, eval_file):
    assert evaluate_model(base, eval_file).report.overlap is None
