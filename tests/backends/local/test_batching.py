"""Packed lines: nothing lost, nothing doubled, nothing seen across a border."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from mistraltune.backends.local.batching import IGNORED, lay_out, pack
from mistraltune.data.rendered import Rendered


def sequences(lengths: list[int], *, seed: int = 0, vocabulary: int = 500) -> list[Rendered]:
    """Random sequences whose second half is trained."""
    rng = random.Random(seed)
    return [
        Rendered([rng.randrange(5, vocabulary) for _ in range(n)], [i >= n // 2 for i in range(n)]) for n in lengths
    ]


def test_packing_keeps_every_token_and_every_label_once() -> None:
    given = sequences([7, 3, 12, 5, 1, 9, 12, 2])
    batch = lay_out(given, packing=True)

    starts = [
        (line, i) for line in range(len(batch["input_ids"])) for i in range(12) if batch["position_ids"][line][i] == 0
    ]
    found = []
    for (line, start), following in pairwise([*starts, (len(batch["input_ids"]), 0)]):
        end = following[1] if following[0] == line else 12
        token_ids = batch["input_ids"][line][start:end].tolist()
        found.append((token_ids, batch["labels"][line][start:end].tolist()))
    expected = [
        (
            s.token_ids,
            [t if m and i else IGNORED for i, (t, m) in enumerate(zip(s.token_ids, s.loss_mask, strict=True))],
        )
        for s in given
    ]
    filled = [pair for pair in found if pair != ([0], [IGNORED])]
    assert sorted(filled) == sorted(expected)
    assert batch["num_tokens"].tolist() == [51]


def test_packing_uses_no_more_lines_than_padding_and_no_line_is_too_long() -> None:
    given = sequences([90, 10, 40, 30, 20, 60, 30])
    lines = pack(given, 90)
    assert [sum(len(s.token_ids) for s in line) <= 90 for line in lines] == [True] * len(lines)
    assert len(lines) == 4  # 280 tokens need at least four lines of 90


def test_without_packing_each_sequence_has_a_line_of_its_own() -> None:
    batch = lay_out(sequences([4, 2]), packing=False)
    assert batch["input_ids"].shape == (2, 4)
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3], [0, 1, 0, 0]]


def test_the_first_token_of_a_sequence_is_never_trained_as_the_end_of_another_would_predict_it() -> None:
    trained = Rendered([11, 12, 13], [True, True, True])
    assert lay_out([trained], packing=True)["labels"].tolist() == [[IGNORED, 12, 13]]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation="sdpa")


def summed_loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Negative log-likelihood of the trained tokens, summed."""
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    shifted = batch["labels"][:, 1:]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), shifted.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def gradients(model: torch.nn.Module, batches: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    """All gradients of the summed loss, as one vector."""
    model.zero_grad()
    for batch in batches:
        summed_loss(model, batch).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_gradients_of_a_packed_step_equal_those_of_its_rows_one_by_one(model: torch.nn.Module) -> None:
    given = sequences([17, 5, 30, 11, 8, 2])
    alone = gradients(model, [lay_out([sequence], packing=False) for sequence in given])
    packed = gradients(model, [lay_out(given, packing=True)])
    padded = gradients(model, [lay_out(given, packing=False)])
    assert (packed - alone).norm() / alone.norm() < 1e-5
    assert (padded - alone).norm() / alone.norm() < 1e-5


def test_a_packed_conversation_does_not_see_its_neighbours(model: torch.nn.Module) -> None:
    first, second, other = sequences([6, 6, 6])
    wide = sequences([12], seed=3)[0]

    def logits_of_second(neighbour: Rendered) -> torch.Tensor:
        batch = lay_out([wide, neighbour, second], packing=True)
        line = next(i for i, ids in enumerate(batch["input_ids"].tolist()) if ids[6:] == second.token_ids)
        with torch.no_grad():
            out = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        return out[line, 6:]

    assert torch.allclose(logits_of_second(first), logits_of_second(other), atol=1e-6)
