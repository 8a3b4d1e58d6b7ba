"""What a launcher (torchrun, accelerate, mpirun) told this process: which one it is, of how many.

The words are those of torch.distributed: a rank is the number of a process, the world size how many there are.
"""

from __future__ import annotations

import os
from pathlib import Path

TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that every launcher sets for torch.distributed's `env://` rendezvous."""

OWN_LAUNCHER = "MISTRALTUNE_LAUNCHER"
"""Variable in which `--launcher` tells the processes that it starts its own number (pid)."""

WORD = "MISTRALTUNE_WORD"
"""Variable with the path of the file that a process makes for `--launcher` once it has told how it ended."""

PARENT = os.getppid()
"""Who started this process, read early: it may die at any time."""


def is_launched() -> bool:
    """Whether a launcher started this process."""
    return all(os.environ.get(name) for name in TOLD)


def rank() -> int:
    """The number of this process; 0 is the one that writes and speaks."""
    return int(os.environ["RANK"]) if is_launched() else 0


def world_size() -> int:
    """The processes that train together; one process has one device."""
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1


def local_world_size() -> int:
    """Those of them that share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if is_launched() else 1


def local_rank() -> int:
    """The number of this process among those of its machine."""
    return int(os.environ.get("LOCAL_RANK", "0")) if is_launched() else 0


def launcher() -> int:
    """The process (pid) that started this one, though it may have died since."""
    return int(os.environ.get(OWN_LAUNCHER) or PARENT)


def may_tell_of_stop(*, at_once: bool) -> bool:
    """Whether this process tells the user of its stop: the first does, unless `--launcher` knows better why.

    `--launcher` stops the others where one of them has died, and it may be stopped before any process listens.

    Args:
        at_once: The signal came before there was a training to save.
    """
    return rank() == 0 and not (at_once and OWN_LAUNCHER in os.environ)


def mark_told(*, is_outcome: bool = True) -> None:
    """Let `--launcher` know that the outcome has been told, here or by another process; nothing where it is none."""
    if is_outcome and (path := os.environ.get(WORD)):
        Path(path).touch()
