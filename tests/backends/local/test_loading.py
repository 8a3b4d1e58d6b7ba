"""Precision and renderer follow from hardware and model; nobody is asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mistraltune.backends.local.loading import load_base, load_renderer, pick_dtype
from mistraltune.data.rendering import MistralRenderer
from mistraltune.errors import ConfigError
from mistraltune.results import ModelRef


def test_auto_is_bfloat16_where_the_hardware_has_it_and_never_float16() -> None:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    expected = torch.bfloat16 if torch.cuda.is_available() or "avx512_bf16" in flags else torch.float32
    assert pick_dtype("auto") == expected
    assert pick_dtype("float32") == torch.float32


def test_a_mistral_tokenizer_file_decides_for_mistral_common(tiny_model: Path) -> None:
    renderer = load_renderer(ModelRef(model=str(tiny_model)))
    assert isinstance(renderer, MistralRenderer)
    assert renderer.fingerprint == MistralRenderer.from_name("v3").fingerprint


def test_a_4_bit_base_holds_its_linear_layers_in_4_bits(tiny_model: Path) -> None:
    from bitsandbytes.nn import Linear4bit

    model = load_base(ModelRef(model=str(tiny_model), quantization="nf4"), dtype=torch.float32)
    quantised = [name for name, module in model.named_modules() if isinstance(module, Linear4bit)]
    assert len(quantised) == 2 * 7
    assert all(module.weight.quant_type == "nf4" for module in model.modules() if isinstance(module, Linear4bit))
    assert model.lm_head.weight.dtype == torch.float32


def test_an_unknown_architecture_is_a_word_not_a_traceback(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(tiny_model, folder)
    config = (folder / "config.json").read_text().replace('"mistral"', '"mistral99"')
    (folder / "config.json").write_text(config)
    with pytest.raises(ConfigError, match="transformers cannot load"):
        load_base(ModelRef(model=str(folder)), dtype=torch.float32)


def test_attention_on_cuda_is_never_cudnns_which_plans_anew_for_each_length(tiny_model: Path) -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    load_base(ModelRef(model=str(tiny_model)), dtype=torch.float32)
    assert not torch.backends.cuda.cudnn_sdp_enabled()
