from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mistraltune.data import validating
from mistraltune.data.validating import RowFingerprints, check_files


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def row(text: str) -> dict[str, str]:
    return {"instruction": text, "output": "answer"}


def test_each_file_gets_its_own_report(tmp_path: Path):
    good = write(tmp_path / "good.jsonl", row("a"), "\n", row("b"))
    bad = write(tmp_path / "bad.jsonl", {"messages": []}, {}, "{\n")
    report = check_files([good, bad])
    assert [file.as_dict() for file in report.files] == [
        {"file": str(good), "format": "instruct", "num_rows": 2, "num_errors": 0, "num_warnings": 1},
        {"file": str(bad), "format": "messages", "num_rows": 3, "num_errors": 3, "num_warnings": 0},
    ]
    assert [(finding.line, finding.rule) for finding in report.findings] == [
        (2, "blank-line"),
        (1, "content"),
        (2, "format"),
        (3, "json"),
    ]
    assert (report.num_errors, report.num_warnings) == (3, 1)


def test_a_row_that_stands_twice_is_warned_about_across_files(tmp_path: Path):
    train = write(tmp_path / "train.jsonl", row("a"), row("b"), "\n", row("a"), row("a"))
    test = write(tmp_path / "test.jsonl", row("c"), row("b"))
    empty = write(tmp_path / "empty.jsonl")
    report = check_files([train, test, empty])
    found = [str(finding) for finding in report.findings if finding.rule == "duplicate"]
    assert found == [
        f"{train}:4 duplicate warning: the same row as {train}:1",
        f"{train}:5 duplicate warning: the same row as {train}:4",
        f"{test}:2 duplicate warning: the same row as {train}:2",
    ]


@pytest.mark.parametrize("num_at_once", [50_000, 10])
def test_each_duplicate_is_found_with_the_row_before_it(num_at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validating, "_FEW_ROWS", num_at_once)
    choose = random.Random(4)
    last: dict[bytes, str] = {}
    expected = []
    fingerprints = RowFingerprints()
    for name in ("one", "two", "three"):
        fingerprints.begin_file()
        line = 0
        for _ in range(400):
            line += choose.choice((1, 1, 1, 3))  # blank lines part some
            text = str(choose.randrange(600)).encode()
            fingerprints.add(line, text)
            if text in last:
                expected.append(f"{name}:{line} duplicate warning: the same row as {last[text]}")
            last[text] = f"{name}:{line}"
    assert [str(finding) for _, finding in fingerprints.duplicates(["one", "two", "three"])] == expected


def test_files_without_duplicates_or_rows_are_no_trouble(tmp_path: Path):
    assert check_files([]).findings == []
    assert check_files([write(tmp_path / "one.jsonl", row("a"))]).findings == []
