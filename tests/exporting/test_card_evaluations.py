"""A model card shows only evaluations that say how good the model is, and how each was made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mistraltune.exporting.card_evaluations import (
    FIRST_ROWS,
    OLDER,
    OTHER_MODEL,
    TRAINED_ON,
    CardEvaluations,
    card_evaluations,
    describe_evaluation,
)
from mistraltune.results import EvalReport, ModelRef, Overlap

TEST_FILE = "ab" * 32


def report(**changes: Any) -> EvalReport:
    fields: dict[str, Any] = {
        "model": ModelRef(model="base", adapter="/home/someone/outputs/run"),
        "evaluator": "text",
        "eval_file": "/home/someone/test.jsonl",
        "eval_sha256": TEST_FILE,
        "num_examples": 110,
        "metrics": {"exact_match": 0.5},
        "intervals": {},
        "sampling": {"max_new_tokens": 64},
        "overlap": Overlap(train_file="/home/someone/train.jsonl", num_exact=0, num_near=0),
    }
    return EvalReport(**fields | changes)


@pytest.fixture
def sorted_out(tmp_path: Path) -> Any:
    """`sorted_out(oldest, ..., newest)`: those reports as a run's card has them."""

    def call(*reports: EvalReport) -> CardEvaluations:
        for age, each in enumerate(reversed(reports)):
            file = tmp_path / f"{age}.json"
            file.write_text(each.model_dump_json())
            os.utime(file, (1_000 - age, 1_000 - age))
        return card_evaluations(tmp_path, trained_on={"11" * 32, "22" * 32})

    return call


@pytest.mark.parametrize(
    "changes",
    [
        {"overlap": Overlap(train_file="t", num_exact=1, num_near=0)},
        {"overlap": Overlap(train_file="t", num_exact=0, num_near=1)},
        {"eval_sha256": "11" * 32},
        {"eval_sha256": "22" * 32},
    ],
)
def test_figures_on_training_or_validation_data_are_left_out_and_counted(sorted_out: Any, changes: Any) -> None:
    found = sorted_out(report(), report(**changes))
    assert found == ([report()], {TRAINED_ON: 1})
    assert found.note() == "Evaluations left out: 1 on training or validation data."


def test_the_base_is_not_shown_as_the_run(sorted_out: Any) -> None:
    assert sorted_out(report(model=ModelRef(model="base"))) == ([], {OTHER_MODEL: 1})


def test_the_newest_comes_first_and_stands_for_older_ones_like_it(sorted_out: Any) -> None:
    older, longer, newer = report(), report(sampling={"max_new_tokens": 128}), report(metrics={"exact_match": 0.6})
    assert sorted_out(older, newer, longer) == ([longer, newer], {OLDER: 1})


def test_a_try_on_the_first_rows_gives_way_to_the_whole_file(sorted_out: Any) -> None:
    tried = report(limit=2, num_examples=2, sampling={"max_new_tokens": 8})
    assert sorted_out(report(), tried) == ([report()], {FIRST_ROWS: 1})


def test_where_there_is_no_other_the_first_rows_are_shown_as_what_they_are(sorted_out: Any) -> None:
    tried = report(limit=2, num_examples=2)
    assert sorted_out(tried) == ([tried], {})
    assert describe_evaluation(tried) == (
        f"2 rows of `test.jsonl`, SHA-256 `{TEST_FILE}`, text evaluator (limit: the first 2 rows; max_new_tokens: 64; "
        "turns: last; language: en; metrics: the evaluator's own)."
    )


def test_every_option_is_told_and_no_place_is() -> None:
    options = {"turns": "all", "language": "fr", "metrics": ["chrf", "f1"]}
    text = describe_evaluation(report(options=options, eval_file="C:\\Users\\someone\\chats.jsonl"))
    assert text == (
        f"110 answers in rows of `chats.jsonl`, SHA-256 `{TEST_FILE}`, text evaluator (limit: none; "
        "max_new_tokens: 64; turns: all; language: fr; metrics: chrf, f1)."
    )


def test_rows_that_were_not_compared_with_the_training_data_are_said_to_be(sorted_out: Any) -> None:
    unknown = report(overlap=Overlap(train_file="/home/someone/train.jsonl", problem="/home/someone is gone"))
    assert sorted_out(unknown).shown == [unknown]
    text = describe_evaluation(unknown)
    assert text.endswith("The rows were not compared with the training data.")
    assert "someone" not in text


def test_the_card_of_a_run_that_was_evaluated_on_its_training_rows_says_so(
    mistraltune: Any, run: Path, rows: Path
) -> None:
    short = ("--limit", "2", "--max-new-tokens", "2", "--json")
    for name, options in (("train", ("--allow-overlap",)), ("new", ())):
        file = rows / "train.jsonl" if name == "train" else run.parent / "new.jsonl"
        if name == "new":
            lines = [{"instruction": f"Name the {thing}.", "output": thing} for thing in ("sea", "sun", "moon")]
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = mistraltune("eval", "--model", run, "--eval-file", file, *short, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["limit"] == 2
    done = mistraltune("export", "push", run, "me/tickets", "--dry-run")
    assert "Evaluations left out: 1 on training or validation data." in done.stdout
    assert "left out" in done.stderr
    assert "2 rows of `new.jsonl`" in done.stdout
    assert "limit: the first 2 rows; max_new_tokens: 2" in done.stdout
    assert "train.jsonl" not in done.stdout
