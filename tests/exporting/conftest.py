"""A run of the tiny model that export tests share."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.training import train

ROWS = {"train": range(8), "val": range(100, 103)}


@pytest.fixture(scope="session")
def rows(make_once) -> Path:
    """A folder with eight rows in `train.jsonl` and three in `val.jsonl`."""

    def write(folder: Path) -> None:
        for name, numbers in ROWS.items():
            lines = [{"instruction": f"Say {number}.", "output": f"It is {number}."} for number in numbers]
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return make_once("export-rows", write)


@pytest.fixture(scope="session")
def shared_run(make_once, tiny_model: Path, rows: Path) -> Path:
    """A finished NF4 run of four steps, with a learning rate at which its adapter changes every answer."""

    def write(folder: Path) -> None:
        options = {
            "model": str(tiny_model),
            "data.train_file": str(rows / "train.jsonl"),
            "data.val_file": str(rows / "val.jsonl"),
            "output_dir": str(folder),
            "run_id": "run",
        }
        overrides = ["training.max_steps=4", "training.batch_size=4", "training.learning_rate=0.02"]
        overrides += ["training.logging_steps=2", "training.eval_steps=2", "lora.dropout=0"]
        train(LocalBackend(), load_config(LocalTrainConfig, overrides=overrides, options=options).config)

    return make_once("export-run", write) / "run"


@pytest.fixture
def run(shared_run: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be changed at will."""
    return Path(shutil.copytree(shared_run, tmp_path / "run", copy_function=os.link))
