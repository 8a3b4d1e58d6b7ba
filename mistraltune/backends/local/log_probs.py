"""Log-probabilities of the trained tokens alone, without the logits of a whole batch ever being in memory."""

from __future__ import annotations

from types import MethodType
from typing import Any, NamedTuple

import torch
from torch.nn.functional import linear

from mistraltune.backends.local.batching import IGNORED

ROWS_AT_ONCE = 256
"""Tokens whose logits are in memory at once: 256 rows of 131,072 float32 logits take 134 MB."""


class TrainedTokens(NamedTuple):
    """How a model finds the tokens that are trained.

    Attributes:
        log_probs: Natural logarithms of their probabilities, float32 of shape (trained tokens).
        is_top1: Whether each is the model's first choice, bool of the same shape.
    """

    log_probs: torch.Tensor
    is_top1: torch.Tensor


def score_trained_tokens(model: Any) -> None:
    """Let a causal language model answer `model(input_ids=..., labels=..., ...)` with its `TrainedTokens`.

    The model is called as before, so that whatever wraps it (PEFT, a distributed wrapper) still does its part.
    """
    model.forward = MethodType(forward, model)


def forward(model: Any, *, labels: torch.Tensor, **inputs: Any) -> TrainedTokens:
    """The model's body on all tokens, its head where the next token is trained."""
    given = {name: value for name, value in inputs.items() if value is not None}
    hidden = model.base_model(**given, use_cache=False).last_hidden_state[:, :-1]
    is_trained = labels[:, 1:] != IGNORED
    return trained_log_probs(hidden[is_trained], model.get_output_embeddings().weight, labels[:, 1:][is_trained])


def trained_log_probs(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> TrainedTokens:
    """How likely the model finds each label, and whether it is its first choice.

    Args:
        hidden: Last hidden states of shape (tokens, hidden size), each at the position before its label.
        weight: The frozen head, of shape (vocabulary, hidden size).
        labels: int64 of shape (tokens).
    """
    return TrainedTokens(*LogProbs.apply(hidden, weight, labels))  # type: ignore[no-untyped-call]


class LogProbs(torch.autograd.Function):
    """`log_softmax(hidden @ weight.T)` at the labels, with the gradient of `hidden` taken on the way.

    The head is frozen, so all that the backward pass needs is one vector a token: `weight[label] - p @ weight`, p being
    the probabilities. It is computed while these are in memory; nothing is computed twice and no logits are kept.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Chunk after chunk of rows."""
        is_trained = hidden.requires_grad
        log_probs = torch.empty(len(labels), dtype=torch.float32, device=hidden.device)
        is_top1 = torch.empty(len(labels), dtype=torch.bool, device=hidden.device)
        slopes = torch.empty_like(hidden) if is_trained else None
        for begin in range(0, len(labels), ROWS_AT_ONCE):
            rows = slice(begin, begin + ROWS_AT_ONCE)
            targets = labels[rows, None]
            logits = linear(hidden[rows], weight).float()
            highest, best = logits.max(-1, keepdim=True)
            is_top1[rows] = (best == targets)[:, 0]
            logits.sub_(highest)
            chosen = logits.gather(1, targets)
            weights = logits.exp_()  # of each token of the vocabulary, before they are made to add up to one
            total = weights.sum(-1, keepdim=True)
            log_probs[rows] = (chosen - total.log())[:, 0]
            if slopes is not None:
                weights.div_(total).neg_().scatter_add_(1, targets, torch.ones_like(chosen))
                slopes[rows] = linear(weights.to(weight.dtype), weight.T)
        ctx.save_for_backward(slopes)
        ctx.mark_non_differentiable(is_top1)
        return log_probs, is_top1

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The gradient of `hidden`; head and labels have none."""
        (slopes,) = ctx.saved_tensors
        return (gradients[0][:, None] * slopes.float()).to(slopes.dtype), None, None
