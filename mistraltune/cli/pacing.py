"""Which of many reports are worth a line where no bar is drawn: a log is read later, and nobody reads 10,000 lines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

LONGEST_SILENCE = 60.0
"""Seconds after which a report is worth a line in any case."""


class Pace:
    """Says yes to about `num_lines` reports of a whole, however many come, and to one a minute where few do.

    Args:
        num_lines: Parts of the whole, each worth a line.
        clock: Seconds.
    """

    def __init__(self, *, num_lines: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.num_lines = num_lines
        self.clock = clock
        self.part = 0
        self.told_at = clock()

    def is_due(self, num_done: int, num_total: int) -> bool:
        """Whether a further part is done, or it has been silent for long; without a total, a tenth more than before."""
        part = num_done * self.num_lines // num_total if num_total else int(math.log(max(num_done, 1), 1.1))
        has_moved = part > self.part
        self.part = max(part, self.part)
        return self.has_been_silent() if not has_moved else self.tell()

    def has_been_silent(self) -> bool:
        """Whether the last line is so long ago that anything is worth one."""
        return self.clock() - self.told_at >= LONGEST_SILENCE and self.tell()

    def tell(self) -> bool:
        """Remember that there is a line now; always true."""
        self.told_at = self.clock()
        return True
