"""Near-duplicates are those of an exact comparison, all but a few of them, and found in time."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from mistraltune.data import near_duplicates, spreading
from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.near_duplicates import MAX_CANDIDATES, RECALL, bands, candidates, near_pairs
from mistraltune.data.shingles import common_shingles, jaccard, shingles_of

THRESHOLDS = [0.95, 0.9, 0.8, 0.6]


def row(question: str, answer: str = "answer") -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)))


def words(generator: random.Random, count: int) -> list[str]:
    return [f"word{generator.randrange(2_000)}" for _ in range(count)]


@cache
def planted() -> tuple[Conversation, ...]:
    """300 texts, each with a copy of which up to a fifth of the words are other ones, in a random order."""
    generator = random.Random(20261126)
    rows = []
    for _ in range(300):
        text = words(generator, generator.randrange(5, 120))
        copy = [
            word if generator.random() > 0.2 * generator.random() ** 3 else f"new{generator.randrange(10**6)}"
            for word in text
        ]
        rows += [row(" ".join(text)), row(" ".join(copy))]
    generator.shuffle(rows)
    return tuple(rows)


@cache
def similarities() -> dict[tuple[int, int], float]:
    """Exact similarity of each pair of planted rows that have a shingle in common."""
    common = common_shingles(planted(), num_rows=len(planted()))
    sets = [set(shingles_of(conversation, common=common).tolist()) for conversation in planted()]
    return {
        (later, earlier): len(sets[later] & sets[earlier]) / len(sets[later] | sets[earlier])
        for later in range(len(sets))
        for earlier in range(later)
        if not sets[later].isdisjoint(sets[earlier])
    }


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_nearly_every_planted_pair_is_found_and_nothing_else(threshold: float) -> None:
    exact = {pair: value for pair, value in similarities().items() if value >= threshold}
    found = {(pair.row, pair.earlier): pair.similarity for pair in near_pairs(planted(), threshold)}
    assert len(exact) > 40
    assert found.items() <= exact.items()
    assert len(found) >= 0.97 * len(exact)


def test_the_same_pairs_are_found_every_time_and_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = list(near_pairs(planted(), 0.8))
    monkeypatch.setattr(spreading, "CHUNK", 30)
    monkeypatch.setattr(spreading, "ROWS_PER_PROCESS", 100)
    monkeypatch.setattr(spreading, "num_cores", lambda: 2)
    assert list(near_pairs(planted(), 0.8)) == alone
    assert [pair.row for pair in alone] == sorted(pair.row for pair in alone)


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_the_bands_find_a_pair_that_is_just_alike_enough(threshold: float) -> None:
    num_bands = bands(threshold)
    num_hashes = near_duplicates.NUM_PERMUTATIONS // num_bands
    assert num_bands * num_hashes == near_duplicates.NUM_PERMUTATIONS
    assert 1 - (1 - threshold**num_hashes) ** num_bands >= RECALL


@pytest.mark.parametrize("threshold", [0, -1, 1.1])
def test_a_similarity_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="similarity"):
        bands(threshold)


def test_only_pairs_across_two_sets_are_given_where_there_are_two() -> None:
    generator = random.Random(1)
    texts = [" ".join(words(generator, 60)) for _ in range(40)]
    first = [row(text) for text in texts] + [row(f"{text} more") for text in texts[:5]]
    second = [row(f"{text} again") for text in texts[:10]] + [row(f"again {text}") for text in texts[:10]]
    pairs = list(near_pairs(first + second, 0.9, num_first=len(first)))
    assert {pair.row for pair in pairs} == set(range(len(first), len(first) + 20))
    assert all(pair.earlier < len(first) for pair in pairs)


def test_a_band_that_all_rows_share_gives_no_more_pairs_than_rows() -> None:
    keys = np.full((1_000, 16), 7, dtype=np.uint64)
    found = list(candidates(keys))
    assert len(found) == 999
    assert all(earlier in ([0], [0, row - 1], [row - 1, 0]) for row, earlier in found)
    assert max(len(earlier) for _, earlier in candidates(np.zeros((50, 64), dtype=np.uint64))) <= MAX_CANDIDATES


def test_clusters_of_near_copies_are_compared_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(3)
    bases = [words(generator, 80) for _ in range(20)]
    rows = []
    for number in range(2_000):
        text = list(bases[number % 20])
        text[generator.randrange(80)] = f"new{number}"
        rows.append(row(" ".join(text)))
    compared = []
    monkeypatch.setattr(near_duplicates, "jaccard", lambda *sets: compared.append(1) or jaccard(*sets))
    found = {pair.row for pair in near_pairs(rows, 0.8)}
    assert len(found) >= 0.99 * (len(rows) - 20)
    assert len(compared) <= MAX_CANDIDATES * len(rows)


def test_no_rows_and_one_row_have_no_pairs() -> None:
    assert list(near_pairs([], 0.9)) == []
    assert list(near_pairs([row("a")], 0.9)) == []


# Shingles


def test_case_width_punctuation_and_spacing_make_no_difference_and_the_order_of_words_does() -> None:
    assert jaccard(shingles_of(row("The CAT, the dog!")), shingles_of(row("the  cat the ｄｏｇ"))) == 1
    assert jaccard(shingles_of(row("dog bites man")), shingles_of(row("man bites dog"))) < 0.5
    assert jaccard(shingles_of(row("a b")), shingles_of(row("b a"))) < 1


def test_who_says_something_makes_a_difference() -> None:
    assert jaccard(shingles_of(row("yes", "no")), shingles_of(row("no", "yes"))) == 0


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    similarity = jaccard(shingles_of(row("今日はとても良い天気ですね")), shingles_of(row("今日はとても悪い天気ですね")))
    assert 0.5 < similarity < 1


def test_tool_calls_count_as_words() -> None:
    def calling(city: str) -> Conversation:
        call = ToolCall("abcdefghi", "weather", f'{{"city": "{city}"}}')
        return Conversation((Message("user", "How is it?"), Message("assistant", tool_calls=(call,))))

    assert jaccard(shingles_of(calling("Paris")), shingles_of(calling("Rome"))) < 1


def test_rows_without_a_word_are_all_alike() -> None:
    assert jaccard(shingles_of(row("?", "!")), shingles_of(row("...", "!"))) == 1


def test_an_instruction_that_all_rows_share_makes_them_no_duplicates() -> None:
    instruction = "Label this ticket as one of billing, delivery, account or bug, and say whether it is urgent. " * 3
    rows = [row(f"{instruction} Ticket {number}: {number * 7919 % 1000} fails") for number in range(100)]
    assert list(near_pairs(rows, 0.9)) == []
    assert list(near_pairs([*rows, rows[3]], 0.9)) == [(100, 3, 1.0)]


def test_a_row_that_holds_nothing_but_what_all_say_is_still_compared() -> None:
    rows = [row("the same question")] * 30
    assert {pair.row for pair in near_pairs(rows, 0.9)} == set(range(1, 30))
