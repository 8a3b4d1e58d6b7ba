"""What a model's files say of it before a weight is loaded: its limits, its layers, whether it brings code."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from mistraltune.config import TrainConfig
from mistraltune.errors import ConfigError

MAX_HEADER_BYTES = 100_000_000
"""The safetensors library's own limit."""

_NO_LINEAR_LAYER = ("norm", "embed", "lm_head")


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
        ConfigError: Rows may be longer than the model's context, or a target module matches no layer.
    """
    limit = context_length(folder)
    if limit and config.data.max_length > limit:
        raise ConfigError(
            f"data.max_length: {config.data.max_length:,} is more than the {limit:,} tokens that {config.model} reads",
            hint=f"set data.max_length to {limit} or less",
        )
    refuse_unknown_layers(config, layer_names(folder))


def refuse_unknown_layers(config: TrainConfig, names: set[str]) -> None:
    """Raise where a target module is none of a model's layers; without names nothing is known, and nothing raised.

    Raises:
        ConfigError: Lists what does not match, and what would.
    """
    unmatched = [name for name in config.lora.target_modules if name not in names]
    if names and unmatched:
        raise ConfigError(
            f"lora.target_modules: no layer of {config.model} is called {', '.join(unmatched)}",
            hint=f"its linear layers: {', '.join(sorted(names))}",
        )


def context_length(folder: Path) -> int | None:
    """The longest sequence that a model reads, in tokens; None where its configuration does not say."""
    content = read_json(folder / "config.json")
    text_part = content.get("text_config")  # of a model that also sees images
    for section in (text_part if isinstance(text_part, dict) else {}, content):
        if isinstance(limit := section.get("max_position_embeddings"), int):
            return limit
    return None


def layer_names(folder: Path) -> set[str]:
    """Last parts of the names of the layers that can get an adapter; empty where no weights are on this machine."""
    keys: set[str] = set()
    for index in folder.glob("*.safetensors.index.json"):
        keys |= set(read_json(index).get("weight_map", ()))
    for file in folder.glob("*.safetensors") if not keys else ():
        keys |= set(read_safetensors_header(file))
    layers = {key.split(".")[-2] for key in keys if key.endswith(".weight") and key.count(".") > 1}
    return {name for name in layers if not any(part in name for part in _NO_LINEAR_LAYER)}


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
