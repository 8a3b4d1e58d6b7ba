"""What a model's files say before a weight is loaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from mistraltune.backends.local.inspecting import (
    context_length,
    layer_names,
    refuse_remote_code,
    refuse_unknown_layers,
    refuse_untrainable,
    tensor_names,
)
from mistraltune.config import DataConfig, LoraConfig, TrainConfig
from mistraltune.errors import ConfigError

LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


def train_config(**fields: Any) -> TrainConfig:
    return TrainConfig(model="some/model", **{"data": DataConfig(train_file="rows.jsonl"), **fields})


def test_the_layers_of_a_real_model_are_those_that_adapters_attach_to(tiny_model: Path) -> None:
    assert layer_names(tensor_names(tiny_model)) == LINEAR


def test_the_layers_of_a_model_in_parts_are_known_from_its_index_alone(tmp_path: Path) -> None:
    names = [
        "model.layers.0.self_attn.q_proj.weight",
        "model.embed_tokens.weight",
        "model.norm.weight",
        "lm_head.weight",
    ]
    write_json(tmp_path / "model.safetensors.index.json", {"weight_map": dict.fromkeys(names, "a")})
    assert layer_names(tensor_names(tmp_path)) == {"q_proj"}


def test_without_weights_nothing_is_known_and_nothing_refused(tmp_path: Path) -> None:
    assert layer_names(tensor_names(tmp_path)) == set()
    refuse_untrainable(tmp_path, train_config(lora=LoraConfig(target_modules=("anything",))))


@pytest.mark.parametrize(
    "content",
    [b"", b"short", struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2) + b"[1", struct.pack("<Q", 4) + b"null"],
)
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.safetensors is no safetensors file"):
        layer_names(tensor_names(tmp_path))


def test_layers_that_do_not_match_are_listed_with_those_that_would() -> None:
    config = train_config(lora=LoraConfig(target_modules=("q_proj", "w1", "w2")))
    with pytest.raises(ConfigError) as refused:
        refuse_unknown_layers(config, {"v_proj", "q_proj"})
    assert refused.value.message == "lora.target_modules: no layer of some/model is called w1, w2"
    assert refused.value.hint == "its linear layers: q_proj, v_proj"


@pytest.mark.parametrize(
    ("content", "length"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"text_config": {"max_position_embeddings": 131_072}, "max_position_embeddings": 1}, 131_072),
        ({"text_config": None, "max_position_embeddings": 8192}, 8192),
        ({"max_position_embeddings": None}, None),
        ({}, None),
    ],
)
def test_the_context_is_that_of_the_part_that_reads_text(tmp_path: Path, content: Any, length: int | None) -> None:
    write_json(tmp_path / "config.json", content)
    assert context_length(tmp_path) == length


def test_rows_may_be_as_long_as_the_context_and_no_longer(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"max_position_embeddings": 1024})
    refuse_untrainable(tmp_path, train_config(data=DataConfig(train_file="a", max_length=1024)))
    with pytest.raises(ConfigError, match=r"data\.max_length: 1,025 is more than the 1,024 tokens") as refused:
        refuse_untrainable(tmp_path, train_config(data=DataConfig(train_file="a", max_length=1025)))
    assert refused.value.hint == "set data.max_length to 1024 or less"


def test_a_model_without_code_of_its_own_passes(tiny_model: Path) -> None:
    refuse_remote_code(tiny_model, name="tiny")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_code_is_seen_wherever_a_model_names_it(tmp_path: Path, file: str) -> None:
    write_json(tmp_path / file, {"auto_map": {"AutoModel": "evil.Evil"}})
    with pytest.raises(ConfigError, match=rf"some/model needs Python code .*auto_map in {file}"):
        refuse_remote_code(tmp_path, name="some/model")
