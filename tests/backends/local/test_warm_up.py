"""The longest batch is tried before the first step, and nothing is different afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mistraltune.backends.local import LocalBackend, LocalTrainConfig, progress_callback, warm_up
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError
from mistraltune.runs import RunDir
from mistraltune.training import make_plan, train

MakeConfig = Callable[..., LocalTrainConfig]


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> MakeConfig:
    """Rows of growing length, with dropout, so that a random number more or less would be seen."""
    rows = [{"instruction": "Say it.", "output": "word " * (3 * number + 1)} for number in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(*overrides: str) -> LocalTrainConfig:
        options = {
            "model": str(tiny_model),
            "data.train_file": str(tmp_path / "rows.jsonl"),
            "output_dir": str(tmp_path / "outputs"),
        }
        shape = ["training.max_steps=2", "training.batch_size=3", "training.gradient_accumulation_steps=1"]
        shape += ["training.logging_steps=1", "lora.dropout=0.2"]
        config: LocalTrainConfig = load_config(LocalTrainConfig, overrides=[*shape, *overrides], options=options).config
        return config

    return make


def timeless(run: RunDir) -> list[dict[str, Any]]:
    return [{k: v for k, v in event.items() if "second" not in k} for event in run.history()]


@pytest.mark.parametrize(
    "case", [("quantization=nf4",), ("quantization=none", "lora.use_dora=true"), ("quantization=int8",)]
)
def test_a_run_is_the_same_with_and_without_it(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch, case: tuple[str, ...]
) -> None:
    warm = train(LocalBackend(), config(*case, "run_id=warm"))
    monkeypatch.setattr(progress_callback, "warm_up", lambda *_: None)
    cold = train(LocalBackend(), config(*case, "run_id=cold"))
    adapters = [(run.path / "adapter_model.safetensors").read_bytes() for run in (warm, cold)]
    assert adapters[0] == adapters[1]
    assert timeless(warm) == timeless(cold)
    assert warm.metrics["train_tokens"] == cold.metrics["train_tokens"]


def test_what_is_tried_is_the_longest_rows_together(config: MakeConfig) -> None:
    texts: list[str] = []
    chosen = config("training.max_steps=1")
    plan = make_plan(LocalBackend(), chosen)
    assert [row for row, _ in plan.train.longest_batch(3)] == [7, 6, 5]
    assert plan.train.longest_batch(3)[0][1] == plan.train.measured.longest
    train(LocalBackend(), chosen, on_event=lambda event: texts.append(event.get("text", "")))
    tokens = sum(length for _, length in plan.train.longest_batch(3))
    assert f"trying the longest batch: {tokens:,} tokens" in texts


def ask_for_too_much(*_: Any) -> None:
    torch.empty(2**60)


def test_memory_that_runs_out_is_told_with_what_to_lower_and_by_how_much(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_up, "longest_rows", ask_for_too_much)
    with pytest.raises(ConfigError) as refused:
        train(LocalBackend(), config("training.batch_size=8", "run_id=small"))
    assert refused.value.message.startswith("out of memory on the longest batch, before step 1: ")
    assert "you tried to allocate 4611686018427387904 bytes" in refused.value.message
    assert "\n" not in refused.value.message


def test_an_error_that_is_no_shortage_stays_what_it_is(config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(warm_up, "longest_rows", fail)
    with pytest.raises(RuntimeError, match="something else"):
        train(LocalBackend(), config())
