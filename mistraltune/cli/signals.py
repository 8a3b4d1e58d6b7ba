"""Signals become a wish to stop: a trainer finishes its step and saves, other work ends; a second signal ends at once.

A signal that whoever started the process had it ignore (`nohup`, `&` in a script) stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from mistraltune.errors import Stopped
from mistraltune.launched import is_launched

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
        """Note the signal; the next one has its ordinary effect, unless a launcher may have passed on the same one."""
        self.signal_number = number
        for each in heeded_signals():
            signal.signal(each, signal.SIG_IGN if is_launched() else signal.SIG_DFL)
        if not self.can_wait:
            raise Stopped.by_signal(number)


def heeded_signals() -> list[signal.Signals]:
    """The stop signals that this process does not ignore."""
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Yield a StopRequest that SIGINT, SIGTERM and SIGHUP set; a `Stopped` that passes remembers the signal.

    After a signal its ordinary effect is left in place: the process is about to end, and the next one ends it at once.
    """
    request = StopRequest()
    previous = {number: signal.signal(number, request.handle) for number in heeded_signals()}
    try:
        yield request
    except Stopped as stop:
        stop.signal_number = request.signal_number or stop.signal_number
        previous.clear()
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
