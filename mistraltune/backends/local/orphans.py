"""A process ends with its launcher: after that one's death, nobody else would ever end it."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import cache

from mistraltune.launched import is_launched, launcher

GLANCE = 0.1
"""Seconds between two looks at another process."""

JOINED = threading.Event()
"""Set once this process belongs to a team; before that it may wait inside torch, where it hears no signal."""


@cache
def follow_launcher() -> None:
    """Look after the launcher in a thread, from now to the end of this process; call it before anything that waits."""
    if is_launched():
        threading.Thread(target=follow_into_death, args=(launcher(),), daemon=True).start()


def follow_into_death(launcher: int) -> None:
    """End when the launcher (its pid) has died: as by a SIGTERM that it passed on, or at once.

    A process that is stopping already ignores further signals, of which a launcher passes on some twice; there the
    launcher has died of the second one, and this process ends at once too. So does one that has nothing to save yet.
    """
    while os.getppid() == launcher:
        time.sleep(GLANCE)
    can_save = JOINED.is_set() and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    os.kill(os.getpid(), signal.SIGTERM if can_save else signal.SIGKILL)
