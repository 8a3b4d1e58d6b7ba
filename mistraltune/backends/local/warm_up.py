"""One pass forward and backward on the longest batch before the first step: what does not fit is known at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mistraltune.backends.local.batching import IGNORED
from mistraltune.data.conversation import Conversation
from mistraltune.data.fitting import Fitted

if TYPE_CHECKING:
    from mistraltune.backends.local.sft import RunTrainer


def warm_up(trainer: RunTrainer, train: Sequence[Conversation]) -> None:
    """Run the micro-step with the most tokens that the rows can make, and leave everything as it was before.

    Random numbers, gradients, sums and weights are those of a trainer that was never warmed up. The optimizer's state
    is not made before the first step; it is the smallest part.

    Args:
        trainer: Its model is on its device and wrapped as it will be trained.
        train: The training rows.
    """
    rows = longest_rows(train, trainer.args.per_device_train_batch_size)
    batch = trainer._prepare_inputs(trainer.data_collator([{"row": row} for row in rows]))
    count = (batch["labels"] != IGNORED).sum()
    trainer.run.emit("phase", phase="warm_up", text=f"trying the longest batch: {batch['input_ids'].numel():,} tokens")
    counts, trainer.unlogged = trainer.unlogged, replace(trainer.unlogged)
    with trainer.keeping_random_state():
        trainer.training_step(trainer.model_wrapped, batch, count)
    trainer.model_wrapped.zero_grad()
    trainer.unlogged = counts


def longest_rows(train: Sequence[Conversation], num_rows: int) -> list[int]:
    """Indices of the rows of the longest batch; the first rows of a sequence that does not know their lengths."""
    if isinstance(train, Fitted):
        return [row for row, _ in train.longest_batch(num_rows)]
    return list(range(min(num_rows, len(train))))
