"""An adapter merged into the 16-bit weights of its base: a model directory that needs neither of them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from mistraltune.backends.local.inspecting import read_safetensors_header
from mistraltune.backends.local.locating import TOKENIZER_FILES, locate
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import free_bytes
from mistraltune.results import ModelRef

WEIGHT_BYTES = 2
"""Bytes that a weight of 16 bits takes."""

SLACK_BYTES = 100_000_000
"""Room for tokenizer files and for what else is written meanwhile."""

OWN_FILES = ("config.json", "generation_config.json", "adapter_config.json", "params.json", "*.index.json", "README*")
"""Files of a base that a merged model writes anew, or that are none of its own."""


def merge(ref: ModelRef, folder: Path, *, dtype: str) -> None:
    """Write base and adapter of `ref` to `folder` as one model, see `ExportingBackend.merge`.

    The 4-bit weights that the adapter was trained on are never the target: rounding them back would lose the merge.

    Raises:
        ConfigError: Merging gives numbers that are none.
        TemporaryError: The disk is too small.
    """
    base = locate(ref)
    refuse_small_disk(folder, count_weights(base) * WEIGHT_BYTES)
    # torch, transformers and PEFT take seconds to import: everything that can be refused was refused before.
    from mistraltune.backends.local.loading import load_base, quiet_libraries

    quiet_libraries()
    import torch
    from peft import PeftModel

    whole = ref.model_copy(update={"quantization": "none", "adapter": None})
    model: Any = PeftModel.from_pretrained(load_base(whole, dtype=getattr(torch, dtype)), ref.adapter)
    try:
        round_once(model)
    except ValueError as error:  # PEFT's word for NaN
        raise ConfigError(f"{ref.adapter} cannot be merged: {error}", hint="was the training sound?") from error
    model.unload().save_pretrained(folder)
    copy_tokenizer(base, folder)


def round_once(model: Any) -> None:
    """Merge layer by layer in float32, then round; PEFT alone would round what it adds, and the sum again.

    Raises:
        ValueError: An adapter holds numbers that are none.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for layer in [module for module in model.modules() if isinstance(module, BaseTunerLayer)]:
        weights = list(layer.get_base_layer().parameters(recurse=False))
        dtypes = [weight.dtype for weight in weights]
        for weight in weights:
            weight.data = weight.data.float()
        layer.merge(safe_merge=True)
        for weight, dtype in zip(weights, dtypes, strict=True):
            weight.data = weight.data.to(dtype)


def refuse_small_disk(place: Path, needed: int) -> None:
    """Find out before a model is loaded that the disk does not hold the result.

    Raises:
        TemporaryError: Names what is free and what is needed.
    """
    free = free_bytes(place)
    if free < needed + SLACK_BYTES:
        raise TemporaryError(
            f"{place.parent}: {free:,} bytes are free, the result takes about {needed:,}",
            hint="free some space, or name another place",
        )


def count_weights(folder: Path) -> int:
    """Weights of a model directory, from the headers of its files."""
    headers = (read_safetensors_header(file) for file in folder.glob("*.safetensors"))
    return sum(
        math.prod(tensor["shape"]) for header in headers for name, tensor in header.items() if name != "__metadata__"
    )


def copy_tokenizer(base: Path, folder: Path) -> None:
    """Copy the base's tokenizer files and chat template as they are, so that its own renderer is the model's too."""
    unwanted = {file for pattern in OWN_FILES for file in base.glob(pattern)}
    for file in sorted({file for pattern in TOKENIZER_FILES for file in base.glob(pattern)} - unwanted):
        shutil.copyfile(file, folder / file.name)
