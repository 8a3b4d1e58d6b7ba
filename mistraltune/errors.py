"""The errors that speak to users, and the exit codes that scripts can rely on."""

from __future__ import annotations

import signal
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What a finished `mistraltune` command tells the shell (README, "Exit codes")."""

    OK = 0
    BUG = 1
    USAGE = 2
    DATA = 3
    API = 4
    TEMPORARY = 5
    FAILED = 6
    LOCKED = 11
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class MistralTuneError(Exception):
    """Something that a user can understand and mend; anything else that escapes is a bug.

    Attributes:
        message: What went wrong and where.
        hint: What to do about it; empty where the message already says so.
        exit_code: What the process exits with.
        details: Facts for `--json` readers, such as the findings of a data check.
    """

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or {}


class ConfigError(MistralTuneError):
    """A configuration, an option or a reference that cannot be used."""


class DataError(MistralTuneError):
    """Data that was read and refused."""

    exit_code = ExitCode.DATA


class ApiError(MistralTuneError):
    """An API refused, or answered what its protocol does not know; asking again would not help."""

    exit_code = ExitCode.API


class TemporaryError(MistralTuneError):
    """Something outside (network, disk) failed; the same command may be run again."""

    exit_code = ExitCode.TEMPORARY


class DivergedError(MistralTuneError):
    """A training whose loss is no number any more; going on would waste the hours left."""

    exit_code = ExitCode.FAILED


class RemoteJobError(MistralTuneError):
    """A job on an API ended without a model."""

    exit_code = ExitCode.FAILED


class GateError(MistralTuneError):
    """A quality gate was not met."""

    exit_code = ExitCode.FAILED


class LockedError(MistralTuneError):
    """Another process holds the run directory."""

    exit_code = ExitCode.LOCKED


class OtherProcessFailed(MistralTuneError):  # noqa: N818 - the error is the other's
    """Another process of the same training failed, and has told the user; this one ends with its exit code, silently.

    Attributes:
        exit_code: The other's.
    """

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)


class Stopped(MistralTuneError):  # noqa: N818 - a stop is an outcome, not a fault
    """A run stopped on request, its last checkpoint saved."""

    exit_code = ExitCode.INTERRUPTED
    signal_number: int = signal.SIGINT
    """The signal that asked for it; the process ends by it in turn (128 + number in a shell)."""
    at_once: bool = False
    """Whether the signal itself ended what ran, rather than a training that has saved."""

    @classmethod
    def by_signal(cls, number: int) -> Stopped:
        """A stop at once."""
        stop = cls("stopped", hint="the same command may be given again; what is finished is kept")
        stop.signal_number, stop.at_once = number, True
        return stop
