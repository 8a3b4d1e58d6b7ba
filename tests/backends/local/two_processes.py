"""Trainings of the tiny model in two processes, started as a person starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mistraltune.runs import RunDir

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

TWO = ["--launcher", "torchrun", "--num-processes", "2"]
FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
"""What `accelerate launch` sets, and what a person may set under torchrun."""


def write_settings(folder: Path, model: Path) -> Path:
    """A configuration: 13 training and 5 validation rows; the last step of an epoch has a single batch, of one row."""
    for name, rows in (("train", range(13)), ("val", range(100, 105))):
        lines = [
            {"instruction": "Label this ticket.", "input": f"Ticket {i}: " + "word " * (i % 7), "output": LABELS[i % 4]}
            for i in rows
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = folder / "two.yaml"
    path.write_text(
        f"model: {model}\n"
        f"data: {{train_file: {folder}/train.jsonl, val_file: {folder}/val.jsonl}}\n"
        "training: {epochs: 2, batch_size: 2, gradient_accumulation_steps: 1, logging_steps: 1, save_steps: 2}\n"
        "lora: {dropout: 0.1}\n"
        f"output_dir: {folder}/outputs\n"
    )
    return path


def share_by_accelerate(folder: Path) -> list[str]:
    """The options for two processes that share the base, by accelerate's own file."""
    path = folder / "fsdp.yaml"
    path.write_text("distributed_type: FSDP\nnum_processes: 2\nfsdp_config: {fsdp_version: 2}\n")
    return ["--launcher", "accelerate", "--accelerate-config", str(path)]


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
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()  # the others follow
        raise
    return process.returncode, stdout, stderr


def events(stderr: str) -> list[dict[str, Any]]:
    """The events among the lines of stderr."""
    return [json.loads(line) for line in stderr.splitlines() if line.startswith('{"event"')]


def timeless(run: RunDir) -> list[dict[str, Any]]:
    """The figures of a run without those that tell of time."""
    return [{name: value for name, value in event.items() if "second" not in name} for event in run.history()]


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
