"""The time, as runs write it down."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The current time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
