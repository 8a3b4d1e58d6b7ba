"""Rows that held-out data share with the training data are found, however they are written."""

from __future__ import annotations

import json
from pathlib import Path

from mistraltune.data.conversation import ask
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.overlap import find_overlap

LONG = " ".join(f"word{number}" for number in range(60))


def opened(path: Path, *questions: str) -> ConversationFile:
    rows = [{"instruction": question, "output": "answer"} for question in questions]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ConversationFile.open(path)


def test_equal_rows_are_found_whatever_their_spelling(tmp_path: Path) -> None:
    train = opened(tmp_path / "train.jsonl", "Same  thing", "other")
    val = opened(tmp_path / "val.jsonl", "new", "same THING")
    shared = find_overlap(train, val)
    assert [(row.row, row.similarity) for row in shared.exact] == [(1, 1.0)]
    assert shared.exact[0].source == f"{tmp_path / 'val.jsonl'}:2"
    assert shared.exact[0].same_as == f"{tmp_path / 'train.jsonl'}:1"
    assert not shared.near
    assert not find_overlap([ask("a")], [ask("b")])
    assert not find_overlap([], [ask("b")])


def test_nearly_equal_rows_are_found_with_the_row_that_they_are_most_like(tmp_path: Path) -> None:
    train = opened(tmp_path / "train.jsonl", "short", f"{LONG} Why?", f"{LONG} How come?")
    val = opened(tmp_path / "val.jsonl", f"{LONG} How come? Please!", LONG[:250], f"{LONG} WHY?")
    shared = find_overlap(train, val)
    assert [row.row for row in shared.exact] == [2]
    assert [(row.row, row.same_as.rpartition(":")[2]) for row in shared.near] == [(0, "3")]
    assert 0.9 <= shared.near[0].similarity < 1
    assert shared.counts() == {"num_exact": 1, "num_near": 1}
    assert [row["row"] for row in shared.as_dict()["rows"]] == [2, 0]
    assert not find_overlap(train, val, near=None).near


def test_what_is_shared_is_said_in_a_sentence_that_names_the_first_rows(tmp_path: Path) -> None:
    questions = [f"question {number}" for number in range(7)]
    train = opened(tmp_path / "train.jsonl", *questions)
    text = find_overlap(train, opened(tmp_path / "val.jsonl", *questions)).describe("validation", "the training data")
    assert text.startswith("7 validation rows are in the training data too: ")
    assert text.endswith("val.jsonl:5 and 2 more")
    text = find_overlap(train, opened(tmp_path / "val.jsonl", "QUESTION 1")).describe("validation", "train.jsonl")
    assert text.startswith("1 validation row is in train.jsonl too: ")
