"""Each family of Mistral's models, tiny and random: where adapters and quantised layers are, and what is computed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_families import write_family

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.backends.local.adapting import attach_adapters
from mistraltune.backends.local.attention import PER_SEQUENCE, pick_attention
from mistraltune.backends.local.batching import lay_out, split_passes
from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.backends.local.inspecting import IMAGE_PARTS
from mistraltune.backends.local.loading import load_base
from mistraltune.backends.local.log_probs import score_trained_tokens
from mistraltune.backends.local.merging import merge
from mistraltune.configuring import load_config
from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.rendered import Rendered
from mistraltune.errors import ConfigError
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef
from mistraltune.training import make_plan, train

LINEAR = {
    *(f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj")),
    *(f"mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")),
}
ATTENTION = {name for name in LINEAR if name.startswith("self_attn")}
EXPERTS = {"mlp.experts", "mlp.experts.base_layer"}  # one adapter within the other: both weights are of one module

FAMILIES = {
    "ministral": ("model.layers", LINEAR, LINEAR),
    "ministral3": ("model.layers", LINEAR, LINEAR),
    "mistral3": ("model.language_model.layers", LINEAR, LINEAR),
    "mixtral": ("model.layers", ATTENTION | EXPERTS, ATTENTION),
}
"""Where its layers are, and of each layer the modules with adapters and those that are quantised."""

MakeFamily = Callable[[str], Path]


@pytest.fixture(scope="session")
def family(make_once: Callable[..., Path]) -> MakeFamily:
    """`family("mixtral")`: the folder of a tiny model of that family with Mistral's own v3 tokenizer."""
    return lambda name: make_once(f"tiny-{name}", lambda folder: write_family(name, folder))


def make_config(folder: Path, rows: Path, *overrides: str, output_dir: str = "outputs") -> LocalTrainConfig:
    is_mixture = folder.name == "tiny-mixtral"
    config: LocalTrainConfig = load_config(
        LocalTrainConfig,
        files=["lora_r16a32_experts"] if is_mixture else [],
        overrides=["training.max_steps=2", "training.logging_steps=1", "training.learning_rate=1e-2", *overrides],
        options={"model": str(folder), "data.train_file": str(rows / "train.jsonl"), "output_dir": output_dir},
    ).config
    return config


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_and_quantised_layers_are_where_they_belong(
    family: MakeFamily, triage_rows: Path, name: str, quantization: str
) -> None:
    from bitsandbytes.nn import Linear4bit, Linear8bitLt
    from peft.tuners.lora import LoraLayer

    config = make_config(family(name), triage_rows, f"quantization={quantization}")
    base = load_base(ModelRef(model=config.model, quantization=config.quantization), dtype=torch.bfloat16)
    place, adapted, quantised = FAMILIES[name]
    kind = Linear4bit if quantization == "nf4" else Linear8bitLt
    found = {key for key, module in base.named_modules() if isinstance(module, (Linear4bit, Linear8bitLt))}
    assert found == {f"{place}.{layer}.{part}" for layer in (0, 1) for part in quantised}
    assert all(isinstance(base.get_submodule(key), kind) for key in found)

    model = attach_adapters(base, config)
    carriers = {key for key, module in model.get_base_model().named_modules() if isinstance(module, LoraLayer)}
    assert carriers == {f"{place}.{layer}.{part}" for layer in (0, 1) for part in adapted}
    trainable = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("lora_" in key for key in trainable)
    assert not [key for key in trainable if "vision" in key or "projector" in key]
    if name == "mixtral":  # what bitsandbytes does not quantise, and the memory estimate therefore counts in full
        experts = [p for key, p in base.named_parameters() if key.endswith(("gate_up_proj", "down_proj"))]
        assert {p.dtype for p in experts} == {torch.bfloat16}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_packed_line_means_what_its_sequences_mean_alone(family: MakeFamily, name: str) -> None:
    """Against transformers' own attention, sequence by sequence; longer than the sliding window of ministral."""
    ref = ModelRef(model=str(family(name)))
    dtype = torch.float32
    attention = pick_attention(torch.device("cpu"), dtype)
    assert attention == PER_SEQUENCE
    packed = load_base(ref, dtype=dtype, attention=attention).eval()
    score_trained_tokens(packed)
    plain = load_base(ref, dtype=dtype).eval()
    generator = torch.Generator().manual_seed(3)
    lengths = (40, 23, 9)
    rows = [torch.randint(10, 1000, (length,), generator=generator).tolist() for length in lengths]
    line = lay_out([Rendered(row, [1] * len(row)) for row in rows], pass_length=1024)
    (one_pass,) = split_passes(line)
    with torch.no_grad():
        given = packed(**one_pass).log_probs
        expected = []
        for row in rows:
            logits = plain(input_ids=torch.tensor([row])).logits[0, :-1].float().log_softmax(-1)
            expected.append(logits.gather(-1, torch.tensor(row[1:])[:, None])[:, 0])
    assert torch.allclose(given, torch.cat(expected), atol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_run_of_each_family_trains_and_answers_with_its_adapters(
    family: MakeFamily, triage_rows: Path, tmp_path: Path, name: str
) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    run = train(LocalBackend(), make_config(family(name), triage_rows, output_dir=str(tmp_path)))
    losses = [event["loss"] for event in run.history() if event["event"] == "step"]
    assert losses[-1] < losses[0]
    _, adapted, _ = FAMILIES[name]
    assert run.metadata["training"]["num_adapters"] == 2 * len(adapted)

    prompts = [Conversation((Message("user", text),)) for text in ("Hello", "My parcel never came, and I am sad.")]
    sampling = Sampling(max_new_tokens=12)
    model = LocalChatModel(run.model)
    saved, loaded = load_file(run.path / "adapter_model.safetensors"), get_peft_model_state_dict(model.model)
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)
    assert all(saved[key].abs().max() > 0 for key in saved)
    given = [answer.text for answer in model.generate(prompts, sampling)]
    token_ids = [model.renderer.prompt(prompt) for prompt in prompts]
    alone = [model.generate_batch([ids], sampling)[0] for ids in token_ids]
    assert given == [model.completion(ids, sampling).text for ids in alone]
    assert "".join(model.stream(prompts[0], sampling)) == given[0]


@pytest.mark.parametrize("kind", ["mistral4", "mistral_large4"])
def test_a_family_that_is_not_supported_is_refused_by_its_name(
    tiny_model: Path, triage_rows: Path, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "new"
    shutil.copytree(tiny_model, folder)
    for content in ({"model_type": kind}, {"model_type": "mistral3", "text_config": {"model_type": kind}}):
        (folder / "config.json").write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=f"is a {kind} model, which is not supported"):
            make_plan(LocalBackend(), make_config(folder, triage_rows, output_dir=str(tmp_path)))
        with pytest.raises(ConfigError, match=f"is a {kind} model, which is not supported"):
            load_base(ModelRef(model=str(folder)), dtype=torch.float32)


def test_experts_are_adapted_where_they_are_named_and_only_there(
    family: MakeFamily, triage_rows: Path, tiny_model: Path
) -> None:
    defaults = make_config(family("mixtral"), triage_rows, "lora.target_modules=[q_proj,gate_proj]")
    with pytest.raises(ConfigError, match=r"no layer of .* is called gate_proj") as refused:
        make_plan(LocalBackend(), defaults)
    assert refused.value.hint == (
        "its linear layers: k_proj, o_proj, q_proj, v_proj; `--lora lora_r16a32_experts` adapts these and its experts"
    )
    dense = make_config(tiny_model, triage_rows, "lora.target_parameters=[experts.down_proj]", "lora.dropout=0")
    with pytest.raises(ConfigError, match=r"lora\.target_parameters: .* has no experts\.down_proj"):
        make_plan(LocalBackend(), dense)


def write_float8(source: Path, folder: Path) -> dict[str, torch.Tensor]:
    """A copy with linear layers in FP8, one scale a layer, as Mistral publishes them; returns what those mean."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    weights = load_file(folder / "model.safetensors")
    meant = {}
    for name in [name for name in weights if name.endswith("_proj.weight")]:
        scale = weights[name].float().abs().max() / 448
        weights[name] = (weights[name].float() / scale).to(torch.float8_e4m3fn)
        weights[name.replace(".weight", ".weight_scale_inv")] = scale
        meant[name] = weights[name].float() * scale
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    content = json.loads((folder / "config.json").read_text())
    content["quantization_config"] = {
        "quant_method": "fp8",
        "activation_scheme": "static",
        "weight_block_size": None,
        "modules_to_not_convert": ["lm_head"],
    }
    (folder / "config.json").write_text(json.dumps(content))
    return meant


def test_an_fp8_checkpoint_is_taken_out_of_its_8_bits_or_refused(
    tiny_model: Path, triage_rows: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "fp8"
    meant = write_float8(tiny_model, folder)
    model = load_base(ModelRef(model=str(folder)), dtype=torch.float32)
    for name, weight in meant.items():
        assert torch.allclose(model.get_parameter(name), weight, rtol=1e-6)
    run = train(
        LocalBackend(), make_config(folder, triage_rows, "quantization=none", output_dir=str(tmp_path / "outputs"))
    )
    assert run.status == "finished"
    merge(run.model, tmp_path / "merged", dtype="bfloat16")
    merged = load_base(ModelRef(model=str(tmp_path / "merged"), quantization="nf4"), dtype=torch.bfloat16)
    assert not any(parameter.dtype == torch.float8_e4m3fn for parameter in merged.parameters())
    with pytest.raises(ConfigError, match="holds its weights in FP8, from which they are not quantised to nf4") as no:
        make_plan(LocalBackend(), make_config(folder, triage_rows, output_dir=str(tmp_path)))
    assert "-BF16" in no.value.hint
    assert "quantization=none" in no.value.hint


MERGED = {
    **{name: (name, []) for name in FAMILIES},
    "rsLoRA": ("ministral", ["lora.use_rslora=true", "lora.r=8"]),
    "DoRA": ("ministral", ["lora.use_dora=true"]),
    "DoRA on the text part": ("mistral3", ["lora.use_dora=true", "lora.use_rslora=true"]),
}


@pytest.mark.parametrize("case", MERGED)
def test_a_merged_model_computes_what_base_and_adapter_compute(
    family: MakeFamily, triage_rows: Path, tmp_path: Path, case: str
) -> None:
    """In float32, so that what differs is the one rounding of the merged weights."""
    from peft import PeftModel
    from safetensors.torch import load_file

    name, overrides = MERGED[case]
    folder = family(name)
    ref = write_adapter(folder, make_config(folder, triage_rows, *overrides), tmp_path / "adapter")
    merge(ref, tmp_path, dtype="bfloat16")

    token_ids = torch.arange(10, 60).reshape(1, -1)
    base = load_base(ModelRef(model=str(folder)), dtype=torch.float32).eval()
    with torch.no_grad():
        plain = base(input_ids=token_ids).logits
        adapted = PeftModel.from_pretrained(base, ref.adapter).eval()(input_ids=token_ids).logits
        merged = load_base(ModelRef(model=str(tmp_path)), dtype=torch.float32).eval()(input_ids=token_ids).logits
    assert (merged - adapted).norm() < 0.02 * (adapted - plain).norm()

    before, after = load_file(folder / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert before.keys() == after.keys()
    of_images = {key for key in before if any(part in key for part in IMAGE_PARTS)}
    assert bool(of_images) == (name == "mistral3")
    layers = {key for key in before if "_proj" in key or ".experts." in key} - of_images
    assert {key for key in before if not torch.equal(before[key], after[key])} == layers
    for file in folder.iterdir():  # tokenizer, processor
        if file.name not in ("config.json", "generation_config.json", "model.safetensors"):
            assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def write_adapter(folder: Path, config: LocalTrainConfig, out: Path) -> ModelRef:
    """An adapter of random weights, large enough to show, as a training publishes them."""
    model = attach_adapters(load_base(ModelRef(model=str(folder)), dtype=torch.float32), config)
    generator = torch.Generator().manual_seed(5)
    for key, parameter in model.named_parameters():
        if "lora_magnitude" in key:
            parameter.data *= 1 + 0.2 * torch.rand(parameter.shape, generator=generator)
        elif parameter.requires_grad:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(out)
    return ModelRef(model=str(folder), adapter=str(out))
