import os
from pathlib import Path

import pytest

from mistraltune.backends.local import devices
from mistraltune.backends.local.devices import use_one_gpu, visible_gpus


@pytest.fixture(autouse=True)
def _machine_without_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")  # so that the variable is put back, whatever the code under test does to it
        monkeypatch.delenv(name)
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "gpus")


def install_gpus(count: int) -> None:
    for index in range(count):
        (devices.DRIVER / f"0000:{index:02}:00.0").mkdir(parents=True)


def test_a_machine_without_gpus_has_none() -> None:
    assert visible_gpus() == []
    assert use_one_gpu() == ""
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_single_gpu_is_used_without_a_word() -> None:
    install_gpus(1)
    assert use_one_gpu() == ""
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_of_several_gpus_the_first_is_used_and_that_is_said() -> None:
    install_gpus(4)
    assert (
        use_one_gpu()
        == "4 GPUs are visible and no launcher is used: training on GPU 0 alone; --launcher torchrun trains on all"
    )
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_users_own_choice_comes_before_what_the_driver_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 1")
    assert (
        use_one_gpu()
        == "2 GPUs are visible and no launcher is used: training on GPU 3 alone; --launcher torchrun trains on all"
    )
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize("choice", ["", "2"])
def test_a_choice_of_one_gpu_or_none_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    install_gpus(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", choice)
    assert use_one_gpu() == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == choice


def test_under_a_launcher_every_process_keeps_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    install_gpus(4)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert use_one_gpu() == ""
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_asking_a_second_time_changes_and_says_nothing() -> None:
    install_gpus(2)
    use_one_gpu()
    assert use_one_gpu() == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
