"""LoRA's arithmetic on a CPU: PEFT's adapters and their float32 weights, computed at the precision of the base.

PEFT casts the input of an adapter to the adapter's float32, which on a CPU costs more than the base's own products, and
keeps that copy, the dropped-out copy and their products for the backward pass. Here one function does a linear layer
with its adapter: products in the base's dtype, accumulated into float32 weights; the input itself, shared with whoever
else reads it, is all that is kept. What is computed is the same: `W x + B A dropout(x) * alpha / r` (Hu et al. 2021,
arXiv:2106.09685). Training and answering both compute with it, so that what is evaluated is what was trained.
"""

from __future__ import annotations

from types import MethodType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import linear


class Layer(NamedTuple):
    """What an adapted layer is made of, besides the adapter's weights.

    Attributes:
        base: The frozen linear layer, W and maybe b, maybe quantised.
        scaling: `alpha / r`.
        dropout: Share of the inputs that the adapter does not see.
        seed: Of the dropout; the backward pass draws the same numbers from it again.
    """

    base: Any
    scaling: float
    dropout: float
    seed: int


def compute_at_base_precision(model: Any) -> int:
    """Let the adapters of a PEFT model on a CPU compute with `LowRankLinear`; returns how many layers do.

    Whatever is not plain LoRA on a linear layer keeps PEFT's own forward pass. To be called again when another adapter
    has been loaded.
    """
    from peft.tuners.lora import Linear, Linear4bit

    layers = [module for module in model.modules() if isinstance(module, (Linear, Linear4bit))]
    adapted = [module for module in layers if any(is_plain(module, name) for name in module.lora_A)]
    for module in adapted:
        module.forward = MethodType(forward, module)
    return len(adapted)


def is_plain(module: Any, name: str) -> bool:
    """Whether the adapter `name` of a PEFT layer is LoRA without a variant (DoRA and others) or biases of its own."""
    return (
        name in module.lora_A
        and name not in module.lora_variant
        and not module.lora_bias[name]
        and not getattr(module, "fan_in_fan_out", False)
    )


def forward(module: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """A PEFT layer's forward pass; PEFT's own where adapters are off, merged, several at once, or not plain LoRA."""
    active = module.active_adapters
    is_off = module.disable_adapters or module.merged
    if args or kwargs or is_off or len(active) != 1 or not is_plain(module, active[0]):
        return type(module).forward(module, x, *args, **kwargs)  # type: ignore[no-any-return]
    (name,) = active
    dropout = module.lora_dropout[name]
    share = round_share(dropout.p) if module.training and isinstance(dropout, torch.nn.Dropout) else 0.0
    seed = int(torch.randint(2**63 - 1, ()).item()) if share else 0
    layer = Layer(module.get_base_layer(), module.scaling[name], share, seed)
    result: torch.Tensor = LowRankLinear.apply(x, module.lora_A[name].weight, module.lora_B[name].weight, layer)  # type: ignore[no-untyped-call]
    return result


class LowRankLinear(torch.autograd.Function):
    """A frozen linear layer and its adapter as one operation."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, down: torch.Tensor, up: torch.Tensor, layer: Layer) -> torch.Tensor:
        """`W x + b + B A dropout(x) * scaling`, in the dtype of `x`.

        Args:
            ctx: autograd's.
            x: Of shape (..., inputs).
            down: A, float32 of shape (r, inputs).
            up: B, float32 of shape (outputs, r).
            layer: W, b, scaling and dropout.
        """
        flat = x.reshape(-1, x.shape[-1])
        result = base_product(flat, layer.base)
        inner = linear(drop(flat, draw_mask(flat, layer)), down.to(x.dtype))
        result.addmm_(inner, scaled_up(up, layer, x.dtype).T)
        ctx.layer = layer
        ctx.save_for_backward(x, inner, down, up)
        return result.view(*x.shape[:-1], result.shape[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor, None]:
        """Gradients of the input and of both float32 weights."""
        x, inner, down, up = ctx.saved_tensors
        layer: Layer = ctx.layer
        gradient = gradients[0].reshape(-1, gradients[0].shape[-1])
        flat = x.reshape(-1, x.shape[-1])
        mask = draw_mask(flat, layer)
        factor = layer.scaling / (1 - layer.dropout)
        up_gradient = (gradient.T @ inner).float() * factor
        inner_gradient = gradient @ scaled_up(up, layer, x.dtype)
        down_gradient = (inner_gradient.T @ drop(flat, mask)).float()
        if not ctx.needs_input_grad[0]:
            return None, down_gradient, up_gradient, None
        x_gradient = gradient @ dense_weight(layer.base, x.dtype)
        through_adapter = inner_gradient @ down.to(x.dtype)
        x_gradient += drop(through_adapter, mask)
        return x_gradient.view_as(x), down_gradient, up_gradient, None


def scaled_up(up: torch.Tensor, layer: Layer, dtype: torch.dtype) -> torch.Tensor:
    """B with everything that scales the adapter: `alpha / r`, and what makes up for the dropped inputs."""
    return (up * (layer.scaling / (1 - layer.dropout))).to(dtype)


def base_product(x: torch.Tensor, base: Any) -> torch.Tensor:
    """`W x + b`, a tensor of its own.

    By the layer itself where it only answers and bitsandbytes packs its 4 bits for that (see `keep_trainable`):
    unpacking them costs more than a product with few tokens.
    """
    if getattr(base, "support_avx512bf16_for_cpu", False) and not base.training:
        return base(x)  # type: ignore[no-any-return]
    return linear(x, dense_weight(base, x.dtype), base.bias)


def dense_weight(base: Any, dtype: torch.dtype) -> torch.Tensor:
    """The weight of a linear layer, taken out of its 4 bits where it is quantised."""
    # A weight that FSDP has put together from its shards is a plain tensor; the layer knows its scales too.
    state = getattr(base.weight, "quant_state", None) or getattr(base, "quant_state", None)
    if state is None:
        weight: torch.Tensor = base.weight
        return weight
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(base.weight, state).to(dtype)  # type: ignore[no-any-return]


STEPS = 2**16
"""A dropout's share is a multiple of 1 / 65,536: one random number of 16 bits decides about an input."""


BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by their bytes."""


def round_share(share: float) -> float:
    """The nearest share that `drop` can do, below 1."""
    return min(round(share * STEPS), STEPS - 1) / STEPS


def draw_mask(x: torch.Tensor, layer: Layer) -> torch.Tensor | None:
    """Which entries of `x` its adapter sees: integers as wide as those of `x`, all ones or all zeros.

    The same seed draws the same mask; None where nothing is dropped. torch's own dropout draws its numbers one after
    the other, a tenth of a training step on a CPU; SFC64's are several times as fast.
    """
    if not layer.dropout:
        return None
    numbers = np.random.Generator(np.random.SFC64(layer.seed)).integers(
        0, 2**64 - 1, size=-(-x.numel() // 4), dtype=np.uint64, endpoint=True
    )
    is_seen = numbers.view(np.uint16)[: x.numel()] >= int(layer.dropout * STEPS)
    return torch.from_numpy(is_seen).view(x.shape).to(BITS[x.element_size()]).neg_()


def drop(x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """`x` where the mask has ones, else zero; not scaled up."""
    return x if mask is None else (x.contiguous().view(mask.dtype) & mask).view(x.dtype)
