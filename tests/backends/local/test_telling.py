"""Who of several processes tells of an error; the processes are threads here, with torch's store between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import DistError, HashStore, TCPStore

from mistraltune.backends.local.team import Team
from mistraltune.backends.local.telling import telling_once
from mistraltune.errors import DataError, DivergedError, OtherProcessFailed, Stopped, TemporaryError


def outcomes(*endings: Callable[[], None]) -> list[BaseException | None]:
    """What leaves `telling_once` in each process of a team, given what happens in it."""
    store = HashStore()

    def run(rank: int) -> BaseException | None:
        try:
            with telling_once(Team(rank, len(endings), store)):
                endings[rank]()
        except Exception as error:
            return error
        return None

    with ThreadPoolExecutor(len(endings)) as pool:
        return list(pool.map(run, range(len(endings))))


def fail(error: Exception) -> Callable[[], None]:
    def ending() -> None:
        raise error

    return ending


def raise_in_torch() -> None:
    """A RuntimeError in torch.distributed's own code, as a sum raises over processes of which one is gone."""
    from torch.distributed.rendezvous import rendezvous

    next(iter(rendezvous("nowhere://")))


def test_where_all_fail_alike_the_first_process_tells() -> None:
    first, second = outcomes(fail(DivergedError("no number")), fail(DivergedError("no number")))
    assert isinstance(first, DivergedError)
    assert first.message == "no number"
    assert isinstance(second, OtherProcessFailed)
    assert second.exit_code == DivergedError.exit_code


def test_an_error_of_another_process_is_told_there_with_its_place_and_ends_the_first_with_its_code() -> None:
    first, second = outcomes(raise_in_torch, fail(DataError("row 7 is odd")))
    assert isinstance(second, DataError)
    assert second.message == "process 1 of 2: row 7 is odd"
    assert isinstance(first, OtherProcessFailed)
    assert first.exit_code == DataError.exit_code
    assert "row 7 is odd" in first.message


def test_a_process_that_ends_without_a_word_is_told_of_by_one_of_the_others() -> None:
    _, second, third = outcomes(lambda: None, raise_in_torch, raise_in_torch)
    told = [error for error in (second, third) if isinstance(error, TemporaryError)]
    silent = [error for error in (second, third) if isinstance(error, OtherProcessFailed)]
    assert len(told) == len(silent) == 1
    assert silent[0].exit_code == TemporaryError.exit_code


def test_where_the_launcher_has_died_with_the_store_an_error_is_still_told() -> None:
    host = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    store = TCPStore("127.0.0.1", host.port, timeout=timedelta(seconds=5))
    assert not store.check(["failure"])
    del host
    with pytest.raises(DistError):
        store.check(["failure"])
    with pytest.raises(DataError), telling_once(Team(1, 2, store)):
        raise DataError("row 7 is odd")
    with pytest.raises(OtherProcessFailed), telling_once(Team(1, 2, store)):
        raise Stopped("stopped at step 3")


def test_a_stop_is_told_by_the_first_process_alone() -> None:
    stop = Stopped("stopped at step 3")
    stop.signal_number = 15
    first, second = outcomes(fail(Stopped("stopped at step 3")), fail(stop))
    assert isinstance(first, Stopped)
    assert isinstance(second, OtherProcessFailed)
    assert second.exit_code == 143


def test_a_process_alone_waits_for_nobody() -> None:
    begin = time.monotonic()
    with pytest.raises(DataError, match="odd"), telling_once(Team()):
        raise DataError("odd")
    assert time.monotonic() - begin < 60


def test_an_error_that_is_told_twice_on_its_way_is_claimed_once() -> None:
    team = Team(0, 2, HashStore())
    with pytest.raises(DataError), telling_once(team), telling_once(team):
        raise DataError("odd")
