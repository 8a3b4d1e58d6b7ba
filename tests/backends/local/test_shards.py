"""Passes through a base in shards, in two processes, against passes through a whole one."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sharded_passes import furthest
from tiny_families import write_family

MakeOnce = Callable[[str, Callable[[Path], None]], Path]

CASES: dict[str, dict[str, Any]] = {
    "float32": {"overrides": ["quantization=none", "local.dtype=float32"]},
    "nf4": {"overrides": ["quantization=nf4", "local.dtype=float32"]},
    "bfloat16 kept whole": {
        "overrides": ["quantization=nf4", "local.dtype=bfloat16"],
        "sharding": {"reshard_after_forward": False},
    },
    "offloaded": {"overrides": ["quantization=nf4", "local.dtype=float32"], "sharding": {"offload_params": True}},
    "checkpointing": {"overrides": ["quantization=nf4", "local.dtype=float32", "local.activation_checkpointing=true"]},
    "dora": {"overrides": ["quantization=nf4", "local.dtype=float32", "lora.use_dora=true"]},
    "mixtral": {
        "model": "mixtral",
        "overrides": [
            *("quantization=nf4", "local.dtype=float32", "lora.target_modules=[q_proj]"),
            "lora.target_parameters=[experts.gate_up_proj,experts.down_proj]",
        ],
    },
    "mistral3": {"model": "mistral3", "overrides": ["quantization=none", "local.dtype=float32"]},
    "tied": {"model": "tied", "overrides": ["quantization=none", "local.dtype=float32"]},
}


def write_tied(folder: Path) -> None:
    """A Llama whose head is its embedding, as the quickstart model's."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    torch.manual_seed(3)
    config = LlamaConfig(**shape, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def outcomes(tiny_model: Path, make_once: MakeOnce, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each case, by process."""
    folder = tmp_path_factory.mktemp("shards")
    models = {
        "mistral": tiny_model,
        "tied": make_once("tiny-tied", write_tied),
        "mixtral": make_once("tiny-mixtral", partial(write_family, "mixtral")),
        "mistral3": make_once("tiny-mistral3", partial(write_family, "mistral3")),
    }
    cases = {
        name: case | {"overrides": [f"model={models[case.get('model', 'mistral')]}", *case["overrides"]]}
        for name, case in CASES.items()
    }
    (folder / "cases.json").write_text(json.dumps(cases))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    script = Path(__file__).parent / "sharded_passes.py"
    ended = subprocess.run(
        [*launcher, "--nproc-per-node=2", script, folder / "cases.json"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found: dict[str, Any] = {}
    for line in ended.stdout.splitlines():
        found |= json.loads(line)
    assert set(found) == set(CASES), f"{found}\n{ended.stderr}"
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_base_in_shards_computes_what_a_whole_one_does(outcomes: dict[str, Any], name: str) -> None:
    """To the bit: scores, and the gradients of the adapters, while one process has three passes and the other one."""
    for process in outcomes[name]:
        assert process["furthest"] == 0
        assert process["num_gradients"] >= 2 * 2 * 2 * 2  # of two passes: two layers, two adapters, two matrices


def test_a_difference_that_is_no_number_is_not_passed_over() -> None:
    one, none, two = (torch.tensor([value]) for value in (1.0, float("nan"), 2.0))
    assert math.isnan(furthest([two, none, one], [one, one, one]))
    assert furthest([two, one], [one, one]) == 1


@pytest.mark.parametrize("name", CASES)
def test_each_process_holds_its_part_of_the_base(outcomes: dict[str, Any], name: str) -> None:
    """Before the first pass and after the last."""
    for process in outcomes[name]:
        assert process["share"] == pytest.approx(0.5, abs=0.02)
        assert process["left"] == process["share"]
