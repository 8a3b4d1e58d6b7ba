"""What takes a while is found out once, one thing at a time."""

from __future__ import annotations

import pytest

from mistraltune.serve.refusals import Refusal
from mistraltune.serve.studies import Studies


def test_what_was_found_out_is_remembered_and_crowds_are_sent_away() -> None:
    studies = Studies(max_remembered=2, max_waiting=1)
    asked: list[str] = []

    def find_out(name: str) -> str:
        asked.append(name)
        if name == "inner":
            with pytest.raises(Refusal, match="busy"):
                studies.get("another", lambda: "")
        return name.upper()

    for name in ("a", "a", "b", "a", "c", "b", "inner"):
        assert studies.get(name, lambda name=name: find_out(name)) == name.upper()  # type: ignore[misc]
    assert asked == ["a", "b", "c", "b", "inner"]


def test_what_went_wrong_is_tried_again() -> None:
    studies = Studies()

    def fail() -> str:
        raise Refusal(422, "no")

    for _ in range(10):  # more than may wait at a time
        with pytest.raises(Refusal, match="no"):
            studies.get("a", fail)
    assert studies.get("a", lambda: "now") == "now"
