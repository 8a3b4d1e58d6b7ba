"""Every optimizer and schedule that a configuration can name, as transformers makes it."""

from __future__ import annotations

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
    """The learning rate of each step as a share of the peak, after 10 steps of warm-up."""
    training = TrainingConfig.model_validate({"schedule": name, **fields})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(
        "constant_with_warmup" if name == "constant" else name,
        optimizer,
        num_warmup_steps=10,
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
    stable = rates("warmup_stable_decay", min_lr_ratio=0.2, decay_fraction=0.5)
    assert stable[50] == pytest.approx(1)
    assert stable[51] < 1
    assert stable[-1] == pytest.approx(0.2)
    restarts = rates("cosine_with_restarts", num_cycles=3)
    assert sum(later > earlier + 0.5 for earlier, later in pairwise(restarts[10:])) == 2
