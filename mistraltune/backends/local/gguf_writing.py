"""A model directory as one GGUF file, written tensor by tensor, then read back and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.gguf_layout import (
    ARCHITECTURE,
    Tensor,
    find_tensors,
    read_layout,
    write_hyperparameters,
)
from mistraltune.backends.local.gguf_vocabulary import Vocabulary, read_vocabulary
from mistraltune.errors import TemporaryError

if TYPE_CHECKING:
    import torch

FILE_TYPES = ("bf16", "q8_0", "q4_0")

HALF_SPACING = 2.0**-11
"""Largest relative error of the 16-bit scale of a block."""
TINY = 2.0**-25
"""Largest error of such a scale that is too small for its full precision."""


@dataclass(frozen=True, slots=True)
class Written:
    """A GGUF file as it was read back.

    Attributes:
        num_tensors: Weights in it.
        types: How many of each type.
        largest_error: Largest difference of a weight from the source.
        largest_share: The same as a share of what its type may lose; 0 where nothing was lost.
    """

    num_tensors: int
    types: dict[str, int]
    largest_error: float
    largest_share: float


@dataclass(frozen=True, slots=True)
class GgufModel:
    """What will be in a GGUF file, known before a weight is read.

    Attributes:
        name: The model's, without a path.
        config: transformers' configuration of the model.
        vocabulary: As long as the model's embeddings.
        tensors: In the order of the file.
        chat_template: In Jinja; empty where there is none that says what the renderer does.
    """

    name: str
    config: Any
    vocabulary: Vocabulary
    tensors: Sequence[Tensor]
    chat_template: str

    def type_of(self, tensor: Tensor, file_type: str) -> Any:
        """The type in which a weight is written.

        Norms stay in float32. The output of a 4-bit file has 8 bits, because an error there meets every token (6 in
        llama.cpp). Rows that are no multiple of a block stay in bf16.
        """
        import gguf

        types = gguf.GGMLQuantizationType
        if len(tensor.shape) == 1:
            return types.F32
        output = "token_embd.weight" if self.config.tie_word_embeddings else "output.weight"
        wanted = types.Q8_0 if file_type == "q4_0" and tensor.name == output else types[file_type.upper()]
        block_size, _ = gguf.GGML_QUANT_SIZES[wanted]
        return types.BF16 if tensor.shape[-1] % block_size else wanted


def read_model(folder: Path, *, name: str, chat_template: str = "") -> GgufModel:
    """What a GGUF file of the model directory will hold.

    Raises:
        ConfigError: Its layout or its tokenizer is none that such a file can say here.
    """
    config = read_layout(folder, name=name)
    vocabulary = read_vocabulary(folder, name=name).padded(config.vocab_size, name=name)
    return GgufModel(name, config, vocabulary, find_tensors(folder, config, name=name), chat_template)


def write_gguf(model: GgufModel, file: Path, *, file_type: str) -> None:
    """Write the file; one tensor is in memory at a time."""
    import gguf

    writer = gguf.GGUFWriter(file, ARCHITECTURE)
    writer.add_name(model.name)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{file_type.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    write_hyperparameters(writer, model.config)
    model.vocabulary.write(writer)
    if model.chat_template:
        writer.add_chat_template(model.chat_template)
    import numpy as np

    for tensor in model.tensors:
        kind = model.type_of(tensor, file_type)
        shape = gguf.quant_shape_to_byte_shape(tensor.shape, kind)
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.uint8), int(np.prod(shape)), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in model.tensors:
        packed = gguf.quantize(tensor.read().float().numpy(), model.type_of(tensor, file_type))
        writer.write_tensor_data(packed.view(np.uint8))
    writer.close()


def read_back(model: GgufModel, file: Path) -> Written:
    """Every tensor of the file, dequantised and compared with its source.

    Raises:
        TemporaryError: One is missing, or further from its source than its type allows.
    """
    import gguf
    import torch

    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    types: dict[str, int] = {}
    largest_error = largest_share = 0.0
    for tensor in model.tensors:
        found = stored.pop(tensor.name, None)
        if found is None:
            raise TemporaryError(f"{file} lacks {tensor.name}", hint="give the same command again")
        source = tensor.read()
        back = torch.from_numpy(gguf.dequantize(found.data, found.tensor_type).copy()).reshape(tensor.shape)
        kind = found.tensor_type.name.lower()
        error, bound = (back - source.float()).abs(), error_bound(source, kind)
        if not bool((error <= bound).all()):
            raise TemporaryError(
                f"{file}: {tensor.name} reads back with an error of {float(error.max()):.3g}, {kind} allows less",
                hint="is the disk sound? Give the same command again",
            )
        types[kind] = types.get(kind, 0) + 1
        largest_error = max(largest_error, float(error.max()))
        largest_share = max(largest_share, float((error / bound.clamp(min=1e-30)).max()))
    if stored:
        raise TemporaryError(f"{file} holds {', '.join(stored)}, which the model has not")
    return Written(len(model.tensors), types, largest_error, round(largest_share, 4))


def error_bound(source: torch.Tensor, kind: str) -> torch.Tensor:
    """How far each weight may be from `source` once it is stored as `kind`.

    Blocks of 32 weights share a scale in float16. q8_0 rounds to 127 steps each way, so it loses half a step; q4_0
    counts from -8 to 7 steps, so that a weight as large as the largest, of the other sign, loses a whole one.
    """
    import torch

    weights = source.float()
    if kind == "f32" or (kind == "bf16" and source.dtype == torch.bfloat16):
        return torch.zeros_like(weights)
    if kind == "bf16":
        return weights.abs() * 2.0**-8 + 2.0**-133
    largest = weights.abs().reshape(-1, 32).amax(1, keepdim=True)
    if kind == "q8_0":
        bound = largest * (0.5 / 127 + HALF_SPACING) + 127 * TINY
    else:
        bound = largest * (1 / 8 + HALF_SPACING) + 8 * TINY
    return (bound * (1 + 1e-5)).expand(-1, 32).reshape(weights.shape)
