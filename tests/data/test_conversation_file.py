from __future__ import annotations

import hashlib
import json
import multiprocessing
import pickle
import tracemalloc
from pathlib import Path

import pytest
from raw_rows import GOOD, numbered, write, write_numbered

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.errors import DataError


def test_a_conversation_file_gives_every_row_by_index_with_its_line_as_source(tmp_path: Path):
    content = b"\xef\xbb\xbf\n" + GOOD + b"\r\n\n \n" + GOOD.replace(b"a", "é".encode()) + b"\n\n" + GOOD
    path = write(tmp_path / "data.jsonl", content)
    file = ConversationFile.open(path)
    assert len(file) == 3
    assert [conversation.messages[0].content for conversation in file] == ["a", "é", "a"]
    assert [conversation.source for conversation in file] == [f"{path}:{line}" for line in (2, 5, 7)]
    assert file[-1] == file[2]
    assert [conversation.source for conversation in file[1:]] == [f"{path}:5", f"{path}:7"]
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert [warning.rule for warning in file.warnings] == ["bom", *["blank-line"] * 4]
    with pytest.raises(IndexError):
        file[3]


def test_opening_a_file_with_errors_names_all_of_them(tmp_path: Path):
    path = write(tmp_path / "data.jsonl", b'{}\n{"instruction": "a", "output": 1}\n' + GOOD)
    with pytest.raises(DataError) as caught:
        ConversationFile.open(path)
    found = caught.value.details["findings"]
    assert [(finding["line"], finding["rule"]) for finding in found] == [(1, "format"), (2, "content")]
    assert f"{path}:2 content" in caught.value.message


def test_only_the_first_hundred_errors_are_kept_and_all_are_counted(tmp_path: Path):
    path = write(tmp_path / "data.jsonl", b"{}\n" * 250)
    with pytest.raises(DataError, match="250 errors") as caught:
        ConversationFile.open(path)
    assert len(caught.value.details["findings"]) == 100
    assert caught.value.details["num_errors"] == 250


def test_an_unchecked_file_refuses_a_bad_row_when_it_is_asked_for(tmp_path: Path):
    path = write(tmp_path / "data.jsonl", GOOD + b"\n{}\n")
    file = ConversationFile.open(path, check=False)
    assert file[0].messages[1].content == "b"
    with pytest.raises(DataError, match=":2 format"):
        file[1]


def test_a_file_that_changed_since_it_was_opened_is_refused(tmp_path: Path):
    path = write_numbered(tmp_path / "data.jsonl", 2)
    file, other = ConversationFile.open(path), ConversationFile.open(path)
    assert file[0]
    with path.open("ab") as handle:
        handle.write(GOOD)
    for opened in (file, other):
        with pytest.raises(DataError, match="changed while it was in use"):
            opened[0]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_conversation_file_travels_to_other_processes(tmp_path: Path, method: str):
    file = ConversationFile.open(write_numbered(tmp_path / "data.jsonl", 50))
    assert pickle.loads(pickle.dumps(file))[7] == file[7]
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(list, (file,)) == list(file)  # a builtin: a spawned process cannot import this module


def test_memory_does_not_grow_with_the_size_of_the_rows(tmp_path: Path):
    path = tmp_path / "data.jsonl"
    with path.open("wb") as out:
        for number in range(4000):
            out.write(json.dumps({**numbered(number), "input": "x" * 5000}).encode() + b"\n")
    tracemalloc.start()
    try:
        file = ConversationFile.open(path)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(file) == 4000
    assert held < 200_000
    assert peak < 2_500_000 < path.stat().st_size
