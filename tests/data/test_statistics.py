"""What a file is like: counted once more, plainly."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_rows import HELLO, HI, TOOL_ROW

from mistraltune.data import spreading, statistics
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.converting import convert_file
from mistraltune.data.rendering import MistralRenderer
from mistraltune.data.reopening import Reopening
from mistraltune.data.statistics import MAX_BINS, DataStatistics, Overlap, describe, overlaps, summarise_lengths


def row(text: str) -> dict[str, str]:
    return {"instruction": text, "output": "answer"}


def opened(path: Path, *rows: Any) -> ConversationFile:
    path.write_text("".join(json.dumps(value) + "\n" for value in rows))
    return ConversationFile.open(path)


def described(path: Path, *rows: Any, tokenizer: str = "tekken", **options: Any) -> DataStatistics:
    return describe(opened(path, *rows), MistralRenderer.from_name(tokenizer).render, **options)


def test_tokens_sequences_and_trained_tokens_are_those_of_the_renderer(tmp_path: Path) -> None:
    file = opened(tmp_path / "a.jsonl", {"messages": [HI, HELLO]}, TOOL_ROW)
    renderer = MistralRenderer.from_name("tekken")
    sequences = [sequence for conversation in file for sequence in renderer.render(conversation)]
    found = describe(file, renderer.render)
    assert (found.num_rows, found.num_sequences) == (2, len(sequences)) == (2, 3)
    assert found.num_tokens == sum(len(sequence.token_ids) for sequence in sequences)
    assert found.num_trained_tokens == sum(sequence.num_trained_tokens for sequence in sequences)
    assert found.lengths.longest == max(len(sequence.token_ids) for sequence in sequences)
    assert found.format == "messages"


def test_rows_that_repeat_an_earlier_one_are_counted_whatever_their_case_and_spacing(tmp_path: Path) -> None:
    found = described(tmp_path / "a.jsonl", row("a"), row("b"), row(" A "), row("a"))
    assert found.num_duplicates == 2


def test_rows_that_are_too_long_are_counted_and_named_and_kept(tmp_path: Path) -> None:
    found = described(tmp_path / "a.jsonl", row("a"), row("long " * 50), max_length=20)
    assert (found.num_too_long, found.num_sequences) == (1, 2)
    (named,) = found.too_long
    assert named["row"].endswith("a.jsonl:2")
    assert named["num_tokens"] == found.lengths.longest > 50


def test_rows_that_the_tokenizer_refuses_are_counted_apart(tmp_path: Path) -> None:
    found = described(tmp_path / "a.jsonl", TOOL_ROW, {"messages": [HI, HELLO]}, tokenizer="v1")
    assert (found.num_rows, found.num_refused, found.num_sequences) == (2, 1, 1)
    assert found.refused[0].line == 1


def test_steps_are_those_that_a_training_takes(tmp_path: Path) -> None:
    rows = [row(str(number)) for number in range(33)]
    assert described(tmp_path / "a.jsonl", *rows).steps_per_epoch == 3
    assert described(tmp_path / "a.jsonl", *rows, rows_per_step=33).steps_per_epoch == 1


def test_files_are_paired_with_what_they_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = ((row("a"), row("b")), (row("c"), row("B"), row("b")), (row("d"),))
    rows = [opened(tmp_path / f"{number}.jsonl", *content) for number, content in enumerate(contents)]
    files = [describe(file, MistralRenderer.from_name("tekken").render) for file in rows]
    first, second, third = (file.file for file in files)
    assert overlaps(files, rows) == [
        Overlap(first, second, 2, 0),
        Overlap(first, third, 0, 0),
        Overlap(second, third, 0, 0),
    ]
    monkeypatch.setattr(statistics, "NEAR_ROWS", 3)
    assert overlaps(files, rows) == [
        Overlap(first, second, 2, None),
        Overlap(first, third, 0, 0),
        Overlap(second, third, 0, None),
    ]


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(tmp_path / "a.jsonl", *[row(f"row {number % 90} " * (number % 7 + 1)) for number in range(300)])
    renderer = MistralRenderer.from_name("tekken")
    options = {"max_length": 20}
    alone = describe(file, renderer.render, **options)
    monkeypatch.setattr(spreading, "CHUNK", 20)
    monkeypatch.setattr(spreading, "ROWS_PER_PROCESS", 50)
    monkeypatch.setattr(spreading, "num_cores", lambda: 2)
    reopening = Reopening(partial(MistralRenderer.from_name, "tekken"), renderer.fingerprint)
    together = describe(file, renderer.render, reopening=reopening, **options)
    assert together == alone
    assert together.keys == alone.keys


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=200))
def test_the_bins_hold_every_length_once_and_leave_no_gap(lengths: list[int]) -> None:
    found = summarise_lengths(lengths)
    assert len(found.bins) <= MAX_BINS
    assert [bin_.low for bin_ in found.bins[1:]] == [bin_.high + 1 for bin_ in found.bins[:-1]]
    counts = [sum(bin_.low <= length <= bin_.high for length in lengths) for bin_ in found.bins]
    assert [bin_.count for bin_ in found.bins] == counts
    assert sum(counts) == len(lengths)
    assert (found.shortest, found.longest) == (min(lengths), max(lengths))
    assert found.mean == pytest.approx(mean(lengths))


def test_percentiles_are_the_nearest_rank() -> None:
    found = summarise_lengths(range(1, 201))
    assert found.percentiles == {"p5": 10, "p25": 50, "p50": 100, "p75": 150, "p95": 190, "p99": 198}


def test_one_very_long_row_does_not_hide_how_the_others_differ() -> None:
    found = summarise_lengths([*range(100, 400), 90_000])
    assert len(found.bins) > 5
    assert (found.bins[-1].high, found.bins[-1].count) == (90_000, 1)  # alone: the bin before it is as wide as all


def test_the_bins_of_real_rows_are_numpys(tmp_path: Path, shared_data: Path) -> None:
    convert_file(shared_data / "instruct" / "glaive_toolcall_en_demo.json", tmp_path / "rows.jsonl")
    renderer = MistralRenderer.from_name("tekken")
    file = ConversationFile.open(tmp_path / "rows.jsonl")
    lengths = [len(sequence.token_ids) for row in file for sequence in renderer.render(row)]
    bins = summarise_lengths(lengths).bins
    counts, _ = np.histogram(lengths, bins=[*(bin_.low for bin_ in bins), bins[-1].high])  # numpy's last bin is closed
    assert [bin_.count for bin_ in bins] == counts.tolist()
    assert {bin_.high + 1 - bin_.low for bin_ in bins[:-1]} == {100}
    assert (bins[-1].low, bins[-1].high) == (1_300, max(lengths))  # few are longer than p99
