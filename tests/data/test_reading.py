from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from raw_rows import GOOD, numbered, write, write_numbered

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.findings import Finding
from mistraltune.data.lines import MAX_LINE_BYTES, display_name
from mistraltune.data.reading import checked_rows, read_conversation, read_rows
from mistraltune.errors import ConfigError, DataError


def findings(path: Path) -> list[Finding]:
    return [finding for _, found in checked_rows(path) for finding in found]


def errors(path: Path) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in findings(path) if finding.is_error]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [(1, "empty")]),
        (b"\n \n\n", [(1, "empty")]),
        (GOOD + b"\n" + b'{"messages":[{"ro', [(2, "json")]),
        (GOOD, []),
        (GOOD + b"\r\n" + GOOD + b"\r\n", []),
        (b"\xef\xbb\xbf" + GOOD + b"\n", []),
        (GOOD.decode().encode("utf-16"), [(1, "encoding")]),
        (GOOD.decode().encode("utf-16-le"), [(1, "encoding")]),
        (GOOD.decode().encode("utf-32"), [(1, "encoding")]),
        (GOOD + b"\n" + GOOD.replace(b"a", b"\xe9"), [(2, "encoding")]),
        (GOOD.replace(b"a", b"\\ud800"), [(1, "surrogate")]),
        (GOOD.replace(b'"a"', b'"\\u0000"'), [(1, "nul")]),
        (GOOD.replace(b'"a"', b'"\\\\u0000"'), []),
        (GOOD + b"\r" + GOOD + b"\r", [(1, "newline")]),
        (GOOD.replace(b"a", "a\u2028b\u0085c".encode()), []),
        (GOOD[:-1] + b', "x": NaN}\n' + GOOD, [(1, "number")]),
        (GOOD[:-1] + b', "output": "c"}\n', [(1, "duplicate-key")]),
        (GOOD[:-1] + b', "x": ' + b"[" * 64 + b"]" * 64 + b"}", [(1, "depth")]),
        (GOOD + GOOD + b"\n" + GOOD, [(1, "json")]),
        (b"[" + GOOD + b"]", [(1, "json-array")]),
        (b"[\n  " + GOOD + b"\n]\n", [(1, "json-array")]),
        (b'{\n  "instruction": "a"\n}\n', [(1, "json")]),
        (b"null\n[]\n1\n" + GOOD, [(1, "not-an-object"), (2, "not-an-object"), (3, "not-an-object")]),
        (b"\x1f\x8b\x08\x00" + b"x" * 100, [(1, "compressed")]),
        (b"PK\x03\x04" + b"x" * 100, [(1, "compressed")]),
        (b"\xfd7zXZ\x00" + b"x" * 100, [(1, "compressed")]),
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, [(1, "compressed")]),
        (b"BZh9" + b"x" * 100, [(1, "compressed")]),
        (GOOD + b"\n\xef\xbb\xbf" + GOOD, [(2, "json")]),
        (GOOD + b"\n\x1e" + GOOD, [(2, "json")]),
    ],
)
def test_each_kind_of_bad_input_is_named_by_line_and_rule(tmp_path: Path, content: bytes, expected: list[Any]):
    assert errors(write(tmp_path / "data.jsonl", content)) == expected


def test_one_bad_line_among_many_gives_exactly_that_line(tmp_path: Path):
    lines = [json.dumps(numbered(number)).encode() for number in range(1000)]
    for bad in random.Random(0).sample(range(1000), 20):
        content = b"\n".join(line[:-3] if number == bad else line for number, line in enumerate(lines))
        assert errors(write(tmp_path / "data.jsonl", content)) == [(bad + 1, "json")]


def test_a_cut_last_line_is_said_to_look_truncated(tmp_path: Path):
    for length in range(1, len(GOOD)):
        found = findings(write(tmp_path / "data.jsonl", GOOD + b"\n" + GOOD[:length]))
        assert "the file looks truncated" in found[0].message or GOOD[:length] == b"{"


def test_a_line_without_end_that_is_merely_wrong_is_not_said_to_be_truncated(tmp_path: Path):
    found = findings(write(tmp_path / "data.jsonl", GOOD + GOOD))
    assert "truncated" not in found[0].message


def test_blank_lines_and_a_byte_order_mark_are_warnings_and_lines_keep_their_numbers(tmp_path: Path):
    path = write(tmp_path / "data.jsonl", b"\xef\xbb\xbf" + GOOD + b"\n\n" + GOOD + b"\n{}\n")
    found = [(finding.line, finding.rule, finding.is_error) for finding in findings(path)]
    assert found == [(1, "bom", False), (2, "blank-line", False), (4, "format", True)]


def test_lines_up_to_the_cap_are_read_and_longer_ones_refused_without_losing_the_next(tmp_path: Path):
    def line(length: int) -> bytes:
        frame = b'{"instruction": "a", "output": ""}'
        return frame[:-2] + b"x" * (length - len(frame)) + frame[-2:]

    longest = line(MAX_LINE_BYTES)
    path = write(tmp_path / "data.jsonl", longest + b"\r\n" + line(MAX_LINE_BYTES + 1) + b"\n" + GOOD + b"\n{}")
    assert errors(path) == [(2, "line-too-long"), (4, "format")]
    path = write(tmp_path / "data.jsonl", longest + b"\n" + line(3 * MAX_LINE_BYTES) + b"\n" + GOOD)
    assert errors(path) == [(2, "line-too-long")]
    rows = list(read_rows(path))
    assert rows[-1].value == {"instruction": "a", "output": "b"}
    assert rows[-1].offset == 4 * MAX_LINE_BYTES + 2


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path):
    fifo, loop = tmp_path / "fifo", tmp_path / "loop"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    for path in (fifo, loop, tmp_path, Path("/dev/zero")):
        assert errors(path) == [(0, "not-a-file")]


def test_a_symlink_to_a_file_is_followed(tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(write(tmp_path / "data.jsonl", GOOD))
    assert errors(link) == []


def test_a_file_that_is_not_there_is_a_mistake_in_the_command(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file"):
        list(read_rows(tmp_path / "absent.jsonl"))
    with pytest.raises(ConfigError, match="no such file"):
        ConversationFile.open(tmp_path / "absent.jsonl")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path):
    path = write_numbered(tmp_path / "data.jsonl", 3)
    rows = read_rows(path)
    next(rows)
    with path.open("ab") as file:
        file.write(GOOD)
    assert [found.problem.rule for found in rows if found.problem] == ["changed"]


@pytest.mark.parametrize("name", ["a\nb.jsonl", "-rf", "\udcff.jsonl", "x" * 255, "😀.jsonl"])
def test_any_file_name_works_and_is_quoted_where_it_would_not_print(tmp_path: Path, name: str):
    path = write(tmp_path / name, b"{}")
    (finding,) = findings(path)
    assert finding.file.isprintable()
    finding.file.encode()
    if name.isprintable():
        assert display_name(path) == str(path)


def test_random_bytes_in_a_good_file_never_crash_the_reader(tmp_path: Path):
    chance = random.Random(1)
    good = b"".join(json.dumps(numbered(number)).encode() + b"\n" for number in range(5))
    for _ in range(500):
        content = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        findings(write(tmp_path / "data.jsonl", bytes(content)))


def test_a_row_is_found_by_its_number_among_rows_not_lines(tmp_path: Path):
    path = write(tmp_path / "data.jsonl", b"\n" + GOOD + b"\n\n" + GOOD.replace(b"a", b"second") + b"\n{}\nnull")
    assert read_conversation(path, 2).messages[0].content == "second"
    with pytest.raises(DataError, match=":5 format"):
        read_conversation(path, 3)
    with pytest.raises(ConfigError, match="4 rows, so no row 5"):
        read_conversation(path, 5)


def test_a_row_of_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path):
    with pytest.raises(DataError, match="json-array"):
        read_conversation(write(tmp_path / "data.json", b"[" + GOOD + b"]"), 1)
    with pytest.raises(DataError, match="not-a-file"):
        read_conversation(tmp_path, 1)
