"""The files of a checkpoint, as transformers has written them and as they are published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

UNWANTED_IN_CHECKPOINTS = ("training_args.bin", "README.md")
"""A pickle that can hold the Hub token in clear, and a card about nothing yet."""


def random_state_name(rank: int) -> str:
    """The file of a checkpoint in which transformers looks for a process's generators, where there are several."""
    return f"rng_state_{rank}.pth"


def tidy(staging: Path, *, written: Path, random_states: Sequence[bytes]) -> None:
    """Bring what transformers wrote into the folder that is published, without what nobody wants.

    Args:
        staging: The folder.
        written: transformers' own, inside it.
        random_states: States of the generators of the other processes, by rank.
    """
    for file in written.iterdir():
        if file.name not in UNWANTED_IN_CHECKPOINTS:
            file.rename(staging / file.name)
    for leftover in written.iterdir():
        leftover.unlink()
    written.rmdir()
    for name in UNWANTED_IN_CHECKPOINTS:  # TRL writes a second card beside the checkpoint
        (staging / name).unlink(missing_ok=True)
    for rank, state in enumerate(random_states, start=1):
        (staging / random_state_name(rank)).write_bytes(state)
