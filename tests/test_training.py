"""What a training refuses before it begins, and what it records of what it allows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mistraltune_echo import EchoBackend

from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import load_config
from mistraltune.errors import DataError
from mistraltune.training import make_plan, train

LONG = " ".join(f"word{number}" for number in range(60))


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Two steps, one of three validation rows equal to a training row, and one nearly."""
    files = {"train": ["one", LONG, "two"], "val": ["ONE", f"{LONG} again", "three"]}
    for name, questions in files.items():
        rows = [{"instruction": question, "output": "answer"} for question in questions]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    loaded = load_config(
        train_config_type("echo", EchoBackend.options),
        overrides=["training.max_steps=2"],
        options={
            "model": "echo",
            "data.train_file": str(tmp_path / "train.jsonl"),
            "data.val_file": str(tmp_path / "val.jsonl"),
            "output_dir": str(tmp_path / "outputs"),
        },
    )
    config: TrainConfig = loaded.config
    return config


def test_validation_rows_that_are_exactly_or_nearly_in_the_training_data_are_refused_with_counts(
    config: TrainConfig,
) -> None:
    with pytest.raises(
        DataError, match=r"1 validation row is in the training data too: .*val\.jsonl:1; 1 more is near"
    ):
        make_plan(EchoBackend(), config)
    with pytest.raises(DataError) as caught:
        train(EchoBackend(), config)
    assert caught.value.details["overlap"]["num_exact"] == caught.value.details["overlap"]["num_near"] == 1
    assert "--allow-overlap" in caught.value.hint


def test_an_allowed_overlap_is_told_and_recorded(config: TrainConfig) -> None:
    events: list[dict[str, Any]] = []
    run = train(EchoBackend(), config, allow_overlap=True, on_event=events.append)
    assert any("allowed, and recorded" in event.get("text", "") for event in events)
    assert run.metadata["plan"]["overlap"] == {"num_exact": 1, "num_near": 1}


def test_without_validation_rows_no_overlap_is_recorded(config: TrainConfig) -> None:
    alone = config.model_copy(update={"data": config.data.model_copy(update={"val_file": None})})
    assert make_plan(EchoBackend(), alone).summary()["overlap"] is None
