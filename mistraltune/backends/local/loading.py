"""Tokenizers and models from disk into memory: safetensors only, no remote code, one place for precision."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.chat_template import ChatTemplateRenderer
from mistraltune.backends.local.inspecting import IMAGE_PARTS, is_conditional, is_float8, refuse_unsupported
from mistraltune.backends.local.locating import locate
from mistraltune.data.rendering import MistralRenderer
from mistraltune.errors import ConfigError
from mistraltune.interfaces import Renderer
from mistraltune.results import ModelRef

if TYPE_CHECKING:
    import torch


def quiet_libraries() -> None:
    """Silence, by name, what the libraries below say to every user and no user can act on."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # An optional inference kernel that would have to be fetched as native code; said at import on AVX512-BF16 CPUs.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # LLM.int8() rounds its inputs to 8 bits by way of float16, and says so in every layer of every pass.
    logging.getLogger("bitsandbytes.autograd._functions").addFilter(lambda record: "MatMul8bitLt" not in record.msg)
    # TRL's own default trips transformers' deprecation of gradient_checkpointing.
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated")
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    if os.environ.get("WANDB_MODE") == "offline":  # of which transformers tells stdout when it is imported
        with redirect_stdout(sys.stderr):
            import transformers.integrations.integration_utils  # noqa: F401
    # The trainer's stand-in tokenizer pads with another token than the model; no batch is ever padded by it.
    logging.getLogger("transformers.trainer_utils").addFilter(lambda record: "PAD/BOS/EOS" not in record.msg)


def load_renderer(ref: ModelRef) -> Renderer:
    """The renderer that follows from the model's files: mistral-common for Mistral's, else the chat template.

    Raises:
        ConfigError: The model has neither a Mistral tokenizer nor a chat template.
    """
    folder = locate(ref, with_weights=False)
    tekken = folder / "tekken.json"
    versioned = sorted(folder.glob("tokenizer.model.v*"))
    if tekken.is_file() or versioned:
        return MistralRenderer.from_file(tekken if tekken.is_file() else versioned[-1])
    tokenizer = load_tokenizer(folder)
    if not tokenizer.chat_template:
        raise ConfigError(
            f"{ref.model} has no chat template", hint="take an instruct model, or add a chat_template.jinja to it"
        )
    return ChatTemplateRenderer(tokenizer)


def load_tokenizer(folder: Path) -> Any:
    """The transformers tokenizer of a model folder, by its own files alone.

    Raises:
        ConfigError: The folder holds none that transformers can read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare ones
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{folder} holds no tokenizer that transformers can read: {reason}", hint="fetch the model again"
        ) from error


def pick_dtype(wanted: str) -> torch.dtype:
    """The precision of the computation: `auto` is bf16 where the hardware has it, else fp32."""
    import torch

    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    has_bf16 = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if has_bf16 else torch.float32


def pick_device() -> torch.device:
    """The accelerator of this process, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def load_base(ref: ModelRef, *, dtype: torch.dtype, attention: str = "sdpa", device: torch.device | None = None) -> Any:
    """The base model on its device, quantised as `ref` says, without adapter.

    Args:
        ref: The model.
        dtype: Of the computation, and of weights that are not quantised.
        attention: Name under which transformers finds the attention.
        device: Where its weights go; unset means `pick_device`.

    Raises:
        ConfigError: The model's architecture is not supported, or unknown to the installed transformers.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    from mistraltune.backends.local.attention import avoid_cudnn

    avoid_cudnn()
    folder = locate(ref)
    refuse_unsupported(folder, name=ref.model, quantization=ref.quantization)
    kind = AutoModelForImageTextToText if is_conditional(folder) else AutoModelForCausalLM
    try:
        return kind.from_pretrained(
            folder,
            dtype=dtype,
            quantization_config=quantization_config(ref, folder, dtype=dtype),
            device_map={"": device or pick_device()},
            attn_implementation=attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except ValueError as error:
        raise ConfigError(f"transformers cannot load {ref.model}: {error}") from error


def load_adapter(model: Any, adapter: str, *, name: str = "default") -> Any:
    """`model` with the adapter of a directory, beside those that it has already; on a CPU at the base's precision.

    Args:
        model: A base as `load_base` gives it, or what this function gave before.
        adapter: The directory.
        name: Among the adapters of the model.
    """
    from peft import PeftModel

    from mistraltune.backends.local.low_rank import compute_at_base_precision

    if isinstance(model, PeftModel):
        model.load_adapter(adapter, adapter_name=name)
    else:
        model = PeftModel.from_pretrained(model, adapter, adapter_name=name)
    if model.device.type == "cpu":
        compute_at_base_precision(model)
    return model


def load_gguf(file: Path, *, dtype: torch.dtype) -> Any:
    """The model of a GGUF file on its device, its weights unpacked to `dtype`."""
    from transformers import AutoModelForCausalLM, GgufConfig

    return AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=dtype,
        quantization_config=GgufConfig(dequantize=True),
        device_map={"": pick_device()},
        trust_remote_code=False,
        local_files_only=True,
    )


def quantization_config(ref: ModelRef, folder: Path, *, dtype: torch.dtype) -> Any:
    """How weights are held that are not held as the checkpoint does, in transformers' words; None for as they are.

    Linear layers are quantised, the head and the parts that see images are not. Experts are no linear layers:
    transformers (5.23) holds those of a layer in one tensor, which bitsandbytes leaves in 16 bits.
    """
    from transformers import BitsAndBytesConfig, FineGrainedFP8Config

    untouched = ["lm_head", *(rf".*{part}" for part in IMAGE_PARTS)] if is_conditional(folder) else None
    if ref.quantization == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=untouched,
        )
    if ref.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=untouched)
    return FineGrainedFP8Config(dequantize=True) if is_float8(folder) else None


def keep_trainable(model: Any) -> None:
    """Keep an evaluation pass from breaking the gradients of a 4-bit model on AVX512-BF16 CPUs.

    In eval mode, bitsandbytes (0.50) repacks a `Linear4bit` for inference and never unpacks it for training; from then
    on its backward pass is gone and gradients vanish without an error. Packing pays for pure inference only.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
