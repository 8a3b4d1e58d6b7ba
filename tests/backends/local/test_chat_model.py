"""Answers of a local model: the same batched, alone and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.data.conversation import Conversation, ask
from mistraltune.errors import DataError
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef

PROMPTS = [ask("a short one"), ask("a longer one " * 9), ask("one in between, " * 3), ask("?")]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Iterator[LocalChatModel]:
    opened = LocalChatModel(ModelRef(model=str(tiny_model)))
    opened.model.float()  # in bf16, the width of a batch may decide between two tokens that are equally likely
    yield opened
    opened.close()


def test_a_batch_answers_as_each_prompt_alone_does_and_in_order(model: LocalChatModel) -> None:
    together = list(model.generate(PROMPTS, Sampling(max_new_tokens=12)))
    alone = [next(iter(model.generate([prompt], Sampling(max_new_tokens=12)))) for prompt in PROMPTS]
    assert together == alone
    assert len({completion.text for completion in together}) > 1


def test_the_batch_size_changes_no_answer(model: LocalChatModel) -> None:
    answers = [list(model.generate(PROMPTS, Sampling(max_new_tokens=8, batch_size=size))) for size in (1, 3)]
    assert answers[0] == answers[1]


def test_an_answer_at_the_limit_is_said_to_be_cut(model: LocalChatModel) -> None:
    completion = next(iter(model.generate([PROMPTS[0]], Sampling(max_new_tokens=5))))
    assert (completion.num_tokens, completion.finish_reason) == (5, "length")


def test_a_streamed_answer_is_the_generated_one(model: LocalChatModel) -> None:
    sampling = Sampling(max_new_tokens=20)
    pieces = list(model.stream(PROMPTS[1], sampling))
    assert "".join(pieces) == next(iter(model.generate([PROMPTS[1]], sampling))).text.rstrip("\ufffd")
    assert len(pieces) > 1


def test_a_reader_that_leaves_a_stream_early_stops_the_generation(model: LocalChatModel) -> None:
    stream = model.stream(PROMPTS[0], Sampling(max_new_tokens=400))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert next(iter(model.generate([PROMPTS[0]], Sampling(max_new_tokens=2)))).num_tokens == 2


def test_a_seed_makes_a_sampled_answer_repeatable(model: LocalChatModel) -> None:
    def sampled(seed: int) -> str:
        return next(iter(model.generate([PROMPTS[0]], Sampling(max_new_tokens=12, temperature=1.0, seed=seed)))).text

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)


def test_a_prompt_that_exceeds_the_context_is_refused_by_name(model: LocalChatModel) -> None:
    long = Conversation(messages=ask("word " * model.max_length).messages, source="rows.jsonl:7")
    with pytest.raises(DataError, match=r"rows\.jsonl:7: a prompt of .* exceed the model's context"):
        list(model.generate([long], Sampling()))
