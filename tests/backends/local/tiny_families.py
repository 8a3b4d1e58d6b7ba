"""Tiny models with random weights, one of each family of Mistral's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mistral_common
import torch


def write_family(name: str, folder: Path) -> None:
    """`ministral`, `ministral3`, `mistral3` or `mixtral`: two layers in bf16, with Mistral's own v3 tokenizer."""
    import transformers as hf

    shape: dict[str, Any] = {
        "vocab_size": 32768,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 16,
        "image_size": 32,
        "patch_size": 16,
        "model_type": "pixtral",
    }
    rope = {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 16.0,
        "original_max_position_embeddings": 256,
        "mscale_all_dim": 1.0,
        "mscale": 1.0,
        "llama_4_scaling_beta": 0.1,
    }
    layers = ["sliding_attention", "full_attention"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        match name:
            case "ministral":
                config = hf.MinistralConfig(**shape, sliding_window=16, layer_types=layers)
                model = hf.MinistralForCausalLM(config)
            case "ministral3":
                model = hf.Ministral3ForCausalLM(hf.Ministral3Config(**shape, rope_parameters=rope))
            case "mistral3":
                text = hf.Ministral3Config(**shape, rope_parameters=rope).to_dict()
                config = hf.Mistral3Config(text_config=text, vision_config=vision, tie_word_embeddings=False)
                model = hf.Mistral3ForConditionalGeneration(config)
            case "mixtral":
                config = hf.MixtralConfig(**shape, num_local_experts=4, num_experts_per_tok=2, sliding_window=None)
                model = hf.MixtralForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    if name == "mistral3":
        (folder / "processor_config.json").write_text('{"processor_class": "PixtralProcessor", "patch_size": 16}')
    tokenizers = Path(mistral_common.__file__).parent / "data"
    shutil.copyfile(tokenizers / "mistral_instruct_tokenizer_240323.model.v3", folder / "tokenizer.model.v3")
