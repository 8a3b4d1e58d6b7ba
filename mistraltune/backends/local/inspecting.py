"""What a model's files say of it before a weight is loaded: its limits, its layers, whether it brings code."""

from __future__ import annotations

import json
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mistraltune.config import TrainConfig
from mistraltune.errors import ConfigError

MAX_HEADER_BYTES = 100_000_000
"""The safetensors library's own limit."""

IMAGE_PARTS = ("vision_tower", "multi_modal_projector")
"""Parts of a model that sees images, by their names; they stay as they are, and hold no adapter."""

EXPERTS = ("experts.gate_up_proj", "experts.down_proj")
"""Weights of a mixture's experts as transformers holds them: all experts of a layer in one tensor."""

_NO_LINEAR_LAYER = ("norm", "embed", "lm_head", "patch_conv", "ln_pre")
_NO_LAYER_OF_TEXT = (*IMAGE_PARTS, ".experts.", ".block_sparse_moe.gate.", ".mlp.gate.")

_UNSUPPORTED = ("mistral4", "mistral_large4")
_SUPPORTED = (
    "mistral, ministral, ministral3, mistral3 and mixtral, and what transformers loads as a causal language model"
)


def model_types(folder: Path) -> list[str]:
    """What transformers calls the model, and the part of it that reads text where that is another."""
    content = read_json(folder / "config.json")
    sections = (content, content.get("text_config"))
    return [str(part["model_type"]) for part in sections if isinstance(part, dict) and "model_type" in part]


def is_conditional(folder: Path) -> bool:
    """Whether the model sees images too, and reads text with a part of it."""
    return "mistral3" in model_types(folder)


def is_float8(folder: Path) -> bool:
    """Whether the checkpoint holds its weights in 8-bit floating point (FP8)."""
    quantization = read_json(folder / "config.json").get("quantization_config")
    return isinstance(quantization, dict) and quantization.get("quant_method") == "fp8"


def refuse_unsupported(folder: Path, *, name: str, quantization: str) -> None:
    """Raise where a model is of a family, or a checkpoint of a kind, that cannot be loaded as is wanted.

    Raises:
        ConfigError: Names the family, or what to do about an FP8 checkpoint.
    """
    if unsupported := [kind for kind in model_types(folder) if kind in _UNSUPPORTED]:
        raise ConfigError(
            f"{name} is a {unsupported[0]} model, which is not supported", hint=f"supported: {_SUPPORTED}"
        )
    if quantization != "none" and is_float8(folder):
        raise ConfigError(
            f"{name} holds its weights in FP8, from which they are not quantised to {quantization}",
            hint="take the 16-bit checkpoint of the same model (Mistral's are named -BF16), "
            "or set quantization=none, which loads this one in 16 bits",
        )


def refuse_remote_code(folder: Path, *, name: str) -> None:
    """Raise where a model's configuration names Python code of its own (`auto_map`), which is never run.

    Raises:
        ConfigError: It does, or the configuration is no JSON.
    """
    for file in ("config.json", "tokenizer_config.json", "processor_config.json"):
        if read_json(folder / file).get("auto_map"):
            raise ConfigError(
                f"{name} needs Python code that comes with it (auto_map in {file}), and no such code is run",
                hint="take a model that transformers supports by itself",
            )


def refuse_untrainable(folder: Path, config: TrainConfig) -> None:
    """Raise where the model's files show that `config` cannot be trained.

    Raises:
        ConfigError: Its family is not supported, rows may be longer than its context, or a target matches nothing.
    """
    refuse_unsupported(folder, name=config.model, quantization=config.quantization)
    limit = context_length(folder)
    if limit and config.data.max_length > limit:
        raise ConfigError(
            f"data.max_length: {config.data.max_length:,} is more than the {limit:,} tokens that {config.model} reads",
            hint=f"set data.max_length to {limit} or less",
        )
    keys = tensor_names(folder)
    refuse_unknown_layers(config, layer_names(keys), expert_names(keys))


def refuse_unknown_layers(config: TrainConfig, layers: set[str], experts: Collection[str] = ()) -> None:
    """Raise where a target is none of a model's; without layers nothing is known, and nothing raised.

    Args:
        config: Names the targets.
        layers: Last parts of the names of the model's linear layers.
        experts: Ends of the names of its experts' weights.

    Raises:
        ConfigError: Lists what does not match, and what would.
    """
    if not layers:
        return
    hint = f"its linear layers: {', '.join(sorted(layers))}"
    if experts:
        hint += "; `--lora lora_r16a32_experts` adapts these and its experts"
    if unmatched := [name for name in config.lora.target_modules if name not in layers]:
        raise ConfigError(
            f"lora.target_modules: no layer of {config.model} is called {', '.join(unmatched)}", hint=hint
        )
    if unmatched := [name for name in config.lora.target_parameters if name not in experts]:
        what = f"the weights that can be: {', '.join(experts)}" if experts else "it has no experts"
        raise ConfigError(f"lora.target_parameters: {config.model} has no {', '.join(unmatched)}", hint=what)


def context_length(folder: Path) -> int | None:
    """The longest sequence that a model reads, in tokens; None where its configuration does not say."""
    content = read_json(folder / "config.json")
    text_part = content.get("text_config")  # of a model that also sees images
    for section in (text_part if isinstance(text_part, dict) else {}, content):
        if isinstance(limit := section.get("max_position_embeddings"), int):
            return limit
    return None


def tensor_names(folder: Path) -> set[str]:
    """Names of all tensors of a model; empty where no weights are on this machine."""
    keys: set[str] = set()
    for index in folder.glob("*.safetensors.index.json"):
        keys |= set(read_json(index).get("weight_map", ()))
    for file in folder.glob("*.safetensors") if not keys else ():
        keys |= set(read_safetensors_header(file))
    return keys


def layer_names(keys: Collection[str]) -> set[str]:
    """Last parts of the names of the linear layers that can get an adapter, among tensors of those names."""
    weights = [key for key in keys if key.endswith(".weight") and key.count(".") > 1]
    layers = {key.split(".")[-2] for key in weights if not any(part in key for part in _NO_LAYER_OF_TEXT)}
    return {name for name in layers if not any(part in name for part in _NO_LINEAR_LAYER)}


def expert_names(keys: Collection[str]) -> tuple[str, ...]:
    """Ends of the names of experts' weights, where the model has experts."""
    return EXPERTS if any(".experts." in key for key in keys) else ()


def read_safetensors_header(file: Path) -> dict[str, Any]:
    """Tensor names of a safetensors file, each with dtype, shape and place (format: 8 bytes of length, then JSON).

    Raises:
        ConfigError: It is no such file.
    """
    with file.open("rb") as content:
        start = content.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES + 1
        header = content.read(length) if length <= MAX_HEADER_BYTES else b""
    try:
        return dict(json.loads(header))
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{file} is no safetensors file", hint="fetch the model again") from error


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a model; empty where there is no such file.

    Raises:
        ConfigError: It holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot read {file}: {error}", hint="fetch the model again") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no JSON object", hint="fetch the model again")
    return content
