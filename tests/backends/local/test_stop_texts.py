"""Where an answer ends by a text, however its tokens cut that text."""

from __future__ import annotations

import pytest

from mistraltune.backends.local.stop_texts import find_stop, num_held, num_tokens_to_stop


@pytest.mark.parametrize(
    ("text", "stops", "place"),
    [("abcab", ["b"], 1), ("abcab", ["ca", "bc"], 1), ("abc", ["d"], None), ("abc", [], None), ("", ["a"], None)],
)
def test_the_first_stop_decides(text: str, stops: list[str], place: int | None) -> None:
    assert find_stop(text, stops) == place


@pytest.mark.parametrize(
    ("text", "stops", "held"),
    [
        ("one\n", ["\n\n"], 1),
        ("one", ["\n\n"], 0),
        ("END", ["END OF"], 3),
        ("x END O", ["END OF", "O!"], 5),
        ("abab", ["ababc"], 4),
        ("aab", ["ab!"], 2),
        ("abc", ["c"], 0),  # a whole stop is found, not held
        ("abc", [], 0),
        ("", ["ab"], 0),
    ],
)
def test_what_may_begin_a_stop_is_held_back_and_no_more(text: str, stops: list[str], held: int) -> None:
    assert num_held(text, stops) == held


def test_pieces_that_are_sure_make_up_the_text_before_the_stop_however_it_is_cut() -> None:
    text, stops = "one ENDEND OF two", ["END OF"]
    for width in range(1, len(text)):
        said = shown = ""
        for start in range(0, len(text), width):
            said += text[start : start + width]
            if (place := find_stop(said, stops)) is not None:
                shown += said[len(shown) : place]
                break
            shown = said[: len(said) - num_held(said, stops)]
        assert shown == "one END"


@pytest.mark.parametrize("place", range(1, 9))
def test_tokens_are_counted_up_to_the_one_that_completes_a_stop(place: int) -> None:
    pieces = ["a"] * 8
    pieces[place - 1] = "."
    assert num_tokens_to_stop(8, lambda number: "".join(pieces[:number]), ["."]) == place
    assert num_tokens_to_stop(8, lambda number: "".join(pieces[:number]), ["?"]) is None
