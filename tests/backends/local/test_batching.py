"""Packed passes: nothing lost, nothing doubled, nothing seen across a border."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from mistraltune.backends.local.attention import pick_attention
from mistraltune.backends.local.batching import IGNORED, Batch, lay_out, split_passes
from mistraltune.backends.local.log_probs import score_trained_tokens
from mistraltune.data.rendered import Rendered


def sequences(lengths: list[int], *, seed: int = 0, vocabulary: int = 500) -> list[Rendered]:
    """Random sequences whose second half is trained."""
    rng = random.Random(seed)
    return [
        Rendered([rng.randrange(5, vocabulary) for _ in range(n)], [i >= n // 2 for i in range(n)]) for n in lengths
    ]


def cut(batch: Batch) -> list[tuple[list[int], list[int]]]:
    """Token ids and labels of each sequence, in the order of the line."""
    lengths = batch["sequence_lengths"].tolist()
    parts = zip(batch["input_ids"][0].split(lengths), batch["labels"][0].split(lengths), strict=True)
    return [(token_ids.tolist(), labels.tolist()) for token_ids, labels in parts]


def test_packing_keeps_every_token_and_every_label_once() -> None:
    given = sequences([7, 3, 12, 5, 1, 9, 12, 2])
    expected = [
        (
            s.token_ids,
            [t if m and i else IGNORED for i, (t, m) in enumerate(zip(s.token_ids, s.loss_mask, strict=True))],
        )
        for s in given
    ]
    assert sorted(cut(lay_out(given, pass_length=16))) == sorted(expected)


def test_a_pass_length_of_one_gives_each_sequence_a_pass_of_its_own() -> None:
    assert lay_out(sequences([4, 2, 1]), pass_length=1)["pass_sizes"].tolist() == [1, 1, 1]


def test_passes_tell_where_their_sequences_begin_and_end() -> None:
    first, second = split_passes(lay_out(sequences([4, 2, 3]), pass_length=6))
    assert first["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1]]
    assert first["cu_seq_lens_q"].tolist() == first["cu_seq_lens_k"].tolist() == [0, 4, 6]
    assert first["cu_seq_lens_q"].dtype == torch.int32
    assert (first["max_length_q"], first["max_length_k"]) == (4, 4)
    assert second["position_ids"].tolist() == [[0, 1, 2]]
    assert second["cu_seq_lens_q"].tolist() == [0, 3]


def test_the_first_token_of_a_sequence_is_never_trained_as_the_end_of_another_would_predict_it() -> None:
    trained = Rendered([11, 12, 13], [True, True, True])
    assert lay_out([trained], pass_length=9)["labels"].tolist() == [[IGNORED, 12, 13]]


@pytest.fixture(scope="module")
def plain_model(tiny_model: Path) -> torch.nn.Module:
    """The model as transformers loads it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation="eager")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> torch.nn.Module:
    """The same weights, called as in training."""
    from transformers import AutoModelForCausalLM

    attention = pick_attention(torch.device("cpu"), torch.float32)
    loaded = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation=attention)
    score_trained_tokens(loaded)
    return loaded


def gradients_one_by_one(model: torch.nn.Module, given: list[Rendered]) -> tuple[torch.Tensor, float]:
    """All gradients of the summed loss, and that loss, each sequence alone and all its logits in memory."""
    model.zero_grad()
    total = 0.0
    for sequence in given:
        (_, labels), *_ = cut(lay_out([sequence], pass_length=1))
        logits = model(input_ids=torch.tensor([sequence.token_ids]), use_cache=False).logits[0, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits, torch.tensor(labels[1:]), ignore_index=IGNORED, reduction="sum"
        )
        loss.backward()
        total += loss.item()
    return torch.cat([p.grad.flatten() for p in body(model)]), total


def gradients_in_passes(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, float]:
    """The same as training does it."""
    model.zero_grad()
    total = 0.0
    for one_pass in split_passes(batch):
        loss = -model(**one_pass).log_probs.sum()
        loss.backward()
        total += loss.item()
    return torch.cat([p.grad.flatten() for p in body(model)]), total


def body(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The weights below the head, which is frozen in training."""
    return list(model.model.layers.parameters())


@pytest.mark.parametrize("pass_length", [1, 24, 40, 1000])
def test_gradients_of_a_packed_step_equal_those_of_its_rows_one_by_one(
    model: torch.nn.Module, plain_model: torch.nn.Module, pass_length: int
) -> None:
    given = sequences([17, 5, 30, 11, 8, 2])
    alone, loss_alone = gradients_one_by_one(plain_model, given)
    packed, loss = gradients_in_passes(model, lay_out(given, pass_length=pass_length))
    assert (packed - alone).norm() / alone.norm() < 1e-5
    assert loss == pytest.approx(loss_alone, rel=1e-6)


def test_a_packed_conversation_does_not_see_its_neighbours(model: torch.nn.Module) -> None:
    first, second, other = sequences([6, 6, 6])

    def scores_of_second(neighbour: Rendered) -> torch.Tensor:
        (one_pass,) = split_passes(lay_out([neighbour, second], pass_length=12))
        with torch.no_grad():
            return model(**one_pass).log_probs[-3:]

    assert torch.allclose(scores_of_second(first), scores_of_second(other), atol=1e-6)
