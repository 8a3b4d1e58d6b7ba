"""Which sequences share a pass through the model."""

from __future__ import annotations

from collections.abc import Sequence

CPU_PASS_LENGTH = 1024
"""Tokens of a pass on a CPU, where longer ones take more memory and no less time."""


def pack(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Indices of sequences in as few portions of `room` tokens as first-fit decreasing finds.

    Args:
        lengths: Of the sequences, in tokens; a longer one than `room` has a portion to itself.
        room: Tokens of a portion.
    """
    portions: list[list[int]] = []
    free: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        length = lengths[index]
        fitting = next((portion for portion, tokens in enumerate(free) if tokens >= length), None)
        if fitting is None:
            portions.append([index])
            free.append(room - length)
        else:
            portions[fitting].append(index)
            free[fitting] -= length
    return portions
