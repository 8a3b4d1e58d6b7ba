"""How far answers are the same, counted."""

from __future__ import annotations

from mistraltune.exporting.agreement import compare_answers
from mistraltune.interfaces import Completion


def told(*token_ids: int) -> Completion:
    return Completion(text=str(token_ids), num_tokens=len(token_ids), finish_reason="stop", token_ids=token_ids)


def test_equal_answers_agree_in_full() -> None:
    figures = compare_answers([told(1, 2), told(3)], [told(1, 2), told(3)]).figures()
    assert (figures["answer_agreement"], figures["token_agreement"]) == (1.0, 1.0)


def test_tokens_after_the_first_difference_do_not_count_though_they_are_equal() -> None:
    agreement = compare_answers([told(1, 2, 3, 4)], [told(1, 9, 3, 4)])
    assert agreement == (1, 0, 4, 1)


def test_an_answer_that_goes_on_counts_by_its_own_length() -> None:
    assert compare_answers([told(1, 2)], [told(1, 2, 3, 4)]) == (1, 0, 4, 2)


def test_answers_without_tokens_are_compared_by_their_characters() -> None:
    ours, theirs = (Completion(text=text, num_tokens=1, finish_reason="stop") for text in ("abc", "abd"))
    assert compare_answers([ours], [theirs]) == (1, 0, 3, 2)


def test_nothing_compared_has_no_share() -> None:
    assert compare_answers([], []).figures()["answer_agreement"] is None
