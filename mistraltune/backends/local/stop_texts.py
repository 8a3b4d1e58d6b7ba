"""Texts that end an answer where they would begin, whatever the tokens that make them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first of `stops` in `text` begins; None where there is none."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)


def num_held(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of `text` may turn out to be the beginning of a stop."""
    longest = min(len(text), max(map(len, stops), default=1) - 1)
    ends = (length for length in range(longest, 0, -1) if any(stop.startswith(text[-length:]) for stop in stops))
    return next(ends, 0)


def num_tokens_to_stop(num_tokens: int, text_of: Callable[[int], str], stops: Sequence[str]) -> int | None:
    """After how many of so many tokens a stop is complete; None where none is.

    Args:
        num_tokens: Tokens of the answer.
        text_of: The text of the first so many of them.
        stops: The texts that end it.
    """
    if find_stop(text_of(num_tokens), stops) is None:
        return None
    low, high = 0, num_tokens  # no stop in the first `low`, one in the first `high`
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if find_stop(text_of(middle), stops) is not None else (middle, high)
    return high
