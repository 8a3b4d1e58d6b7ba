"""An error in any of the processes that train together reaches the user once, and ends all of them."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.distributed import DistError

from mistraltune.backends.local.orphans import GLANCE
from mistraltune.backends.local.team import Team
from mistraltune.errors import ExitCode, MistralTuneError, OtherProcessFailed, Stopped, TemporaryError
from mistraltune.secrets import masked

COURTESY = 1.0
"""Seconds in which another process may tell first: the leader, where all fail alike."""

MOURNING = 3.0
"""Seconds in which a process that vanished in the middle of a sum may still say why."""


@contextmanager
def telling_once(team: Team) -> Iterator[None]:
    """Let an error pass in the one process that tells the user, and become `OtherProcessFailed` in all the others.

    Whoever fails first tells. An error in a sum over the team is only the echo of another process's end.

    Raises:
        OtherProcessFailed: Another process has told, or tells that the training was stopped.
        TemporaryError: Another process has ended without a word.
    """
    try:
        yield
    except OtherProcessFailed:
        raise
    except Stopped as stop:
        refuse_second_word(team, seconds=0 if team.size == 1 else COURTESY)
        if team.is_leader or stop.at_once:  # `cli.app` says no word of a stop at once in the others
            raise
        raise OtherProcessFailed(stop.message, exit_code=128 + stop.signal_number) from stop
    except Exception as error:
        is_echo = team.size > 1 and comes_from_a_sum(error)
        refuse_second_word(team, seconds=MOURNING if is_echo else 0 if team.is_leader else COURTESY)
        own = vanished(team) if is_echo else error
        claim_the_word(team, own)
        if own is error:
            raise
        raise own from error


def refuse_second_word(team: Team, *, seconds: float) -> None:
    """Wait so long for another process to tell of an error, and raise if one does."""
    end = time.monotonic() + seconds
    while team.store:
        if claim := read_claim(team):
            if json.loads(claim)["rank"] == team.rank:
                return
            raise echo(claim)
        if time.monotonic() >= end:
            return
        time.sleep(GLANCE)


def read_claim(team: Team) -> bytes | None:
    """What the process says that tells; None while there is none, and where the launcher has died with the store."""
    try:
        return team.store.get("failure") if team.store.check(["failure"]) else None
    except DistError:
        return None


def claim_the_word(team: Team, error: Exception) -> None:
    """Be the process that tells; raise if another was faster."""
    if team.store is None:
        return
    reason = masked(f"{type(error).__name__}: {error}")
    code = getattr(error, "exit_code", ExitCode.BUG)
    claim = json.dumps({"rank": team.rank, "exit_code": int(code), "reason": reason})
    try:
        accepted = team.store.compare_set("failure", "", claim)
    except DistError:  # the launcher has died with the store: nobody else may hear of it
        accepted = claim
    if json.loads(accepted)["rank"] != team.rank:
        raise echo(accepted)
    place = f"process {team.rank} of {team.size}"
    if isinstance(error, MistralTuneError) and not team.is_leader:
        error.message = f"{place}: {error.message}"
    error.add_note(place)


def echo(claim: bytes) -> OtherProcessFailed:
    """The error of a process in which another's has ended the training."""
    told = json.loads(claim)
    return OtherProcessFailed(f"process {told['rank']}: {told['reason']}", exit_code=told["exit_code"])


def vanished(team: Team) -> TemporaryError:
    """What is said of a process that says nothing itself."""
    return TemporaryError(
        f"one of the {team.size} processes ended without a word; the system may have killed it",
        hint="look at the machine's memory; the same command continues from the newest checkpoint",
    )


def comes_from_a_sum(error: Exception) -> bool:
    """Whether torch.distributed raised it: another process is gone, or a connection is."""
    if isinstance(error, DistError):
        return True
    frames = [Path(frame.filename).parts[-3:] for frame in traceback.extract_tb(error.__traceback__)]
    return isinstance(error, RuntimeError) and any(parts[:2] == ("torch", "distributed") for parts in frames)
