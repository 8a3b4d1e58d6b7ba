"""Training in two processes, for real: launchers, nodes, signals and deaths."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from two_processes import FSDP, TORCHRUN, TWO, end, events, ranks, share_by_accelerate, start, timeless, write_settings

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError, Stopped
from mistraltune.runs import RunDir
from mistraltune.training import train


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Path:
    """A configuration of eight steps, see `write_settings`."""
    return write_settings(tmp_path, tiny_model)


@pytest.fixture
def fsdp(tmp_path: Path) -> list[str]:
    """The options for two processes that share the base, by accelerate's own file."""
    return share_by_accelerate(tmp_path)


def adapter(run: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run / "adapter_model.safetensors")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def started(
    *arguments: str, launcher: list[str] = TWO, **env: str
) -> Iterator[tuple[subprocess.Popen[str], Callable[[int], str]]]:
    """A run in two processes, with a function that reads its stderr up to the line that tells a step."""
    process = start(*arguments, *launcher, "--json", **env)
    assert process.stderr

    def until_step(step: int) -> str:
        assert process.stderr
        seen = ""
        for line in process.stderr:
            seen += line
            if f'"step": {step},' in line and '"event": "step"' in line:
                return seen
        pytest.fail(f"the run ended before step {step}: {seen}")

    try:
        yield process, until_step
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_two_nodes_compute_what_one_process_does_with_the_same_global_batch(settings: Path, tmp_path: Path) -> None:
    """No dropout, whose draws differ by process; in float32, which rounds less than 1e-4. The nodes share the base."""
    exact = ["lora.dropout=0", "local.dtype=float32"]
    alone = load_config(
        LocalTrainConfig, files=[str(settings)], overrides=[*exact, "training.batch_size=4", "run_id=one"]
    ).config
    one = train(LocalBackend(), alone)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--local-addr=127.0.0.1"]
    arguments = ["--config", str(settings), *(f"--set={each}" for each in exact), "--run-id", "two", "--json"]
    nodes = [start(*arguments, through=[*torchrun, *rendezvous], **FSDP) for _ in range(2)]
    outcomes = [end(node) for node in nodes]
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    two = RunDir(tmp_path / "outputs" / "two")

    assert two.metrics["num_steps"] == one.metrics["num_steps"] == 8
    for name in ("train_loss", "val_loss"):
        assert two.metrics[name] == pytest.approx(one.metrics[name], abs=1e-4)
    for name in ("train_tokens", "trained_tokens", "num_rows"):
        assert two.metrics[name] == one.metrics[name]
    for here, there in zip(one.history(), two.history(), strict=True):
        for name in {"loss", "val_loss", "accuracy", "val_accuracy", "grad_norm", "learning_rate"} & here.keys():
            assert there[name] == pytest.approx(here[name], abs=1e-4), (name, here["step"])
    first, second = adapter(one.path), adapter(two.path)
    assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-4

    spoken = [(stdout, events(stderr)) for _, stdout, stderr in outcomes if stdout or events(stderr)]
    ((stdout, told),) = spoken  # one of all processes speaks
    assert json.loads(stdout)["status"] == "finished"
    assert [event["step"] for event in told if event["event"] == "step"] == list(range(1, 9))


def test_a_killed_process_ends_the_others_and_the_run_goes_on_to_the_very_same_adapter(
    settings: Path, tmp_path: Path, tiny_model: Path, fsdp: list[str]
) -> None:
    """Whole with a base in each process, killed and continued with a shared one: the bits are the same."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = ["--config", str(settings)]
    code, _, stderr = end(start(*base, "--run-id", "whole", "--launcher", "accelerate", "--num-processes", "2"))
    assert code == 0, stderr

    with started(*base, "--run-id", "cut", launcher=fsdp) as (process, until_step):
        until_step(5)
        first, second = ranks(process)
        os.kill(first, signal.SIGKILL)  # the one that writes and speaks
        code, stdout, stderr = end(process)
    assert code == json.loads(stdout)["error"]["exit_code"] == 5
    assert stderr.count("error:") == 1
    assert "ended without a word" in stderr
    assert not Path(f"/proc/{second}").exists()
    assert RunDir(tmp_path / "outputs" / "cut").status == "unfinished"

    code, _, stderr = end(start(*base, "--run-id", "cut", through=TORCHRUN, **FSDP, FSDP_STATE_DICT_TYPE="SHARDED"))
    assert code == 0, stderr
    assert "continuing from step 4" in stderr
    assert stderr.count("without effect in accelerate's settings: fsdp_state_dict_type=SHARDED\n") == 1
    whole, cut = (RunDir(tmp_path / "outputs" / name) for name in ("whole", "cut"))
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert timeless(cut) == timeless(whole)
    assert "sharding" not in whole.metadata["training"]
    assert cut.metadata["training"]["sharding"]["num_shards"] == 2
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), cut.path)
    assert any(parameter.abs().max() > 0 for name, parameter in model.named_parameters() if "lora_B" in name)


def test_a_signal_to_the_launcher_saves_and_the_run_goes_on_with_as_many_processes(
    settings: Path, tmp_path: Path
) -> None:
    with started("--config", str(settings), "--set", "training.max_steps=500", "--run-id", "stopped") as (
        process,
        until_step,
    ):
        until_step(3)
        process.send_signal(signal.SIGTERM)
        code, stdout, _ = end(process)
    assert code == -signal.SIGTERM
    told = json.loads(stdout)["error"]
    assert told["exit_code"] == 143
    assert "a checkpoint is saved" in told["message"]
    run = RunDir(tmp_path / "outputs" / "stopped")
    checkpoint, _ = run.checkpoint()
    assert checkpoint
    assert f"stopped at step {checkpoint.step} of 500" in told["message"]
    assert not run.is_locked()

    config = load_config(
        LocalTrainConfig,
        files=[str(settings)],
        overrides=["training.max_steps=500", "run_id=stopped"],
    ).config
    with pytest.raises(ConfigError, match=r"different: num_devices$"):
        train(LocalBackend(), config)
    with pytest.raises(Stopped, match="stopped at step"):
        train(LocalBackend(), config, allow_changed=["num_devices"], should_stop=lambda: True)
    (change,) = run.metadata["allowed_changes"][0]["changes"]
    assert change == {"field": "num_devices", "from": 2, "to": 1}


def test_ctrl_c_reaches_every_process_and_the_run_is_saved(settings: Path, tmp_path: Path, fsdp: list[str]) -> None:
    """A terminal sends it to the launcher's process group; torch starts each process in a session of its own."""
    many = ("--config", str(settings), "--set", "training.max_steps=500", "--run-id", "interrupted")
    with started(*many, launcher=fsdp) as (process, until_step):
        until_step(3)
        os.killpg(process.pid, signal.SIGINT)
        code, stdout, stderr = end(process)
    assert code == -signal.SIGINT
    told = json.loads(stdout)["error"]
    assert told["exit_code"] == 130
    assert "a checkpoint is saved" in told["message"]
    assert "Traceback" not in stderr
    run = RunDir(tmp_path / "outputs" / "interrupted")
    assert run.checkpoint()[0]
    assert run.status == "unfinished"


def test_processes_whose_launcher_is_killed_save_and_end(settings: Path, tmp_path: Path) -> None:
    """`end` returns when the last of them has closed its outputs."""
    many = ("--config", str(settings), "--set", "training.max_steps=500", "--run-id", "orphaned")
    with started(*many) as (process, until_step):
        until_step(3)
        children = ranks(process)
        process.kill()
        _, stdout, stderr = end(process)
    assert len(children) == 2
    assert json.loads(stdout)["error"]["exit_code"] == 143
    assert "Traceback" not in stderr
    run = RunDir(tmp_path / "outputs" / "orphaned")
    checkpoint, _ = run.checkpoint()
    assert checkpoint
    assert f"stopped at step {checkpoint.step} of 500" in json.loads(stdout)["error"]["message"]
    assert run.status == "unfinished"


FAIL_IN_RANK_1 = """
import os
if os.environ.get("RANK") == "1":
    from mistraltune.backends.local import dealing
    from mistraltune.errors import DataError
    def fail(self):
        raise DataError("row 7 is odd", hint="look at it")
    dealing.DealtBatches.__iter__ = fail
"""


def test_an_error_in_any_process_is_told_once_with_its_exit_code(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "sitecustomize.py").write_text(FAIL_IN_RANK_1)
    with started("--config", str(settings), "--run-id", "odd", PYTHONPATH=str(tmp_path / "planted")) as (process, _):
        code, stdout, stderr = end(process)
    assert code == 3
    assert json.loads(stdout)["error"]["message"] == "process 1 of 2: row 7 is odd"
    assert stderr.count("error:") == stderr.count("hint:") == 1
    assert "Traceback" not in stderr
    assert "row 7 is odd" in RunDir(tmp_path / "outputs" / "odd").metadata["reason"]


def test_what_the_first_process_refuses_ends_the_others_before_they_train(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"instruction": "no answer"}\n')
    with started("--config", str(settings)) as (process, _):
        code, stdout, stderr = end(process)
    assert code == 3
    assert "train.jsonl:1" in json.loads(stdout)["error"]["message"]
    assert stderr.count("error:") == 1
