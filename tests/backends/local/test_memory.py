"""The estimate of memory, against what trainings really take, and what it advises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.memory import STATE_BYTES, Batch, Device, estimate_memory, ways_to_save
from mistraltune.backends.local.sharding import Formation, Sharding
from mistraltune.backends.local.sizing import Dimensions, read_dimensions
from mistraltune.config import Optimizer
from mistraltune.configuring import load_config

MISTRAL_7B = Dimensions(layers=32, hidden=4096, inner=14336, queries=4096, keys=1024, vocabulary=32768, is_tied=False)
GPU = Device("gpu", 2, free=None)


def base_config(*overrides: str) -> LocalTrainConfig:
    config: LocalTrainConfig = load_config(LocalTrainConfig, files=["base"], overrides=list(overrides)).config
    return config


def test_the_weights_of_mistral_7b_are_counted_to_the_last() -> None:
    assert MISTRAL_7B.linear_weights + MISTRAL_7B.other_weights == 7_248_023_552  # as its index of tensors says


def test_four_bits_hold_a_quarter_of_the_linear_layers() -> None:
    batch = Batch([1000] * 4, 1000)
    held = {
        name: estimate_memory(base_config(f"quantization={name}"), MISTRAL_7B, batch, GPU) for name in ("nf4", "none")
    }
    assert held["none"].weights == 2 * 7_248_023_552
    assert held["nf4"].weights == pytest.approx(
        0.516 * MISTRAL_7B.linear_weights + 2 * MISTRAL_7B.other_weights, rel=0.01
    )


def test_shards_divide_what_is_not_whole_in_every_process() -> None:
    """Whole are two layers and the head at a time, and the scales of weights in 4 bits at any."""
    batch, head = Batch([1000] * 4, 1000), 2 * 32768 * 4096
    eight = GPU._replace(formation=Formation(8, 8, Sharding()))
    for quantization, scales in (("none", 0.0), ("nf4", 0.5 / 32)):
        config = base_config(f"quantization={quantization}")
        whole = estimate_memory(config, MISTRAL_7B, batch, GPU)
        shared = estimate_memory(config, MISTRAL_7B, batch, eight)
        kept = round(scales * MISTRAL_7B.linear_weights)
        layers = whole.weights - 2 * MISTRAL_7B.other_weights - kept
        expected = (whole.weights - kept) / 8 + kept + head + layers / 16
        assert shared.weights == pytest.approx(expected, rel=0.01)
        assert shared.total - shared.weights == whole.total - whole.weights
    unreleased = Sharding(reshard_after_forward=False)
    kept_whole = estimate_memory(config, MISTRAL_7B, batch, GPU._replace(formation=Formation(8, 8, unreleased)))
    assert kept_whole.weights > whole.weights - head
    in_memory_of_the_cpu = Sharding(offload_params=True)
    offloaded = estimate_memory(
        config, MISTRAL_7B, batch, GPU._replace(formation=Formation(8, 8, in_memory_of_the_cpu))
    )
    assert offloaded.weights < shared.weights


def test_every_optimizer_has_a_size() -> None:
    assert set(STATE_BYTES) == set(get_args(Optimizer))


def test_advice_begins_with_what_changes_no_result_and_says_what_it_saves() -> None:
    config = base_config("local.activation_checkpointing=false", "training.batch_size=8")
    batch = Batch([2048] * 8, 2048)
    ways = dict(ways_to_save(config, MISTRAL_7B, batch, GPU))
    assert list(ways)[:3] == [
        "local.pass_length=8192",
        "local.activation_checkpointing=true",
        "training.batch_size=4 with training.gradient_accumulation_steps=8",
    ]
    now = estimate_memory(config, MISTRAL_7B, batch, GPU)
    assert all(0 < saved < now.total for saved in ways.values())
    lowered = base_config("training.batch_size=8", "local.activation_checkpointing=true")
    assert (
        now.total - estimate_memory(lowered, MISTRAL_7B, batch, GPU).total
        == ways["local.activation_checkpointing=true"]
    )


@pytest.mark.parametrize(
    ("rows", "steps", "advice"), [(3, 1, (1, 3)), (3, 4, (1, 12)), (5, 4, (2, 10)), (6, 1, (3, 2))]
)
def test_a_smaller_batch_is_advised_with_as_many_rows_a_step(rows: int, steps: int, advice: tuple[int, int]) -> None:
    config = base_config(f"training.batch_size={rows}", f"training.gradient_accumulation_steps={steps}")
    ways = dict(ways_to_save(config, MISTRAL_7B, Batch([2048] * rows, 2048), GPU))
    assert "training.batch_size={} with training.gradient_accumulation_steps={}".format(*advice) in ways


def test_dora_with_dropout_keeps_a_copy_of_every_weight_that_it_adapts() -> None:
    batch = Batch([1000], 1000)
    config = base_config("lora.use_dora=true", "local.activation_checkpointing=false")
    ways = dict(ways_to_save(config, MISTRAL_7B, batch, GPU))
    assert ways["lora.dropout=0"] > 2 * MISTRAL_7B.linear_weights


def test_a_configuration_without_the_usual_names_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "odd", "n_layer": 2}')
    assert read_dimensions(tmp_path) is None


SCRIPT = """
import json, os, resource, sys
from pathlib import Path
from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.training import train
import mistraltune.backends.local.sft, mistraltune.backends.local.loading
cases, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for index, overrides in enumerate(cases):
    if os.fork():
        os.wait()
        continue
    config = load_config(LocalTrainConfig, overrides=overrides, options=options | {"run_id": f"run-{index}"}).config
    run = train(LocalBackend(), config)
    memory = run.metadata["plan"]["memory"]
    print(json.dumps(memory | {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory of a forked process")
def test_the_estimate_is_near_what_trainings_take(make_once: Callable[..., Path], tmp_path: Path) -> None:
    """A quarter off at most, on a model of 100 million weights; and checkpointing saves what it is said to save."""
    folder = make_once("middling-mistral", write_middling_model)
    rows = [{"instruction": f"Count {i}.", "output": "one two three " * 200} for i in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"model": str(folder), "data.train_file": str(tmp_path / "rows.jsonl"), "output_dir": str(tmp_path)}
    common = ["training.max_steps=1", "training.batch_size=1", "training.gradient_accumulation_steps=1"]
    plainly = "quantization=none"
    cases = [["quantization=nf4"], [plainly], [plainly, "local.activation_checkpointing=true"], ["lora.use_dora=true"]]
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([[*common, *case] for case in cases]), json.dumps(options)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    measured: list[dict[str, Any]] = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert len(measured) == len(cases), outcome.stderr
    for figures in measured:
        assert 0.75 < figures["total_bytes"] / figures["peak_bytes"] < 1.3, figures
    _, plain, recomputing, _ = measured
    saved = plain["peak_bytes"] - recomputing["peak_bytes"]
    assert 0.5 < (plain["total_bytes"] - recomputing["total_bytes"]) / saved < 2, measured


def write_middling_model(folder: Path) -> None:
    import mistral_common
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=32768,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=8,
        num_attention_heads=12,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=4096,
        sliding_window=None,
    )
    with torch.device("meta"):
        model = MistralForCausalLM(config)
    model = model.to(torch.bfloat16).to_empty(device="cpu")
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    model.save_pretrained(folder)
    tokenizers = Path(mistral_common.__file__).parent / "data"
    shutil.copyfile(tokenizers / "mistral_instruct_tokenizer_240323.model.v3", folder / "tokenizer.model.v3")
