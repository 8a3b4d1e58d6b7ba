"""Which rows a process works on: the batches of the whole, dealt out to the processes in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from torch.utils.data import BatchSampler, Sampler


class DealtBatches(Sampler[list[int]]):
    """The batches of one process: of every `num_processes` batches in a row, the one with its rank.

    An optimizer step so holds the same rows, whatever the number of processes that share it. Every process has as many
    batches as the others, since they step together; where the rows run out, the last of some are empty. accelerate
    would fill those up with rows from the beginning, which then count twice.

    Args:
        sampler: The order of all rows, the same in every process.
        batch_size: Rows of a batch.
        rank: Of this process.
        num_processes: How many there are.
    """

    def __init__(self, sampler: Sampler[int], *, batch_size: int, rank: int, num_processes: int) -> None:
        self.sampler = sampler
        self.batches = BatchSampler(sampler, batch_size, drop_last=False)
        self.rank = rank
        self.num_processes = num_processes

    def __iter__(self) -> Iterator[list[int]]:
        batches = iter(self.batches)
        while round_of_all := list(islice(batches, self.num_processes)):
            yield round_of_all[self.rank] if self.rank < len(round_of_all) else []

    def __len__(self) -> int:
        return math.ceil(len(self.batches) / self.num_processes)

    @property
    def batch_sampler(self) -> DealtBatches:
        """Itself: transformers looks here for whom to tell the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Let the order be that of an epoch."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)
