"""Log-probabilities of trained tokens, in chunks and with their own backward pass, equal torch's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mistraltune.backends.local import log_probs
from mistraltune.backends.local.log_probs import score_trained_tokens, trained_log_probs


def case(dtype: torch.dtype, num_tokens: int = 700) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(3)
    hidden = torch.randn(num_tokens, 16, generator=chance).to(dtype).requires_grad_()
    weight = torch.randn(90, 16, generator=chance).to(dtype)
    return hidden, weight, torch.randint(90, (num_tokens,), generator=chance)


def plain(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (hidden @ weight.T).float().log_softmax(-1).gather(1, labels[:, None])[:, 0]


@pytest.mark.parametrize("num_tokens", [1, 255, 256, 257, 700])
def test_values_and_gradients_equal_those_of_log_softmax(num_tokens: int) -> None:
    hidden, weight, labels = case(torch.float32, num_tokens)
    slopes = torch.randn(num_tokens, generator=torch.Generator().manual_seed(4))
    ours = trained_log_probs(hidden, weight, labels)
    theirs = plain(hidden, weight, labels)
    assert torch.allclose(ours.log_probs, theirs, atol=1e-5)
    (our_gradient,) = torch.autograd.grad(ours.log_probs, hidden, slopes)
    (their_gradient,) = torch.autograd.grad(theirs, hidden, slopes)
    assert torch.allclose(our_gradient, their_gradient, atol=1e-5)


def test_bfloat16_stays_near_float32() -> None:
    hidden, weight, labels = case(torch.bfloat16)
    ours = trained_log_probs(hidden, weight, labels)
    assert ours.log_probs.dtype == torch.float32
    theirs = plain(hidden, weight, labels)
    assert torch.allclose(ours.log_probs, theirs, atol=1e-4)
    (our_gradient,) = torch.autograd.grad(-ours.log_probs.mean(), hidden)
    (their_gradient,) = torch.autograd.grad(-theirs.mean(), hidden)
    assert (our_gradient - their_gradient).norm() / their_gradient.norm() < 0.01


def test_a_first_choice_is_counted_as_such() -> None:
    hidden, weight, labels = case(torch.float32)
    expected = (hidden @ weight.T).argmax(-1) == labels
    assert trained_log_probs(hidden, weight, labels).is_top1.tolist() == expected.tolist()
    assert 0 < expected.sum() < len(labels)


def test_logits_far_from_zero_give_numbers() -> None:
    hidden, weight, labels = case(torch.float32)
    far = trained_log_probs(hidden * 1e4, weight, labels).log_probs
    assert torch.isfinite(far).all()


def test_no_more_than_a_chunk_of_logits_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def counting(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        rows.append(len(one))
        return torch.nn.functional.linear(one, other)

    monkeypatch.setattr(log_probs, "linear", counting)
    trained_log_probs(*case(torch.float32))
    assert rows == [256, 256, 256, 256, 188, 188]  # once for the logits, once for their gradient


def test_a_pass_without_a_trained_token_still_has_gradients_of_zero(tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    score_trained_tokens(model)
    scores = model(input_ids=torch.tensor([[7, 8, 9]]), labels=torch.tensor([[-100, -100, -100]]))
    assert scores.log_probs.shape == (0,)
    (-scores.log_probs.sum() / 5).backward()
    assert not model.model.layers[0].mlp.up_proj.weight.grad.any()
