"""The scripts in examples/ that no other test runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import typer

from mistraltune.cli.app import app

BATCH = Path(__file__).parents[1] / "examples" / "batch" / "best_of_six.py"
SLURM = Path(__file__).parents[1] / "examples" / "slurm"


def test_the_slurm_script_is_sound_bash() -> None:
    subprocess.run(["bash", "-n", SLURM / "train.sbatch"], check=True)


def test_torchrun_knows_the_options_of_the_slurm_script() -> None:
    from torch.distributed.run import get_args_parser

    text = (SLURM / "train.sbatch").read_text(encoding="utf-8")
    command = re.search(r"^srun torchrun (.*?) &$", text.replace("\\\n", " "), re.MULTILINE)
    assert command
    values = {"SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "4", "SLURM_JOB_ID": "7"}
    filled = re.sub(r"\$\{?(\w+)[^}\s\"]*\}?", lambda match: values.get(match[1], "x"), command[1].replace('"$@"', ""))
    options = get_args_parser().parse_args(shlex.split(filled))
    assert (options.nnodes, options.nproc_per_node, options.no_python) == ("2", "4", True)
    assert options.shutdown_timeout < 300  # as `--signal=B:TERM@300` leaves that much
    assert [options.training_script, *options.training_script_args] == ["mistraltune", "train", "local"]


def test_the_command_that_the_slurm_example_shows_parses() -> None:
    readme = (SLURM / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"train\.sbatch (--.*)", readme)
    assert shown
    command = typer.main.get_command(app)
    for name in ("train", "local"):
        command = command.get_command(typer.Context(command), name)  # type: ignore[attr-defined]
    command.make_context("local", shlex.split(shown[1]))


def test_a_failed_training_ends_the_batch_with_its_message_and_exit_code(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "Say one."}\n')
    command = [sys.executable, BATCH, "--train-file", rows, "--val-file", rows, "--output-dir", tmp_path / "batch"]
    ended = subprocess.run([*command, "--", "--config", "cpu"], capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    assert f"{rows}:1" in ended.stderr
    assert "stopped at: mistraltune train local --config cpu --lora lora_r8a16" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
