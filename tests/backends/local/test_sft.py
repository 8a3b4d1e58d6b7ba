"""Every optimizer and schedule that a configuration can name, as transformers makes it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch
from transformers import Trainer, TrainingArguments
from transformers.optimization import get_scheduler

from mistraltune.backends.local.sft_settings import schedule_options
from mistraltune.config import Optimizer, Schedule, TrainingConfig


@pytest.mark.filterwarnings("ignore:Paged optimizers")
@pytest.mark.parametrize("name", get_args(Optimizer))
def test_every_optimizer_works_with_what_is_installed(name: str, tmp_path: str) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Linear(64, 64)
    kind, options = Trainer.get_optimizer_cls_and_kwargs(
        TrainingArguments(output_dir=tmp_path, optim=name, learning_rate=1e-2, use_cpu=True)
    )
    optimizer = kind(layer.parameters(), **options)
    x = torch.randn(256, 64)
    target = x @ torch.randn(64, 64)
    losses = []
    for _ in range(5):
        loss = (layer(x) - target).square().mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]


def rates(name: str, num_steps: int = 100, **fields: float) -> list[float]:
    """The learning rate of each step, and after the last, as a share of the peak; a tenth of the steps warms up."""
    training = TrainingConfig.model_validate({"schedule": name, "warmup_fraction": 0.1, **fields})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(
        "constant_with_warmup" if name == "constant" else name,
        optimizer,
        num_warmup_steps=num_steps // 10,
        num_training_steps=num_steps,
        scheduler_specific_kwargs=schedule_options(training, num_steps=num_steps),
    )
    shares = []
    for _ in range(num_steps + 1):
        shares.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return shares


@pytest.mark.parametrize("name", get_args(Schedule))
def test_every_schedule_reaches_the_peak_after_its_warmup(name: str) -> None:
    shares = rates(name)
    assert max(shares) == pytest.approx(1)
    assert shares[10] == pytest.approx(1)
    assert shares[0] < 0.2


def test_schedules_end_where_the_configuration_says() -> None:
    assert rates("constant")[-1] == 1
    assert rates("cosine_with_min_lr", min_lr_ratio=0.3)[-1] == pytest.approx(0.3)
    restarts = rates("cosine_with_restarts", num_cycles=3)
    assert sum(later > earlier + 0.5 for earlier, later in pairwise(restarts[10:])) == 2


@pytest.mark.parametrize("min_lr_ratio", [0.2, 0.0])
@pytest.mark.parametrize(("num_steps", "num_falling"), [(1, 0), (2, 1), (3, 1), (10, 3), (100, 30)])
def test_warmup_stable_decay_falls_to_its_end_in_the_last_steps(
    num_steps: int, num_falling: int, min_lr_ratio: float
) -> None:
    shares = rates("warmup_stable_decay", num_steps, min_lr_ratio=min_lr_ratio, decay_fraction=0.3)[:num_steps]
    num_rising = num_steps // 10
    expected = [min_lr_ratio + (1 - min_lr_ratio) * step / num_rising for step in range(num_rising)]
    expected += [1.0] * (num_steps - num_rising - num_falling)
    # The last step has the minimum; a minimum of 0 would come one step later, for it trains nothing.
    last = num_falling if min_lr_ratio else num_falling + 1
    for step in range(1, num_falling + 1):
        expected.append(min_lr_ratio + (1 - min_lr_ratio) * (1 + math.cos(math.pi * step / last)) / 2)
    assert shares == pytest.approx(expected)


def test_a_decay_over_all_steps_leaves_the_peak_after_its_warmup_a_step() -> None:
    shares = rates("warmup_stable_decay", 10, min_lr_ratio=0.2, decay_fraction=1.0)
    assert shares[1] == pytest.approx(1)
    assert shares[9] == pytest.approx(0.2)
