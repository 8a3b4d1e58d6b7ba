"""Trying again: how long to wait after a failure, and when to stop."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

from mistraltune.backends.api.answers import BadResponseError, BusyError
from mistraltune.errors import Stopped, TemporaryError

T = TypeVar("T")

OnWait = Callable[[str], None]
ShouldStop = Callable[[], bool]

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds that a server may have us wait; longer than that, a person should know."""

PATIENCE = 300.0
"""Seconds after which no further try is made."""

GLANCE = 0.1
"""Seconds between two looks whether to stop, while waiting."""

UNSERVED_PATIENCE = 10.0
"""Likewise, where nothing listens on this machine and nothing has answered yet: enough for one being started."""

UNSERVED_WAIT = 1.0
"""Longest wait then."""

WORTH_TELLING = 2.0
"""Seconds of a wait that somebody should hear of."""


class Clock(Protocol):
    """Time, as far as waiting needs it; a test has one of its own."""

    def monotonic(self) -> float:
        """Seconds that never go back, whatever is done to the machine's clock."""
        ...

    def wall(self) -> datetime:
        """The time of day in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        ...


class SystemClock:
    """The machine's own."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


class Line:
    """What all the requests to an API know of it, from whatever thread.

    Attributes:
        has_answered: Whether anything ever came.
    """

    def __init__(self) -> None:
        self.has_answered = False
        self._told_until = -math.inf
        self._telling = threading.Lock()

    def claim_note(self, *, now: float, until: float) -> bool:
        """Whether the caller is the one to tell of a wait: others are not, until it is over."""
        with self._telling:
            if now < self._told_until:
                return False
            self._told_until = until
            return True


class Retrier:
    """Tries again what failed for a while: full jitter from 1 to 60 s, or as long as the server says.

    Args:
        clock: Time.
        patience: Seconds after which no further try is made.
        seed: Of the jitter; None takes one from the system.
        on_wait: Hears why a longer wait is.
        should_stop: Ends a wait early.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        *,
        patience: float = PATIENCE,
        seed: int | None = None,
        on_wait: OnWait = lambda text: None,
        should_stop: ShouldStop = lambda: False,
    ) -> None:
        self.clock = clock
        self.patience = patience
        self.on_wait = on_wait
        self.should_stop = should_stop
        self.line = Line()
        self._random = random.Random(seed)  # noqa: S311 - jitter

    def with_patience(self, seconds: float) -> Retrier:
        """The same, on the same line, with another patience."""
        other = copy(self)
        other.patience = seconds
        return other

    def __call__(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, as soon as it does.

        Args:
            attempt: May be made any number of times.

        Raises:
            TemporaryError: It failed until patience ended, or the server asks for a longer pause.
        """
        return self.make_once(lambda: None, attempt)

    def make_once(self, look: Callable[[], T | None], make: Callable[[], T]) -> T:
        """What `look` finds, else what `make` makes; after a try whose outcome is unclear, `look` decides.

        Args:
            look: Finds what an earlier try may have made, None where it made nothing.
            make: Makes it, by one try.

        Raises:
            TemporaryError: As of a call.
            BadResponseError: `make` got an answer that cannot be read, and made nothing.
        """
        began = self.clock.monotonic()
        num_failed = 0
        while (found := look()) is None:
            try:
                made = make()
                self.line.has_answered = True
                return made
            except BadResponseError:
                if (found := look()) is None:
                    raise
                return found
            except BusyError as error:
                self.line.has_answered |= error.status is not None
                self.pause(error, num_failed, began=began)
                num_failed += 1
        return found

    def pause(self, error: BusyError, number: int, *, began: float) -> None:
        """Wait before the next try.

        Args:
            error: What the last try met.
            number: How many tries failed before it.
            began: When the first was made, by `clock.monotonic`.

        Raises:
            TemporaryError: Patience would end, or the server asks for too long a pause.
            Stopped: `should_stop` said so meanwhile.
        """
        wanted = parse_retry_after(error.retry_after, self.clock)
        if wanted is not None and wanted > LONGEST_RETRY_AFTER:
            raise TemporaryError(
                f"{error.message}; it asks to wait {describe_wait(wanted, self.clock)}",
                hint="run the same command then",
            ) from error
        seconds = wanted if wanted is not None else self.jitter(number)
        patience = self.patience
        is_unserved = error.is_unserved and not self.line.has_answered
        if is_unserved:
            seconds, patience = min(seconds, UNSERVED_WAIT), min(patience, UNSERVED_PATIENCE)
        now, deadline = self.clock.monotonic(), began + patience
        if now + seconds > deadline:
            tries = "1 try" if number == 0 else f"{number + 1} tries"
            raise TemporaryError(f"{error.message} (after {tries})", hint=error.hint) from error
        if is_unserved and self.line.claim_note(now=now, until=deadline):
            self.on_wait(f"{error.message}; trying again for {patience:.0f} s")
        elif seconds > WORTH_TELLING and self.line.claim_note(now=now, until=now + seconds):
            self.on_wait(f"{error.message}; trying again in {seconds:.0f} s")
        wait(seconds, self.clock, self.should_stop)

    def jitter(self, number: int) -> float:
        """A random wait below a bound that doubles with each failure."""
        return self._random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(number, 10)))


def wait(seconds: float, clock: Clock, should_stop: ShouldStop) -> None:
    """Let so many seconds pass.

    Raises:
        Stopped: `should_stop` said so meanwhile.
    """
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0:
        if should_stop():
            raise Stopped("stopped")
        clock.sleep(min(GLANCE, left))


def parse_retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); None where it says nothing that can be done.

    `inf` and dates of far years come back as they are; a date that has passed is 0.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, clock)
    return None if math.isnan(seconds) or seconds <= 0 else seconds


def _seconds_until(value: str, clock: Clock) -> float | None:
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - clock.wall()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def describe_wait(seconds: float, clock: Clock) -> str:
    """A long wait in words, with the moment at which it ends."""
    try:
        at = clock.wall() + timedelta(seconds=seconds)
        return f"{seconds:,.0f} s, until {at:%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError):
        return "without end"
