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

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError, Stopped
from mistraltune.runs import RunDir
from mistraltune.training import train

LABELS = ("billing / urgent", "billing / normal", "delivery / urgent", "delivery / normal")
TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--nproc-per-node=2",
    "--standalone",
    "--local-addr=127.0.0.1",
]
PATIENCE = 240


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Path:
    """A configuration: 13 training and 5 validation rows; the last step of an epoch has a single batch, of one row."""
    for name, rows in (("train", range(13)), ("val", range(100, 105))):
        lines = [
            {"instruction": "Label this ticket.", "input": f"Ticket {i}: " + "word " * (i % 7), "output": LABELS[i % 4]}
            for i in rows
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = tmp_path / "two.yaml"
    path.write_text(
        f"model: {tiny_model}\n"
        f"data: {{train_file: {tmp_path}/train.jsonl, val_file: {tmp_path}/val.jsonl}}\n"
        "training: {epochs: 2, batch_size: 2, gradient_accumulation_steps: 1, logging_steps: 1, save_steps: 2}\n"
        "lora: {dropout: 0.1}\n"
        f"output_dir: {tmp_path}/outputs\n"
    )
    return path


FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
"""What `accelerate launch` sets, and what a person may set under torchrun."""


@pytest.fixture
def fsdp(tmp_path: Path) -> list[str]:
    """The options for two processes that share the base, by accelerate's own file."""
    path = tmp_path / "fsdp.yaml"
    path.write_text("distributed_type: FSDP\nnum_processes: 2\nfsdp_config: {fsdp_version: 2}\n")
    return ["--launcher", "accelerate", "--accelerate-config", str(path)]


TWO = ["--launcher", "torchrun", "--num-processes", "2"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "PYTHONSAFEPATH": "1"}


def start(*arguments: str, through: list[str] | None = None, **env: str) -> subprocess.Popen[str]:
    """A command in a session of its own, as a shell would start it; `through` an outside launcher."""
    command = [*through, "-m", "mistraltune"] if through else [sys.executable, "-m", "mistraltune"]
    return subprocess.Popen(
        [*command, "train", "local", *arguments],
        env=environment() | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """How it ends: exit code, stdout and stderr, which close when the last process of a run does."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return process.returncode, stdout, stderr


def events(stderr: str) -> list[dict[str, Any]]:
    """The events among the lines of stderr."""
    return [json.loads(line) for line in stderr.splitlines() if line.startswith('{"event"')]


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


def ranks(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes that a launcher started, by rank."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if (
                folder.name.isdigit()
                and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == launcher.pid
            ):
                variables = dict(
                    entry.split("=", 1) for entry in (folder / "environ").read_text().split("\0") if "=" in entry
                )
                found[int(variables["RANK"])] = int(folder.name)
        except (OSError, KeyError):
            continue
    return [found[rank] for rank in sorted(found)]


@pytest.mark.parametrize(("quantization", "shared"), [("nf4", {}), ("none", FSDP)])
def test_two_nodes_compute_what_one_process_does_with_the_same_global_batch(
    settings: Path, tmp_path: Path, quantization: str, shared: dict[str, str]
) -> None:
    """No dropout, whose draws differ by process; in float32, which rounds less than 1e-4."""
    exact = ["lora.dropout=0", "local.dtype=float32", f"quantization={quantization}"]
    alone = load_config(
        LocalTrainConfig, files=[str(settings)], overrides=[*exact, "training.batch_size=4", "run_id=one"]
    ).config
    one = train(LocalBackend(), alone)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--local-addr=127.0.0.1"]
    arguments = ["--config", str(settings), *(f"--set={each}" for each in exact), "--run-id", "two", "--json"]
    nodes = [start(*arguments, through=[*torchrun, *rendezvous], **shared) for _ in range(2)]
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
    figures = [
        [{k: v for k, v in event.items() if "second" not in k} for event in run.history()] for run in (whole, cut)
    ]
    assert figures[0] == figures[1]
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
