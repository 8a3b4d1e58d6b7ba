"""How a Mistral or Llama of transformers lies in a GGUF file: hyperparameters, tensor names, order of rows.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and llama.cpp's architecture `llama`, which both are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.inspecting import read_safetensors_header
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    import torch

ARCHITECTURE = "llama"
MODEL_TYPES = ("mistral", "llama")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight on its way into a GGUF file.

    Attributes:
        name: In the GGUF file.
        source_name: In the model directory.
        file: Where it lies there.
        shape: Rows and columns, or one number.
        num_heads: Of a query or key projection, whose rows change places; None for all others.
    """

    name: str
    source_name: str
    file: Path
    shape: tuple[int, ...]
    num_heads: int | None

    def read(self) -> torch.Tensor:
        """The weight in the order of rows that GGUF wants, in the source's precision."""
        from safetensors import safe_open

        with safe_open(self.file, framework="pt") as content:
            weight: torch.Tensor = content.get_tensor(self.source_name)
        return permuted(weight, self.num_heads) if self.num_heads else weight


def permuted(weight: torch.Tensor, num_heads: int) -> torch.Tensor:
    """Rows of a query or key projection as llama.cpp rotates them: neighbours in pairs.

    transformers rotates row i of a head with row i + head_dim / 2. So the halves of each head are interleaved.
    """
    halves = weight.reshape(num_heads, 2, weight.shape[0] // num_heads // 2, *weight.shape[1:])
    return halves.transpose(1, 2).reshape(weight.shape)


def read_layout(folder: Path, *, name: str, is_to_be_merged: bool = False) -> Any:
    """The configuration of a model directory, once it is sure that a GGUF of the architecture `llama` says all of it.

    Args:
        folder: The model directory; its weights are not read.
        name: How the message names the model.
        is_to_be_merged: Whether it is the base of what will be written, which has 16-bit weights whatever these are.

    Raises:
        ConfigError: The model computes something that such a file does not say; the message names it.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if is_to_be_merged:
        config.quantization_config = None
    problems = list(unsaid(config))
    if problems:
        raise ConfigError(
            f"{name} cannot be written as GGUF: {'; '.join(problems)}",
            hint="`export merge` it, then use convert_hf_to_gguf.py of llama.cpp, which knows more layouts",
        )
    return config


def unsaid(config: Any) -> Iterator[str]:
    """What a GGUF of the architecture `llama`, as it is written here, would leave out of a configuration."""
    if config.model_type not in MODEL_TYPES:
        yield f"its layout is {config.model_type}, known are {' and '.join(MODEL_TYPES)}"
        return
    window = getattr(config, "sliding_window", None)
    if window and window < config.max_position_embeddings:
        yield f"its attention has a sliding window of {window:,} tokens, which llama.cpp would not keep"
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        yield f"its positions are scaled ({rope['rope_type']})"
    if rope.get("partial_rotary_factor", 1) != 1:
        yield "its positions turn a part of each head"
    if config.hidden_act != "silu":
        yield f"its activation is {config.hidden_act}"
    if getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False):
        yield "its layers have biases"
    if getattr(config, "quantization_config", None):
        yield "its weights are quantised already"


def find_tensors(folder: Path, config: Any, *, name: str) -> list[Tensor]:
    """All weights of a model directory in the order of a GGUF file.

    Raises:
        ConfigError: A weight is none that the architecture knows, or one is missing.
    """
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for source, header in read_safetensors_header(file).items():
            if source == "__metadata__" or (source == "lm_head.weight" and config.tie_word_embeddings):
                continue
            target = names.get_name(source, try_suffixes=(".weight",))
            if target is None:
                raise ConfigError(f"{name} cannot be written as GGUF: it has a weight {source}")
            found[target] = Tensor(target, source, file, tuple(header["shape"]), heads.get(target.split(".")[-2]))
    wanted = 2 + 9 * config.num_hidden_layers + (not config.tie_word_embeddings)
    if len(found) != wanted:
        raise ConfigError(f"{name} cannot be written as GGUF: it has {len(found)} weights, not {wanted}")
    return sorted(found.values(), key=place)


def place(tensor: Tensor) -> tuple[int, int, str]:
    """Where a tensor lies in the file: embeddings, layers in order, then the output."""
    if not tensor.name.startswith("blk."):
        return (0 if tensor.name.startswith("token_embd") else 2), 0, tensor.name
    return 1, int(tensor.name.split(".")[1]), tensor.name


def write_hyperparameters(writer: Any, config: Any) -> None:
    """What llama.cpp must know to compute the model."""
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
