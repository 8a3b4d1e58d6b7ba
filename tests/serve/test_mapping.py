"""What a job's words mean here: one table from the wire to a training, and from its events to the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mistraltune.config import train_config_type
from mistraltune.configuring import load_config
from mistraltune.registry import get_backend
from mistraltune.results import ModelRef
from mistraltune.serve.catalogue import PUBLIC_NAMES, describe_unknown, make_catalogue
from mistraltune.serve.job_replies import describe_checkpoints, word_for
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.mapping import map_hyperparameters, read_plan
from mistraltune.serve.parts import Part, name_uploads, note_parts
from mistraltune.serve.processes import JOB, Ending, ending, parse_line, read_log
from mistraltune.serve.records import Event, Status

BASE = ModelRef(model="quickstart", quantization="nf4")


def request(**body: Any) -> JobRequest:
    return JobRequest.model_validate({"model": "quickstart", "training_files": ["x"], **body})


def mapped(tmp_path: Path, **hyperparameters: Any) -> Any:
    return map_hyperparameters(request(hyperparameters=hyperparameters), BASE, tmp_path)


@pytest.mark.parametrize(
    ("wire", "section", "key", "value"),
    [
        ({"training_steps": 250}, "training", "max_steps", 250),
        ({"training_steps": 250}, "training", "logging_steps", 3),
        ({"training_steps": 250}, "training", "save_steps", 25),
        ({"training_steps": 7, "epochs": 2}, "training", "max_steps", 7),
        ({"epochs": 2.5}, "training", "epochs", 2.5),
        ({"epochs": 2.5}, "training", "max_steps", None),
        ({"epochs": 2.5}, "training", "save_steps", None),
        ({}, "training", "epochs", 3),
        ({}, "training", "learning_rate", 1e-4),
        ({"learning_rate": 1e-5}, "training", "learning_rate", 1e-5),
        ({}, "training", "weight_decay", 0.1),
        ({"weight_decay": 0}, "training", "weight_decay", 0),
        ({}, "training", "warmup_fraction", 0.05),
        ({"warmup_fraction": None}, "training", "warmup_fraction", 0.05),
        ({}, "training", "schedule", "cosine"),
        ({}, "data", "max_length", 2048),
        ({"seq_len": 512}, "data", "max_length", 512),
        ({}, "data", "on_too_long", "error"),
        ({"fim_ratio": 0.9}, "data", "val_file", None),
    ],
)
def test_each_hyperparameter_has_its_place(
    tmp_path: Path, wire: dict[str, Any], section: str, key: str, value: Any
) -> None:
    assert getattr(getattr(mapped(tmp_path, **wire), section), key) == value


def test_a_mapped_training_is_a_configuration_that_train_local_takes(tmp_path: Path) -> None:
    from mistraltune.configuring import dump_yaml
    from mistraltune.training import rerunnable

    config = mapped(tmp_path, training_steps=5)
    (tmp_path / "config.yaml").write_text(dump_yaml(rerunnable(config)))
    config_type = train_config_type("local", get_backend("local").options)
    loaded = load_config(config_type, files=[str(tmp_path / "config.yaml")]).config
    assert loaded.without_place() | {"training": None} == config.without_place() | {"training": None}
    assert loaded.training.max_steps == 5


def test_figures_of_a_plan_keep_mistrals_equations(tmp_path: Path) -> None:
    summary = {
        "num_steps": 10,
        "train": {"num_rows": 41, "num_dropped": 1, "num_tokens": 4000},
        "memory": None,  # the model's dimensions are not known
        "disk": {"needed_bytes": 5000, "held_bytes": 0, "free_bytes": 70000},
    }
    plan = read_plan(summary, mapped(tmp_path, training_steps=10))
    assert (plan.tokens_per_step, plan.train_tokens, plan.rows_per_step) == (1333, 13330, 16)  # 40 rows are 3 steps
    assert plan.epochs == round(plan.train_tokens / plan.data_tokens, 4)
    assert (plan.memory_bytes, plan.memory_free_bytes, plan.memory_device) == (None, None, None)
    assert (plan.disk_bytes, plan.disk_free_bytes) == (5000, 70000)


def test_a_refused_row_is_named_by_the_uploaded_file_and_its_line(tmp_path: Path) -> None:
    note_parts(tmp_path, {"train.jsonl": [Part("first.jsonl", 3), Part("more.jsonl", 2)], "validation.jsonl": []})
    copy = tmp_path.resolve() / "train.jsonl"
    text = f"{copy}:3 is short; {copy}:5 (like {copy}:4); {copy}: too few rows; {copy}:6 is of nobody"
    expected = "first.jsonl:3 is short; more.jsonl:2 (like more.jsonl:1); first.jsonl, more.jsonl: too few rows"
    assert name_uploads(text, tmp_path) == f"{expected}; {copy}:6 is of nobody"
    (tmp_path / "parts.json").unlink()  # a job of an older server
    assert name_uploads(text, tmp_path) == text


def test_every_public_name_is_served_and_can_be_replaced(tiny_model: Path) -> None:
    shipped = make_catalogue()
    assert set(shipped) == set(PUBLIC_NAMES)
    replaced = make_catalogue([f"open-mistral-7b={tiny_model}", "mine=quickstart"])
    assert replaced["open-mistral-7b"].model == str(tiny_model)
    assert replaced["mine"].model == "quickstart"
    assert {ref.quantization for ref in replaced.values()} == {"nf4"}
    assert "did you mean open-mistral-7b?" in describe_unknown("open-mistral-7B", list(shipped))
    assert "no model 'unknown' here. Served: " in describe_unknown("unknown", list(shipped))


@pytest.mark.parametrize("status", Status)
def test_clients_before_1_0_hear_only_words_that_they_know(status: Status) -> None:
    known = {"QUEUED", "STARTED", "RUNNING", "FAILED", "SUCCESS", "CANCELLED", "CANCELLATION_REQUESTED"}
    assert word_for(status, "mistral-client-python/0.4.2") in known
    assert word_for(status, "speakeasy-sdk/python 1.12.4 2.794.1 1.0.0 mistralai") == status


def test_checkpoints_are_newest_first_and_a_repeated_step_counts_once() -> None:
    events = [
        Event(1, 10, "step", {"step": 1, "loss": 3.0}),
        Event(2, 11, "step", {"step": 2, "loss": 2.5}),
        Event(3, 20, "step", {"step": 2, "loss": 2.0}),
        Event(4, 21, "validation", {"step": 2, "val_loss": 1.5, "val_accuracy": 0.25}),
        Event(5, 21, "checkpoint", {"step": 2}),
    ]
    assert describe_checkpoints(events) == [
        {
            "metrics": {"train_loss": 2.0, "valid_loss": 1.5, "valid_mean_token_accuracy": 0.25},
            "step_number": 2,
            "created_at": 21,
        },
        {
            "metrics": {"train_loss": 3.0, "valid_loss": None, "valid_mean_token_accuracy": None},
            "step_number": 1,
            "created_at": 10,
        },
    ]


def test_a_log_is_read_on_from_where_it_was_left_and_never_in_half_lines(tmp_path: Path) -> None:
    assert read_log(tmp_path, offset=0) == ([], 0)
    log = tmp_path / "job.log"
    log.write_bytes(b'{"event": "step", "step": 1}\nTraceback (most')
    events, offset = read_log(tmp_path, offset=0)
    assert events == [{"event": "step", "step": 1}]
    assert read_log(tmp_path, offset=offset) == ([], offset)
    with log.open("ab") as file:
        file.write(b" recent\n\n")
    events, offset = read_log(tmp_path, offset=offset)
    assert events == [{"event": "log", "text": "Traceback (most recent"}]
    assert offset == log.stat().st_size
    log.write_bytes(b"x" * 3000)
    assert read_log(tmp_path, offset=0, max_bytes=1000) == ([{"event": "log", "text": "x" * 1000}], 1000)


@pytest.mark.parametrize("line", [b"[1]", b"null", b'{"event": 1}', b'{"no": "event"}', b"\xff", b'{"event": "x"'])
def test_a_line_that_is_no_event_is_a_log_line(line: bytes) -> None:
    assert parse_line(line)["event"] == "log"


@pytest.mark.parametrize(
    ("words", "is_interruption"),
    [
        (None, True),
        (b"", True),
        (b'{"run_dir": "x"}', False),
        (b'{"error": {"exit_code": 1, "message": "m", "hint": ""}}', False),
        (b'{"error": {"exit_code": 2, "message": "m", "hint": "h"}}', False),
        (b'{"error": {"exit_code": 5, "message": "m", "hint": "h"}}', True),
        (b'{"error": {"exit_code": 11, "message": "m", "hint": "h"}}', True),
        (b'{"error": {"exit_code": 143, "message": "m", "hint": "h"}}', True),
    ],
)
def test_last_words_tell_an_interruption_from_a_failure(
    tmp_path: Path, words: bytes | None, is_interruption: bool
) -> None:
    if words is not None:
        (tmp_path / "job.out").write_bytes(words)
    end = ending(tmp_path, JOB)
    assert isinstance(end, Ending)
    assert end.is_interruption == is_interruption
