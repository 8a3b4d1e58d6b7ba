"""First-fit decreasing: portions as full as they get, nothing lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mistraltune.backends.local.packing import pack


def test_no_portion_is_longer_than_asked_unless_one_sequence_is() -> None:
    lengths = [90, 10, 40, 30, 20, 60, 30]
    assert [[lengths[index] for index in one] for one in pack(lengths, 80)] == [[90], [60, 20], [40, 30, 10], [30]]


@given(st.lists(st.integers(1, 100)), st.integers(1, 100))
def test_every_sequence_is_in_one_portion(lengths: list[int], room: int) -> None:
    assert sorted(index for portion in pack(lengths, room) for index in portion) == list(range(len(lengths)))
