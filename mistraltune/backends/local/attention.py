"""Attention of packed lines: each sequence attends to itself alone, at the cost of its own length."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.utils import is_flash_attn_2_available

PER_SEQUENCE = "sdpa_per_sequence"


def pick_attention(device: torch.device, dtype: torch.dtype) -> str:
    """The name under which transformers finds the attention to train with.

    FlashAttention-2, which knows sequences of varying length, where it is installed and can run; else torch's own
    attention, called once a sequence. Both read the bounds of the sequences that `split_passes` gives them.
    """
    if device.type == "cuda" and dtype == torch.bfloat16 and is_flash_attn_2_available():
        return "flash_attention_2"
    # Without a mask function of this name, transformers builds no mask of all tokens against all.
    AttentionInterface.register(PER_SEQUENCE, attend_per_sequence)
    return PER_SEQUENCE


def avoid_cudnn() -> None:
    """Keep torch from picking cuDNN's attention on CUDA, for this process.

    cuDNN plans its kernels anew for each length that it meets, 7 ms a call on an H100 (torch 2.11), and conversations
    and answers that grow are hardly ever as long as the ones before. FlashAttention, torch's next choice, plans none.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def attend_per_sequence(  # noqa: PLR0913, PLR0917 - the signature is transformers'
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    *,
    cu_seq_lens_q: torch.Tensor,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention inside each sequence of a line.

    Args:
        module: The attention layer.
        query: Of shape (1, heads, tokens, head size).
        key: Of shape (1, key heads, tokens, head size).
        value: Likewise.
        attention_mask: None; the bounds say it all.
        scaling: Factor of the products; by default one over the root of the head size.
        dropout: Share of attention weights that is dropped.
        sliding_window: How many tokens back a token sees, itself included.
        cu_seq_lens_q: Where sequences begin, and the line's end, int32 of shape (sequences + 1).

    Returns:
        Attention output of shape (1, tokens, heads, head size), and no weights.
    """
    lengths = [end - begin for begin, end in pairwise(cu_seq_lens_q.tolist())]
    outputs = []
    for q, k, v in zip(*(torch.split(states, lengths, dim=2) for states in (query, key, value)), strict=True):
        window = window_mask(q, sliding_window)
        outputs.append(
            scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=window,
                dropout_p=dropout,
                is_causal=window is None,
                scale=scaling,
                enable_gqa=query.shape[1] != key.shape[1],
            )
        )
    return torch.cat(outputs, dim=2).transpose(1, 2), None


def window_mask(query: torch.Tensor, window: int | None) -> torch.Tensor | None:
    """Which tokens see which, bool of shape (length, length); None where all earlier ones are within the window."""
    length = query.shape[2]
    if window is None or length <= window:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=query.device).tril().triu(1 - window)
