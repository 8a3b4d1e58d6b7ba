"""The time of an API and its clients: the machine's, or one that nobody waits for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 11, 24, tzinfo=UTC)


class RealTime:
    """The machine's clock, for clients in processes of their own."""

    @property
    def at(self) -> float:
        return time.time()


class FakeClock:
    """A Clock whose sleeps take no time."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.wall_shift = timedelta()

    def monotonic(self) -> float:
        return self.at

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.at) + self.wall_shift

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.at += seconds
