from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mistraltune.data.splitting import assign_parts, split_file
from mistraltune.errors import ConfigError, DataError


def line(text: str, **fields: Any) -> bytes:
    return json.dumps({"instruction": text, "output": "answer", **fields}, ensure_ascii=False).encode() + b"\n"


def write(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def parts(out_dir: Path) -> dict[str, list[bytes]]:
    return {path.stem: path.read_bytes().splitlines(keepends=True) for path in sorted(out_dir.iterdir())}


def test_sizes_are_the_shares_asked_for_and_every_line_is_copied_once_in_order(tmp_path: Path):
    lines = [line(f"question {number}", id=number) for number in range(200)]
    done = split_file(write(tmp_path / "data.jsonl", lines), tmp_path / "out", val=0.1, test=0.05)
    assert done.num_rows == {"train": 170, "val": 20, "test": 10}
    assert done.num_duplicates == 0
    copied = parts(tmp_path / "out")
    assert {name: len(rows) for name, rows in copied.items()} == done.num_rows
    assert sorted(line for rows in copied.values() for line in rows) == sorted(lines)
    for rows in copied.values():
        assert rows == [line for line in lines if line in rows]


def test_the_same_seed_makes_the_same_split_whatever_the_order_and_another_seed_another(tmp_path: Path):
    lines = [line(f"question {number}") for number in range(100)]
    source = write(tmp_path / "data.jsonl", lines)
    shuffled = write(tmp_path / "shuffled.jsonl", random.Random(0).sample(lines, 100))
    split_file(source, tmp_path / "a", seed=1)
    split_file(shuffled, tmp_path / "b", seed=1)
    split_file(source, tmp_path / "c", seed=2)
    a, b, c = (set(parts(tmp_path / name)["val"]) for name in "abc")
    assert a == b
    assert a != c


def test_duplicates_after_normalising_fall_on_one_side(tmp_path: Path):
    spellings = ["Größe {}?", "GRÖSSE  {}?", " größe\t{}?\n", "Ｇröße {}?", "Gro\u0308ße {}?"]
    lines = [line(spelling.format(number)) for number in range(60) for spelling in spellings]
    random.Random(0).shuffle(lines)
    done = split_file(write(tmp_path / "data.jsonl", lines), tmp_path / "out", val=0.2, test=0.1)
    assert done.num_duplicates == 240
    assert done.num_rows == {"train": 210, "val": 60, "test": 30}
    numbers = {
        name: {"".join(filter(str.isdigit, json.loads(row)["instruction"])) for row in rows}
        for name, rows in parts(tmp_path / "out").items()
    }
    assert not numbers["train"] & numbers["val"]
    assert not numbers["train"] & numbers["test"]
    assert not numbers["val"] & numbers["test"]


def test_lines_keep_their_bytes_but_for_a_byte_order_mark_and_a_missing_last_line_end(tmp_path: Path):
    lines = [line(f"é {number}", odd=" \u2028 ") for number in range(20)]
    lines[3] = lines[3].replace(b": ", b":   ").replace(b"\n", b"\r\n")
    content = b"\xef\xbb\xbf" + b"\n".join(lines).replace(b"\n\n", b"\n \n\n").removesuffix(b"\n")
    source = tmp_path / "data.jsonl"
    source.write_bytes(content)
    split_file(source, tmp_path / "out", val=0.3)
    copied = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert sorted(copied.split(b"\n")) == sorted(b"".join(lines).split(b"\n"))


def test_a_share_of_zero_makes_no_file_and_a_small_share_at_least_one_row(tmp_path: Path):
    source = write(tmp_path / "data.jsonl", [line(str(number)) for number in range(5)])
    assert split_file(source, tmp_path / "a", val=0.0).num_rows == {"train": 5}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["train.jsonl"]
    assert split_file(source, tmp_path / "b", val=0.01).num_rows == {"train": 4, "val": 1}


@pytest.mark.parametrize(("val", "test"), [(1.0, 0.0), (0.5, 0.5), (-0.1, 0.0), (float("nan"), 0.0)])
def test_shares_that_leave_nothing_to_train_on_are_refused(tmp_path: Path, val: float, test: float):
    source = write(tmp_path / "data.jsonl", [line("a"), line("b"), line("c")])
    with pytest.raises(ConfigError, match="leave nothing to train on"):
        split_file(source, tmp_path / "out", val=val, test=test)


def test_a_part_that_would_be_empty_is_an_error(tmp_path: Path):
    source = write(tmp_path / "data.jsonl", [line("a"), line("A"), line(" a")])
    with pytest.raises(DataError, match="no rows would be left for val"):
        split_file(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_rows_stop_the_split_before_anything_is_written(tmp_path: Path):
    source = write(tmp_path / "data.jsonl", [line("a"), b"{}\n", line("b")])
    with pytest.raises(DataError, match=":2 format"):
        split_file(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_splitting_twice_changes_nothing_and_other_content_is_not_replaced_unasked(tmp_path: Path):
    source = write(tmp_path / "data.jsonl", [line(str(number)) for number in range(20)])
    out = tmp_path / "out"
    assert len(split_file(source, out).written) == 2
    inodes = [path.stat().st_ino for path in sorted(out.iterdir())]
    assert split_file(source, out).written == ()
    assert [path.stat().st_ino for path in sorted(out.iterdir())] == inodes
    before = parts(out)
    with pytest.raises(ConfigError, match="holds something else"):
        split_file(source, out, seed=1)
    assert parts(out) == before
    assert split_file(source, out, seed=1, replace=True).written
    with pytest.raises(ConfigError, match="its own source"):
        split_file(out / "train.jsonl", out, replace=True)


def test_groups_are_added_while_that_brings_a_part_closer_to_its_share():
    parts, num_duplicates = assign_parts([1] * 3 + [2] * 3 + [3] * 14, shares={1: 0.1, 2: 0.0})
    assert parts.count(1) == 3
    assert num_duplicates == 17
    parts, _ = assign_parts([1] * 10 + [2] * 10, shares={1: 0.1})
    assert parts.count(1) == 0


def test_near_duplicates_share_a_part_only_where_that_is_asked_for(tmp_path: Path):
    texts = [" ".join(f"word{(number * 60 + place) % 3_000}" for place in range(60)) for number in range(40)]
    lines = [line(f"{text}{ending}") for text in texts for ending in ("", " now", " NOW", " now please")]
    source = write(tmp_path / "data.jsonl", lines)
    done = split_file(source, tmp_path / "near", val=0.25, near=0.9)
    assert (done.num_duplicates, done.num_near) == (40, 80)
    assert done.num_rows == {"train": 120, "val": 40}
    copied = parts(tmp_path / "near")
    questions = {name: {json.loads(row)["instruction"][:400] for row in rows} for name, rows in copied.items()}
    assert not {text[:300] for text in questions["val"]} & {text[:300] for text in questions["train"]}
    plain = split_file(source, tmp_path / "plain", val=0.25)
    assert (plain.num_duplicates, plain.num_near) == (40, 0)
