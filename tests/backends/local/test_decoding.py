"""Prompts answered together get the answers that transformers gives each of them alone."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig, set_seed
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.llama import LlamaConfig
from transformers.models.mamba import MambaConfig
from transformers.models.mistral import MistralConfig
from transformers.models.mixtral import MixtralConfig
from transformers.models.qwen3 import Qwen3Config

from mistraltune.backends.local import chat_model, decoding
from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.backends.local.decoding import Capacity, Prompt, can_decode, decode, pick
from mistraltune.backends.local.loading import load_base
from mistraltune.backends.local.row_cache import SPARE_COLUMNS, RowCache
from mistraltune.data.conversation import ask
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef

VOCABULARY = 512
STOP_IDS = set(range(0, VOCABULARY, 15))
"""One token in fifteen ends an answer, so that answers of a random model end early and late."""
GREEDY = Sampling(max_new_tokens=30)
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,  # far from flat, so that logits are far apart
}


def random_model(config: PreTrainedConfig) -> Any:
    set_seed(5)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa").eval()


@pytest.fixture(scope="module")
def model() -> Any:
    return random_model(MistralConfig(**SHAPE, sliding_window=None))


def random_prompts(lengths: Sequence[int], *, prefix: int = 0, max_new_tokens: int = 30) -> list[Prompt]:
    chance = random.Random(11)
    shared = [chance.randrange(VOCABULARY) for _ in range(prefix)]
    own = [[chance.randrange(VOCABULARY) for _ in range(length)] for length in lengths]
    return [Prompt(index, shared + tokens, max_new_tokens) for index, tokens in enumerate(own)]


MIXED = [1, 2, 1, 5, 200, 3, 150, 90, *range(1, 60, 3), 17, 17, 120]


def alone(model: Any, prompt: Prompt, stop_ids: set[int] = STOP_IDS) -> list[int]:
    """The answer by transformers' own loop."""
    input_ids = torch.tensor([prompt.token_ids])
    with torch.inference_mode():
        output = model.generate(
            input_ids=input_ids,
            attention_mask=torch.ones_like(input_ids),
            max_new_tokens=prompt.max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(stop_ids) or None,
            pad_token_id=0,
        )
    answer: list[int] = output[0, len(prompt.token_ids) :].tolist()
    return answer


def together(
    model: Any,
    prompts: Sequence[Prompt],
    sampling: Sampling = GREEDY,
    *,
    capacity: Capacity = Capacity(6),  # noqa: B008 - immutable
    stop_ids: set[int] = STOP_IDS,
) -> list[list[int]]:
    """The answers by `decode`, in the order of the prompts."""
    answers = {
        prompt.index: answer
        for prompt, answer in decode(model, prompts, sampling, stop_ids=stop_ids, capacity=capacity)
    }
    assert len(answers) == len(prompts)
    return [answers[prompt.index] for prompt in prompts]


@pytest.mark.parametrize("num_rows", [1, 3, 6, 100])
def test_a_mix_of_lengths_gets_the_answers_of_one_at_a_time(model: Any, num_rows: int) -> None:
    prompts = random_prompts(MIXED)
    answers = together(model, prompts, capacity=Capacity(num_rows))
    assert answers == [alone(model, prompt) for prompt in prompts]
    lengths = {len(answer) for answer in answers}
    assert min(lengths) <= 2
    assert max(lengths) == 30
    assert len(lengths) > 8


def test_a_prefix_that_all_prompts_share_is_read_once_and_changes_no_answer(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = random_prompts([1, 40, 3, 8, 60, 2, 25, 25], prefix=50)
    expected = [alone(model, prompt) for prompt in prompts]
    num_read = []
    read = decoding.Batch.read

    def count(batch: Any, token_ids: list[list[int]], into: Any, *, start: int) -> None:
        num_read.append(sum(map(len, token_ids)))
        read(batch, token_ids, into, start=start)

    monkeypatch.setattr(decoding.Batch, "read", count)
    assert together(model, prompts) == expected
    assert sum(num_read) == 50 + sum(len(prompt.token_ids) - 50 - 1 for prompt in prompts)


def test_reading_prompts_computes_no_logits_and_each_step_one_row_of_them_a_prompt(model: Any) -> None:
    """Torch multiplies what is cut off a batch with a frozen head by copying the head once a row."""
    shapes = []
    hook = model.lm_head.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    try:
        together(model, random_prompts([9, 60, 30], max_new_tokens=2), stop_ids=set())
    finally:
        hook.remove()
    assert shapes == [(3, 0, VOCABULARY), (3, 1, VOCABULARY), (3, 1, VOCABULARY)]


def test_equal_prompts_get_equal_answers(model: Any) -> None:
    [prompt] = random_prompts([30])
    answers = together(model, [Prompt(index, prompt.token_ids, 12) for index in range(9)])
    assert answers == [alone(model, Prompt(0, prompt.token_ids, 12))] * 9


def test_answers_longer_than_the_spare_room_are_unchanged(model: Any) -> None:
    prompts = random_prompts([4, 70, 20, 1, 9], max_new_tokens=2 * SPARE_COLUMNS + 20)
    assert together(model, prompts, capacity=Capacity(2), stop_ids=set()) == [
        alone(model, prompt, stop_ids=set()) for prompt in prompts
    ]


def test_each_prompt_has_its_own_limit(model: Any) -> None:
    prompts = [Prompt(p.index, p.token_ids, 1 + 7 * p.index % 23) for p in random_prompts(MIXED)]
    answers = together(model, prompts, stop_ids=set())
    assert [len(answer) for answer in answers] == [prompt.max_new_tokens for prompt in prompts]
    assert answers == [alone(model, prompt, stop_ids=set()) for prompt in prompts]


@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(**SHAPE, sliding_window=16),
        LlamaConfig(**SHAPE),
        Qwen3Config(**SHAPE),
        MixtralConfig(**SHAPE, num_local_experts=4, sliding_window=None),
        Gemma3TextConfig(**SHAPE, sliding_window=16, layer_types=["sliding_attention", "full_attention"]),
    ],
    ids=["mistral with a sliding window", "llama", "qwen3", "mixtral", "gemma3"],
)
def test_other_models_and_sliding_windows_get_the_answers_of_one_at_a_time(config: PreTrainedConfig) -> None:
    other = random_model(config)
    assert can_decode(other)
    for prefix in (0, 20):
        prompts = random_prompts([1, 2, 90, 40, 12, 30, 7, 25], prefix=prefix)
        assert together(other, prompts, capacity=Capacity(3)) == [alone(other, prompt) for prompt in prompts]


def test_a_model_with_a_recurrent_state_is_left_to_transformers() -> None:
    config = MambaConfig(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, state_size=4)
    assert not can_decode(AutoModelForCausalLM.from_config(config))


def test_a_batch_holds_no_more_rows_and_tokens_than_allowed(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    buffers = []
    make = RowCache.__init__

    def note(cache: RowCache, **kwargs: int) -> None:
        make(cache, **kwargs)
        buffers.append((kwargs["num_places"], kwargs["longest"]))

    monkeypatch.setattr(RowCache, "__init__", note)
    prompts = random_prompts([300, 200, *[10] * 20])
    answers = together(model, prompts, capacity=Capacity(8, num_tokens=330))
    assert answers == [alone(model, prompt) for prompt in prompts]
    assert buffers == [(1, 330), (8, 40)]


def test_a_seed_decides_a_sampled_answer_whatever_shares_its_batch(model: Any) -> None:
    prompts = random_prompts(MIXED)
    sampling = Sampling(max_new_tokens=30, temperature=0.9, top_p=0.95, seed=3)
    answers = together(model, prompts, sampling)
    assert together(model, prompts[::-1], sampling, capacity=Capacity(2)) == answers[::-1]
    assert together(model, [Prompt(0, prompts[4].token_ids, 30)], sampling) == answers[4:5]
    assert together(model, prompts, Sampling(max_new_tokens=30, temperature=0.9, top_p=0.95, seed=4)) != answers


def test_without_a_seed_sampled_answers_differ(model: Any) -> None:
    prompts = random_prompts([20])
    sampling = Sampling(max_new_tokens=30, temperature=2.0)
    first, second = (together(model, prompts, sampling, stop_ids=set()) for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, [0.2, 0.5, 0.3]),
        (0.5, 1.0, [0.04 / 0.38, 0.25 / 0.38, 0.09 / 0.38]),
        (1.0, 0.6, [0, 0.625, 0.375]),
        (1.0, 0.4, [0, 1, 0]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature: float, top_p: float, expected: list[float]) -> None:
    num_draws = 4000
    sampling = Sampling(temperature=temperature, top_p=top_p, seed=1)
    rows = [
        decoding.Row(prompt, decoding.own_draws(prompt, sampling))
        for prompt in (Prompt(index, [index], 1) for index in range(num_draws))
    ]
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(num_draws, -1)
    tokens = pick(logits, rows, sampling)
    assert [tokens.count(token) / num_draws for token in range(3)] == pytest.approx(expected, abs=0.025)


def test_an_adapter_answers_together_as_it_does_alone(model: Any) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(random_model(model.config), config).eval()
    prompts = random_prompts(MIXED)
    answers = together(adapted, prompts)
    assert can_decode(adapted)
    assert answers == [alone(adapted, prompt) for prompt in prompts]
    assert answers != [alone(model, prompt) for prompt in prompts]


def test_a_prompt_tuning_adapter_is_left_to_transformers(model: Any) -> None:
    from peft import PromptTuningConfig, get_peft_model

    config = PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    assert not can_decode(get_peft_model(random_model(model.config), config))


def test_a_4_bit_model_answers_together_as_it_does_alone(tiny_model: Path) -> None:
    quantised = load_base(ModelRef(model=str(tiny_model), quantization="nf4"), dtype=torch.float32).eval()
    prompts = random_prompts([1, 9, 70, 30, 4], max_new_tokens=12)
    stop_ids = set(range(0, 32768, 9))
    answers = together(quantised, prompts, capacity=Capacity(2), stop_ids=stop_ids)
    assert answers == [alone(quantised, prompt, stop_ids) for prompt in prompts]


def test_a_reader_that_leaves_early_frees_the_keys_and_values(model: Any) -> None:
    def num_caches() -> int:
        return sum(type(thing) is RowCache for thing in gc.get_objects())

    gc.collect()
    answers = decode(model, random_prompts(MIXED), GREEDY, stop_ids=STOP_IDS, capacity=Capacity(6))
    gc.disable()  # memory must not wait for the collector
    try:
        next(answers)
        assert num_caches() == 1
        answers.close()  # type: ignore[attr-defined]
        assert num_caches() == 0
    finally:
        gc.enable()


QUESTIONS = [ask("a short one"), ask("a longer one " * 9), ask("one in between, " * 3), ask("?"), ask("the last")]


@pytest.fixture
def chat(tiny_model: Path) -> Iterator[LocalChatModel]:
    opened = LocalChatModel(ModelRef(model=str(tiny_model)))
    opened.model.float()
    yield opened
    opened.close()


def test_a_batch_that_does_not_fit_is_halved_and_no_answer_is_lost(
    chat: LocalChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_new_tokens=9)
    expected = list(chat.generate(QUESTIONS, sampling))
    forward, refused = chat.model.forward, []

    def small(input_ids: torch.Tensor, **kwargs: Any) -> Any:
        if len(input_ids) > 2:
            refused.append(len(input_ids))
            raise torch.cuda.OutOfMemoryError
        return forward(input_ids=input_ids, **kwargs)

    monkeypatch.setattr(chat_model, "can_decode", lambda model: True)
    monkeypatch.setattr(chat.model, "forward", small)
    assert list(chat.generate(QUESTIONS, sampling)) == expected
    assert refused


def test_a_single_row_that_does_not_fit_is_an_error(chat: LocalChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_kwargs: Any) -> Any:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(chat_model, "can_decode", lambda model: True)
    monkeypatch.setattr(chat.model, "forward", full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(chat.generate(QUESTIONS, Sampling(max_new_tokens=3)))


def test_transformers_own_loop_gives_the_same_answers(chat: LocalChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = Sampling(max_new_tokens=9, batch_size=2)
    expected = list(chat.generate(QUESTIONS, sampling))
    monkeypatch.setattr(chat_model, "can_decode", lambda model: False)
    assert list(chat.generate(QUESTIONS, sampling)) == expected


def test_an_answer_may_fill_the_context_to_its_last_token(chat: LocalChatModel) -> None:
    question = ask("word " * 300)
    chat.max_length = len(chat.renderer.prompt(question)) + 7
    answers = list(chat.generate([QUESTIONS[0], question], Sampling(max_new_tokens=7)))
    assert [answer.num_tokens for answer in answers] == [7, 7]
    assert answers[1] == next(iter(chat.generate([question], Sampling(max_new_tokens=7))))
