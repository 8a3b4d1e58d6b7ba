"""A file without its duplicates: the first of those that are alike stays, and nothing else goes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.deduping import dedupe_file
from mistraltune.data.shingles import common_shingles, jaccard, shingles_of
from mistraltune.errors import ConfigError, DataError

LONG = " ".join(f"word{number}" for number in range(60))


def line(text: str, ending: bytes = b"\n") -> bytes:
    return json.dumps({"instruction": text, "output": "answer"}).encode() + ending


def test_equal_rows_go_and_the_first_stays_byte_for_byte(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    lines = [line("A b", b"\r\n"), b"\n", line("c"), line("a  B"), line("c"), line("d")]
    source.write_bytes(b"".join(lines))
    done = dedupe_file(source, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == lines[0] + lines[2] + lines[5]
    assert done.duplicates == [(4, 1, 1.0), (5, 3, 1.0)]
    assert (done.num_rows, done.num_kept, done.num_exact, done.num_near) == (5, 3, 2, 0)
    assert source.read_bytes() == b"".join(lines)
    assert not dedupe_file(source, tmp_path / "out.jsonl").is_written


def test_nearly_equal_rows_go_only_where_that_is_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(line(LONG) + line(f"{LONG} more") + line("other") + line(f"{LONG} MORE"))
    assert dedupe_file(source, tmp_path / "exact.jsonl").num_kept == 3
    done = dedupe_file(source, tmp_path / "near.jsonl", near=0.9)
    assert [(row.line, row.duplicate_of) for row in done.duplicates] == [(2, 1), (4, 1)]
    assert all(0.9 <= row.similarity < 1 for row in done.duplicates)
    assert (done.num_exact, done.num_near) == (0, 2)


def test_every_row_that_goes_is_like_a_row_that_stays(tmp_path: Path) -> None:
    generator = random.Random(5)
    text = LONG.split()
    lines = []
    for number in range(120):  # a chain: each is like its neighbours, the last is nothing like the first
        text[generator.randrange(len(text))] = f"new{number}"
        lines.append(line(" ".join(text)))
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"".join(lines))
    done = dedupe_file(source, tmp_path / "out.jsonl", near=0.8)
    gone = {row.line for row in done.duplicates}
    assert 20 < len(gone) < 119
    assert not gone & {row.duplicate_of for row in done.duplicates}
    rows = ConversationFile.open(source)
    common = common_shingles(rows, num_rows=len(rows))
    for row in done.duplicates:
        pair = (shingles_of(rows[line - 1], common=common) for line in (row.line, row.duplicate_of))
        assert jaccard(*pair) == row.similarity >= 0.8


def answered(question: str, *answers: str, weights: tuple[int, ...] = (1, 1, 1)) -> dict[str, object]:
    messages: list[dict[str, object]] = []
    for answer, weight in zip(answers, weights, strict=False):
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer, "weight": weight}]
    return {"messages": messages}


def kept_of(folder: Path, *rows: dict[str, object], near: float = 0.9) -> tuple[int, int]:
    """How many rows stay, and how many of them for their answers alone."""
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = dedupe_file(folder / "in.jsonl", folder / "out.jsonl", near=near, replace=True)
    return done.num_kept, len(done.other_answers)


def test_several_questions_about_one_context_all_stay(tmp_path: Path) -> None:
    generator = random.Random(7)
    rows = []
    for number in range(60):
        context = " ".join(f"fact{generator.randrange(10**6)}" for _ in range(120))
        for question, answer in (("who signed", "Ada"), ("when was it", "1843"), ("where is it", "Turin")):
            rows.append(answered(f"{context} {question}", f"{answer} {number}"))
    assert kept_of(tmp_path, *rows) == (180, 120)


TEXT = " ".join(f"said{number}" for number in range(50))


@pytest.mark.parametrize(
    ("first", "second", "is_dropped"),
    [
        ("Yes", "no", False),
        ("-5", "5", False),
        ("x > 3", "x < 3", False),
        ("Paris", " paris ", True),
        (TEXT, f"{TEXT} indeed", True),
        (TEXT, " ".join(reversed(TEXT.split())), False),
        ("yes", f"yes {TEXT}", False),
    ],
)
def test_rows_that_are_alike_go_only_where_their_answers_are_alike(
    tmp_path: Path, first: str, second: str, is_dropped: bool
) -> None:
    question = " ".join(f"{LONG} {number}" for number in range(12)) + " ".join(f"w{n} u{n}" for n in range(600))
    kept = kept_of(tmp_path, answered(question, first), answered(f"{question} please", second))
    assert kept == ((1, 0) if is_dropped else (2, 1))


def test_a_label_in_a_usual_frame_is_another_answer(tmp_path: Path) -> None:
    def verdict(number: int) -> str:
        return f"{TEXT} label{number} {TEXT}"

    usual = [answered(f"question {number}", verdict(number)) for number in range(40)]
    pair = (answered(LONG * 2, verdict(100)), answered(f"{LONG * 2} please", verdict(101)))
    assert kept_of(tmp_path, *usual, *pair) == (42, 1)


def test_only_answers_that_are_trained_must_be_alike(tmp_path: Path) -> None:
    rows = (answered(LONG, "one", "same"), answered(LONG, "two", "same"))
    assert kept_of(tmp_path, *rows) == (2, 1)
    untrained = (0, 1)
    rows = (answered(LONG, "one", "same", weights=untrained), answered(LONG, "two", "same", weights=untrained))
    assert kept_of(tmp_path, *rows) == (1, 0)


def test_other_arguments_of_a_tool_call_are_another_answer(tmp_path: Path) -> None:
    def calling(city: str) -> dict[str, object]:
        call = {
            "id": "abcdefgh1",
            "type": "function",
            "function": {"name": "weather", "arguments": json.dumps({"city": city})},
        }
        tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
        question = {"role": "user", "content": LONG * 2}
        return {"messages": [question, {"role": "assistant", "tool_calls": [call]}], "tools": [tool]}

    call_of = [calling("Oslo"), calling("Bern")]
    assert kept_of(tmp_path, *call_of) == (2, 1)


def test_bad_rows_and_unfit_targets_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(line("a") + b"{}\n")
    with pytest.raises(DataError):
        dedupe_file(source, tmp_path / "out.jsonl")
    source.write_bytes(line("a"))
    with pytest.raises(ConfigError, match="own source"):
        dedupe_file(source, source, replace=True)
