import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mistraltune.errors import ExitCode, LockedError
from mistraltune.run_lock import RunLock

HoldRun = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path / "outputs" / "my-run")


def test_a_lock_names_the_process_that_holds_it(lock: RunLock, held_by_another_process: HoldRun) -> None:
    with held_by_another_process(lock.path) as holder:
        with (
            pytest.raises(LockedError, match=rf"my-run is in use by process {holder.pid} on ") as refused,
            lock.held(),
        ):
            pytest.fail("two processes hold one run")
        assert refused.value.exit_code == ExitCode.LOCKED


def test_a_lock_never_names_a_process_that_was_killed_before(lock: RunLock, held_by_another_process: HoldRun) -> None:
    """The new holder has the lock, and has not written its name over that of the dead one yet."""
    with held_by_another_process(lock.path) as dead:
        dead.kill()
        dead.wait()
    stale = (lock.path / ".holder.json").read_text()
    with held_by_another_process(lock.path):
        (lock.path / ".holder.json").write_text(stale)
        with pytest.raises(LockedError, match=r"is in use by another process$"), lock.held():
            pytest.fail("two processes hold one run")


def test_a_killed_process_holds_no_lock(lock: RunLock, held_by_another_process: HoldRun) -> None:
    with held_by_another_process(lock.path) as holder:
        holder.kill()
        assert holder.wait() == -9
        assert not lock.is_held()
        with lock.held():
            assert lock.is_held()


def test_who_held_a_lock_is_forgotten_with_it(lock: RunLock) -> None:
    with lock.held():
        assert json.loads((lock.path / ".holder.json").read_text())["pid"] == os.getpid()
    assert not (lock.path / ".holder.json").exists()


def test_an_error_lets_go_of_the_lock(lock: RunLock) -> None:
    with pytest.raises(ZeroDivisionError), lock.held():
        _ = 1 / 0
    assert not lock.is_held()


def test_the_lock_keeps_out_the_same_process_too(lock: RunLock) -> None:
    with (
        lock.held(),
        pytest.raises(LockedError, match=f"process {os.getpid()} "),
        RunLock(lock.path).held(),
    ):
        pytest.fail("one run is held twice")


def test_a_look_at_the_lock_keeps_nobody_from_working(lock: RunLock) -> None:
    """Who lists runs takes each lock for a moment; a training that starts just then must not fail."""
    import fcntl
    import threading

    lock.path.mkdir(parents=True)
    with (lock.path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        look = threading.Timer(0.02, fcntl.flock, (file, fcntl.LOCK_UN))
        look.start()
        with lock.held():
            pass
        look.join()


def test_a_held_run_is_refused_before_anything_else_is_done(lock: RunLock) -> None:
    lock.refuse()
    with lock.held(), pytest.raises(LockedError, match=f"is in use by process {os.getpid()} on "):
        RunLock(lock.path).refuse()
