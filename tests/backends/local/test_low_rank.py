"""LoRA at the base's precision equals PEFT's own LoRA, dropout included."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from mistraltune.backends.local.low_rank import (
    Layer,
    LowRankLinear,
    compute_at_base_precision,
    draw_mask,
    drop,
    round_share,
)


class Body(torch.nn.Module):
    """Two linear layers, one after the other."""

    def __init__(self, *, bias: bool = False) -> None:
        super().__init__()
        self.first = torch.nn.Linear(24, 32, bias=bias)
        self.second = torch.nn.Linear(32, 12, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.nn.functional.silu(self.first(x)))


def peft_model(base: torch.nn.Module, **options: Any) -> Any:
    """Adapters whose second half is not zero, as after some training."""
    torch.manual_seed(5)
    settings = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": ["first", "second"]} | options
    model = get_peft_model(base, LoraConfig(**settings))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.train()


def pair(**options: Any) -> tuple[Any, Any]:
    """The same model with PEFT's arithmetic and with ours."""
    torch.manual_seed(1)
    plain = peft_model(Body(bias=options.pop("bias", False)), **options)
    fast = deepcopy(plain)
    assert compute_at_base_precision(fast) == 2
    return plain, fast


def adapter_gradients(model: Any) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for name, p in model.named_parameters() if "lora_" in name])


def inputs(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 9, 24, generator=torch.Generator().manual_seed(2)).to(dtype).requires_grad_()


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"use_rslora": True}])
def test_values_and_gradients_equal_those_of_peft(options: dict[str, bool]) -> None:
    plain, fast = pair(**options)
    x, y = inputs(), inputs()
    expected, given = plain(x), fast(y)
    assert torch.allclose(given, expected, atol=1e-6)
    expected.square().sum().backward()
    given.square().sum().backward()
    assert torch.allclose(adapter_gradients(fast), adapter_gradients(plain), rtol=1e-4, atol=1e-5)
    assert torch.allclose(y.grad, x.grad, rtol=1e-4, atol=1e-5)


def test_a_bfloat16_base_has_float32_weights_and_gradients_near_those_of_peft() -> None:
    plain, fast = pair()
    for model in (plain, fast):
        for name, parameter in model.named_parameters():
            parameter.data = parameter.data.float() if "lora_" in name else parameter.data.bfloat16()
    expected, given = plain(inputs(torch.bfloat16)), fast(inputs(torch.bfloat16))
    assert given.dtype == torch.bfloat16
    expected.square().sum().backward()
    given.square().sum().backward()
    ours, theirs = adapter_gradients(fast), adapter_gradients(plain)
    assert ours.dtype == torch.float32
    assert (ours - theirs).norm() / theirs.norm() < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_4_bit_base_gives_what_peft_gives(dtype: torch.dtype) -> None:
    from bitsandbytes.nn import Linear4bit

    torch.manual_seed(1)
    base = torch.nn.Sequential(Linear4bit(64, 64, bias=False, compute_dtype=dtype, quant_type="nf4")).to("cpu")
    assert base[0].weight.quant_state is not None
    base[0].support_avx512bf16_for_cpu = False
    plain = peft_model(base, target_modules=["0"])
    fast = deepcopy(plain)
    assert compute_at_base_precision(fast) == 1
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(2)).to(dtype)
    (mine, theirs) = (x.clone().requires_grad_(), x.clone().requires_grad_())
    given, expected = fast(mine), plain(theirs)
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    assert (given - expected).norm() / expected.norm() < tolerance
    given.square().sum().backward()
    expected.square().sum().backward()
    assert (mine.grad - theirs.grad).norm() / theirs.grad.norm() < tolerance
    difference = (adapter_gradients(fast) - adapter_gradients(plain)).norm()
    assert difference / adapter_gradients(plain).norm() < tolerance


def test_dropout_keeps_the_wanted_share_and_the_same_one_for_the_same_seed() -> None:
    x = torch.ones(400, 999, dtype=torch.bfloat16)
    masks = [draw_mask(x, Layer(None, 1.0, round_share(0.05), seed)) for seed in (1, 1, 2)]
    kept = [drop(x, mask) for mask in masks]
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])
    assert set(kept[0].unique().tolist()) == {0.0, 1.0}
    assert kept[0].float().mean().item() == pytest.approx(0.95, abs=0.002)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_kept_values_are_kept_bit_by_bit(dtype: torch.dtype) -> None:
    x = torch.randn(37, 11, dtype=torch.float64).to(dtype)
    mask = draw_mask(x, Layer(None, 1.0, 0.5, 3))
    assert mask is not None
    assert torch.equal(drop(x, mask), torch.where(mask.bool(), x, 0))


def test_nothing_is_dropped_where_no_dropout_is_wanted() -> None:
    x = torch.randn(4, 4)
    assert draw_mask(x, Layer(None, 1.0, 0.0, 3)) is None
    assert drop(x, None) is x


@pytest.mark.parametrize(("wanted", "done"), [(0.0, 0.0), (0.05, 3277 / 65536), (0.5, 0.5), (0.999999, 65535 / 65536)])
def test_a_share_is_rounded_to_what_sixteen_bits_can_decide(wanted: float, done: float) -> None:
    assert round_share(wanted) == done


def test_the_backward_pass_sees_the_inputs_that_the_forward_pass_saw() -> None:
    """Against the plain expression with the same mask, in float64, where rounding hides nothing."""
    torch.manual_seed(0)
    base = torch.nn.Linear(24, 10, bias=False, dtype=torch.float64).requires_grad_(requires_grad=False)
    x = torch.randn(7, 24, dtype=torch.float64, requires_grad=True)
    down = torch.randn(3, 24, dtype=torch.float64, requires_grad=True)
    up = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    layer = Layer(base, 2.0, 0.25, 11)
    mask = draw_mask(x, layer)
    assert mask is not None
    expected = base(x) + (x * mask.bool() / 0.75) @ down.T @ up.T * 2.0
    given = LowRankLinear.apply(x, down, up, layer)
    assert torch.allclose(given, expected)
    slopes = torch.randn(7, 10, dtype=torch.float64)
    ours = torch.autograd.grad(given, (x, down, up), slopes)
    theirs = torch.autograd.grad(expected, (x, down, up), slopes)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one.double(), other, rtol=1e-5)


def test_dropout_follows_torchs_seed_and_ends_with_training() -> None:
    _, fast = pair(lora_dropout=0.3)
    torch.manual_seed(8)
    first = fast(inputs())
    other = fast(inputs())
    torch.manual_seed(8)
    again = fast(inputs())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    fast.eval()
    assert torch.equal(fast(inputs()), fast(inputs()))


def test_recomputed_activations_drop_the_same_inputs() -> None:
    from torch.utils.checkpoint import checkpoint

    _, fast = pair(lora_dropout=0.3)
    gradients = []
    for run in (fast, lambda x: checkpoint(fast, x, use_reentrant=False)):
        fast.zero_grad()
        torch.manual_seed(8)
        run(inputs()).square().sum().backward()
        gradients.append(adapter_gradients(fast).clone())
    assert torch.equal(gradients[0], gradients[1])


def test_an_adapter_that_is_switched_off_changes_nothing() -> None:
    plain, fast = pair()
    with plain.disable_adapter(), fast.disable_adapter():
        assert torch.equal(fast(inputs()), plain(inputs()))


def test_what_is_not_plain_lora_keeps_its_own_arithmetic() -> None:
    plain = peft_model(Body(), use_dora=True)
    left = deepcopy(plain)
    assert compute_at_base_precision(left) == 0
    assert torch.equal(left(inputs()), plain(inputs()))


def test_of_several_adapters_the_active_one_counts_and_only_where_it_is_plain() -> None:
    plain, fast = pair()
    for model in (plain, fast):
        torch.manual_seed(7)
        model.add_adapter("dora", LoraConfig(r=2, use_dora=True, target_modules=["second"], init_lora_weights=False))
        torch.manual_seed(8)
        model.add_adapter("other", LoraConfig(r=3, target_modules=["first"], init_lora_weights=False))
    assert compute_at_base_precision(fast) == 2
    outputs = []
    for name in ("default", "dora", "other"):
        plain.set_adapter(name)
        fast.set_adapter(name)
        outputs.append(fast(inputs()))
        assert torch.allclose(outputs[-1], plain(inputs()), atol=1e-6)
    assert not torch.allclose(outputs[0], outputs[1], atol=1e-3)
    assert not torch.allclose(outputs[1], outputs[2], atol=1e-3)


def test_an_8_bit_base_keeps_its_own_arithmetic() -> None:
    from bitsandbytes.nn import Linear8bitLt

    base = torch.nn.Sequential(Linear8bitLt(64, 64, bias=False, has_fp16_weights=False)).to("cpu")
    base.is_loaded_in_8bit = True
    model = peft_model(base, target_modules=["0"])
    assert compute_at_base_precision(model) == 0
