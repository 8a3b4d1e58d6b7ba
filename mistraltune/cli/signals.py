"""Signals become a wish to stop: the trainer finishes its step and saves; a second signal ends at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from mistraltune.errors import Stopped

if TYPE_CHECKING:
    from mistraltune.runs import Event

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """What the signals of this process asked for.

    Attributes:
        signal_number: The signal that came, 0 while none has.
        can_wait: Whether somebody polls: true while training steps run. Otherwise a signal stops at once.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self.can_wait = False

    def __call__(self) -> bool:
        """Whether to stop; what a run polls as `should_stop`."""
        return self.signal_number != 0

    def hear(self, event: Event) -> None:
        """Follow a run's events to know whether its steps poll."""
        if event["event"] in ("begin", "end"):
            self.can_wait = event["event"] == "begin"

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Note the signal; the next one has its ordinary effect."""
        self.signal_number = number
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if not self.can_wait:
            raise Stopped("stopped", hint="the same command goes on from what is finished")


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Yield a StopRequest that SIGINT, SIGTERM and SIGHUP set; a `Stopped` that passes remembers the signal."""
    request = StopRequest()
    previous = {number: signal.signal(number, request.handle) for number in STOP_SIGNALS}
    try:
        yield request
    except Stopped as stop:
        stop.signal_number = request.signal_number or signal.SIGINT
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
