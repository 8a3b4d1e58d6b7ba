"""The options of `train local` that ask for several processes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from mistraltune.cli.app import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["mistraltune", "train", "local", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--num-processes", "2"], "--num-processes is for --launcher"),
        (["--accelerate-config", "two.yaml"], "--accelerate-config is for --launcher accelerate"),
        (["--launcher", "torchrun", "--accelerate-config", "two.yaml"], "--accelerate-config is for --launcher accel"),
    ],
)
def test_an_option_that_means_nothing_alone_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert run(monkeypatch, *options) == 2
    assert complaint in capfd.readouterr().err


def test_a_wrong_configuration_is_refused_before_any_process_is_started(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--launcher", "torchrun", "--num-processes", "2", "--set", "training.sede=1") == 2
    assert "did you mean training.seed?" in capfd.readouterr().err


def test_a_process_that_the_launcher_has_started_starts_no_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tiny_model: Path, triage_rows: Path
) -> None:
    monkeypatch.setenv("MISTRALTUNE_LAUNCHER", "1")
    monkeypatch.chdir(triage_rows)
    arguments = ["--model", str(tiny_model), "--train-file", "train.jsonl"]
    assert run(monkeypatch, *arguments, "--launcher", "torchrun", "--num-processes", "1") == 2
    assert "has started this process" in capfd.readouterr().err


def test_a_dry_run_counts_the_steps_of_all_devices_and_starts_none(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tiny_model: Path, triage_rows: Path
) -> None:
    monkeypatch.chdir(triage_rows)
    arguments = ["--model", str(tiny_model), "--train-file", "train.jsonl", "--dry-run", "--json"]
    arguments += ["--set=training.epochs=2", "--set=training.batch_size=1"]
    arguments += ["--set=training.gradient_accumulation_steps=1"]
    assert run(monkeypatch, *arguments, "--launcher", "torchrun", "--num-processes", "4") == 0
    plan = json.loads(capfd.readouterr().out)
    assert (plan["num_devices"], plan["num_steps"]) == (4, 4)  # twice 8 rows, 4 a step
    assert (plan["memory"]["num_processes"], plan["memory"]["is_sharded"]) == (4, False)


def test_a_dry_run_says_what_each_process_takes_of_a_shared_base(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tiny_model: Path, triage_rows: Path
) -> None:
    monkeypatch.chdir(triage_rows)
    Path("fsdp.yaml").write_text(
        "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: bf16\nfsdp_config: {fsdp_version: 2}\n"
    )
    arguments = ["--model", str(tiny_model), "--train-file", "train.jsonl", "--dry-run"]
    assert run(monkeypatch, *arguments, "--launcher", "accelerate", "--accelerate-config", "fsdp.yaml") == 0
    told = capfd.readouterr()
    assert re.search(r"memory: about .* in each of 2 processes \(.*, the base in shards\), .* free for it\n", told.out)
    assert "warning: without effect in accelerate's settings: mixed_precision=bf16 (local.dtype decides)" in told.err
