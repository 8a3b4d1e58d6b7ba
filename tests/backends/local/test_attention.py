"""Attention once a sequence equals attention over the whole line with everything else masked."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from mistraltune.backends.local.attention import attend_per_sequence, pick_attention

LENGTHS = [5, 1, 12, 7]


def states(heads: int) -> torch.Tensor:
    """Random states of 25 tokens."""
    return torch.randn(1, heads, sum(LENGTHS), 8, generator=torch.Generator().manual_seed(heads), requires_grad=True)


def bounds() -> torch.Tensor:
    return torch.tensor([0, *accumulate(LENGTHS)], dtype=torch.int32)


def block_mask(window: int | None) -> torch.Tensor:
    """Which token sees which, written out."""
    sequence = [number for number, length in enumerate(LENGTHS) for _ in range(length)]
    return torch.tensor(
        [
            [sequence[i] == sequence[j] and j <= i and (window is None or i - j < window) for j in range(sum(LENGTHS))]
            for i in range(sum(LENGTHS))
        ]
    )


@pytest.mark.parametrize("window", [None, 3, 7, 100])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_each_sequence_attends_to_itself_alone(key_heads: int, window: int | None) -> None:
    query, key, value = states(4), states(key_heads), states(key_heads)
    output, weights = attend_per_sequence(
        torch.nn.Module(), query, key, value, None, scaling=0.3, sliding_window=window, cu_seq_lens_q=bounds()
    )
    expected = scaled_dot_product_attention(
        query,
        key.repeat_interleave(4 // key_heads, dim=1),
        value.repeat_interleave(4 // key_heads, dim=1),
        attn_mask=block_mask(window),
        scale=0.3,
    ).transpose(1, 2)
    assert weights is None
    assert torch.allclose(output, expected, atol=1e-6)

    slopes = torch.randn(output.shape, generator=torch.Generator().manual_seed(9))
    ours = torch.autograd.grad(output, (query, key, value), slopes)
    theirs = torch.autograd.grad(expected, (query, key, value), slopes)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_attention_without_the_bounds_of_its_sequences_is_refused() -> None:
    with pytest.raises(TypeError, match="cu_seq_lens_q"):
        attend_per_sequence(torch.nn.Module(), states(2), states(2), states(2), None)


def test_a_cpu_trains_with_attention_once_a_sequence() -> None:
    assert pick_attention(torch.device("cpu"), torch.bfloat16) == "sdpa_per_sequence"
