"""Adapters that answer: as PEFT and transformers have them answer, several on one base, a base loaded once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from mistraltune.backends.local import chat_model
from mistraltune.backends.local.adapters import LocalSharedBase
from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.backends.local.loading import load_base
from mistraltune.data.conversation import ask
from mistraltune.evaluation.running import compare_models, evaluate_model
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef

PROMPTS = [ask("a short one"), ask("a longer one " * 9), ask("one in between, " * 3), ask("?")]
GREEDY = Sampling(max_new_tokens=10)


def make_adapter(folder: Path, base: Path, **options: Any) -> None:
    """Random LoRA weights on all linear layers, large enough to change every answer."""
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(len(options))
        model = load_base(ModelRef(model=str(base)), dtype=torch.float32)
        adapted = get_peft_model(
            model,
            LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False, **options),
        )
    adapted.save_pretrained(folder)


@pytest.fixture(scope="module")
def plain(tiny_model: Path, make_once: Callable[[str, Callable[[Path], None]], Path]) -> str:
    return str(make_once("adapter-plain", lambda folder: make_adapter(folder, tiny_model)))


@pytest.fixture(scope="module")
def dora(tiny_model: Path, make_once: Callable[[str, Callable[[Path], None]], Path]) -> str:
    return str(make_once("adapter-dora", lambda folder: make_adapter(folder, tiny_model, use_dora=True)))


def answers(model: Any) -> list[str]:
    return [completion.text for completion in model.generate(PROMPTS, GREEDY)]


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bf16, rounding may decide between two tokens that are equally likely."""
    monkeypatch.setattr(chat_model, "pick_dtype", lambda wanted: torch.float32)


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_an_adapter_answers_as_peft_and_transformers_have_it_answer(
    tiny_model: Path, plain: str, quantization: Literal["none", "nf4"]
) -> None:
    from peft import PeftModel

    ref = ModelRef(model=str(tiny_model), quantization=quantization)
    theirs = PeftModel.from_pretrained(load_base(ref, dtype=torch.float32), plain).eval()
    with closing(LocalChatModel(ref.model_copy(update={"adapter": plain}))) as model:
        for prompt, completion in zip(PROMPTS, model.generate(PROMPTS, GREEDY), strict=True):
            input_ids = torch.tensor([model.renderer.prompt(prompt)])
            output = theirs.generate(
                input_ids=input_ids, attention_mask=torch.ones_like(input_ids), **model.generation_options(GREEDY)
            )
            expected = output[0, input_ids.shape[1] :].tolist()
            assert list(completion.token_ids) == expected[: len(completion.token_ids)]
            assert completion.num_tokens == 10 or completion.finish_reason == "stop"
        assert sum("forward" in vars(module) for module in model.model.modules()) == 2 * 7


@pytest.mark.usefixtures("in_float32")
def test_adapters_on_one_base_answer_as_each_does_alone_whatever_their_kind(
    tiny_model: Path, plain: str, dora: str
) -> None:
    alone = {}
    for adapter in (None, plain, dora):
        with closing(LocalChatModel(ModelRef(model=str(tiny_model), adapter=adapter))) as model:
            alone[adapter] = answers(model)
    assert len({tuple(texts) for texts in alone.values()}) == 3
    with closing(LocalSharedBase(ModelRef(model=str(tiny_model)))) as base:
        for adapter in (None, plain, dora, plain, None, dora, None):
            assert answers(base.answering_as(adapter)) == alone[adapter]


@pytest.mark.usefixtures("in_float32")
def test_a_comparison_loads_a_shared_base_once_and_has_the_figures_of_two_evaluations(
    tiny_model: Path, plain: str, triage_rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ModelRef(model=str(tiny_model))
    fine_tuned = base.model_copy(update={"adapter": plain, "quantization": "nf4"})
    eval_file = triage_rows / "test.jsonl"
    single = [
        evaluate_model(ref, eval_file, sampling=GREEDY, output_dir=tmp_path / "single").report.predictions
        for ref in (base.model_copy(update={"quantization": "nf4"}), fine_tuned)
    ]
    loaded = []

    def count(ref: ModelRef, **options: Any) -> Any:
        loaded.append(ref)
        return load_base(ref, **options)

    monkeypatch.setattr(chat_model, "load_base", count)

    def compared() -> list[Any]:
        both = compare_models(
            base, fine_tuned, eval_file=eval_file, prompts=PROMPTS[:1], sampling=GREEDY, output_dir=tmp_path / "both"
        )
        assert both.evaluations
        assert both.answers[0].base.text != both.answers[0].fine_tuned.text
        return [evaluation.report.predictions for evaluation in both.evaluations]

    assert compared() == single
    assert [ref.adapter for ref in loaded] == [None]
    assert compared() == single  # found again; the prompts are answered anew, on one base
    assert len(loaded) == 2
