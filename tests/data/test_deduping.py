"""A file without its duplicates: the first of those that are alike stays, and nothing else goes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from mistraltune.data.deduping import dedupe_file
from mistraltune.data.reading import ConversationFile
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


def test_bad_rows_and_unfit_targets_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(line("a") + b"{}\n")
    with pytest.raises(DataError):
        dedupe_file(source, tmp_path / "out.jsonl")
    source.write_bytes(line("a"))
    with pytest.raises(ConfigError, match="own source"):
        dedupe_file(source, source, replace=True)
