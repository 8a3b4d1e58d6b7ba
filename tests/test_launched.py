import pytest

from mistraltune import launched
from mistraltune.launched import TOLD


def test_a_process_that_no_launcher_started_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOLD:
        monkeypatch.delenv(name, raising=False)
    assert (launched.is_launched(), launched.rank(), launched.world_size()) == (False, 0, 1)


def test_a_launched_process_knows_its_number_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(TOLD, ("3", "8", "127.0.0.1", "29500"), strict=True):
        monkeypatch.setenv(name, value)
    assert (launched.is_launched(), launched.rank(), launched.world_size()) == (True, 3, 8)


def test_half_of_what_a_launcher_says_is_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some clusters set WORLD_SIZE for whole nodes, in the shell in which a user starts a launcher, or none."""
    for name in TOLD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched.world_size() == 1
