from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mistraltune.abilities import Launch
from mistraltune.backends.local.launching import exit_code, find_formation, share_cores
from mistraltune.backends.local.sharding import Formation
from mistraltune.errors import ConfigError, ExitCode

CONFIG = """
compute_environment: LOCAL_MACHINE
distributed_type: {kind}
mixed_precision: 'no'
num_machines: 1
use_cpu: false
"""


def accelerate_config(folder: Path, *, kind: str = "MULTI_GPU", rest: str = "num_processes: 4\n") -> Launch:
    path = folder / "accelerate.yaml"
    path.write_text(CONFIG.format(kind=kind) + rest)
    return Launch("accelerate", None, str(path))


def test_processes_are_counted_by_the_option_then_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    assert find_formation(Launch("torchrun", 2)) == Formation(2, 2)
    assert find_formation(Launch("torchrun")) == Formation(3, 3)


def test_without_a_gpu_the_user_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError) as refused:
        find_formation(Launch("torchrun"))
    assert refused.value.hint == "say how many with --num-processes"


def test_accelerates_file_says_how_many(tmp_path: Path) -> None:
    assert find_formation(accelerate_config(tmp_path)) == Formation(4, 4)


@pytest.mark.parametrize(
    ("kind", "name"), [("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron-LM"), ("XLA", "TPUs")]
)
def test_other_ways_to_share_a_model_are_refused_by_name(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is asked for in .*accelerate\.yaml"):
        find_formation(accelerate_config(tmp_path, kind=kind))


def test_a_file_that_accelerate_cannot_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"accelerate cannot read .*missing\.yaml"):
        find_formation(Launch("accelerate", None, str(tmp_path / "missing.yaml")))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is empty"),
        ("- num_processes: 2\n", "it holds a list, not keys"),
        ("num_processes: 2\nnum_machines: [\n", r"accelerate\.yaml:3: "),
        ("distributed_type: NO\nnum_processes: two\n", r"num_processes is 'two'"),
        ("distributed_type: NO\nnum_processes: 0\n", r"num_processes is 0"),
        ("distributed_type: NO\nnum_processes: 2\nnum_machines: one\n", r"num_machines is 'one'"),
        ("distributed_type: NO\nnum_processes: 4\nnum_machines: 2\n", "main_process_ip is missing"),
        ("distributed_type: NO\nnum_processes: 5\nnum_machines: 2\nmain_process_ip: a\n", "5 processes cannot be"),
        ("distributed_type: NO\nnum_processes: -1\n", "num_processes is missing"),
    ],
)
def test_a_file_that_would_lead_accelerates_launcher_astray_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "accelerate.yaml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        find_formation(Launch("accelerate", None, str(tmp_path / "accelerate.yaml")))


def test_a_compiler_that_the_file_asks_for_is_passed_over_aloud(tmp_path: Path) -> None:
    launch = accelerate_config(tmp_path, rest="num_processes: 2\ndynamo_backend: INDUCTOR\n")
    assert find_formation(launch).passed_over == ("dynamo_backend=inductor",)


def test_the_threads_of_all_processes_fill_the_machine_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("mistraltune.backends.local.launching.num_cores", lambda: 8)
    assert share_cores(3) == {"OMP_NUM_THREADS": "2"}
    assert share_cores(16) == {"OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert share_cores(3) == {}


@pytest.mark.parametrize(
    ("of_process", "own"),
    [(3, 3), (11, 11), (-signal.SIGTERM, 143), (-signal.SIGINT, 130), (-signal.SIGKILL, 5), (-signal.SIGSEGV, 5)],
)
def test_the_exit_code_is_that_of_the_process_that_failed(of_process: int, own: int) -> None:
    assert exit_code(of_process) == own
    assert own in list(ExitCode)
