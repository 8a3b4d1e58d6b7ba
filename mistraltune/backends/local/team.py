"""The processes that train together, one a device: what they send each other, and how the others learn of an end.

The first process (rank 0) leads: it checks the data, holds the run directory, writes every file and speaks. The others
wait for its word, train with it, and write nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from mistraltune.backends.local.orphans import GLANCE, JOINED, follow_launcher
from mistraltune.launched import local_rank, rank, world_size

T = TypeVar("T")

BUCKET = 2**23
"""Numbers that are averaged in one call, 32 MiB of float32: adapters take a few calls, and little memory beside."""

PATIENCE = timedelta(hours=2)
"""How long a process waits for another in a step, a validation or a checkpoint; one that died is noticed at once."""


@dataclass(frozen=True)
class Team:
    """This process among those of a training; alone, it sends nothing and everything here is what it has itself.

    Attributes:
        rank: The number of this process.
        size: How many there are.
        store: torch's key-value store that all can reach (`torch.distributed.Store`); None for a team of one.
    """

    rank: int = 0
    size: int = 1
    store: Any = None

    @property
    def is_leader(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def call(self) -> None:
        """Have the others come: what the leader does when there is something to train."""
        if self.store:
            self.store.set("word", "come")
            self.connect()

    def dismiss(self) -> None:
        """Let the others go, if they still wait: there is nothing to train."""
        if self.store:
            with suppress(dist.DistError):  # the launcher has died with the store
                self.store.compare_set("word", "", "go")

    def is_called(self) -> bool:
        """Wait for the leader's word: whether there is something to train.

        Raises:
            torch.distributed.DistError: The process that holds the store has died.
        """
        while not self.store.check(["word"]):
            time.sleep(GLANCE)
        if self.store.get("word") != b"come":
            return False
        self.connect()
        return True

    def connect(self) -> None:
        """Open the connections over which tensors are summed, once everybody is there."""
        self.store.add("here", 1)
        while self.store.add("here", 0) < self.size:
            time.sleep(GLANCE)  # torch would wait too, and hear no signal
        if torch.cuda.is_available():
            torch.cuda.set_device(local_rank())
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store = PrefixStore("group", self.store)
        dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE)

    def leave(self) -> None:
        """Close the connections."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def share(self, value: T | None) -> T:
        """The leader's value, for everybody; the others give None."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return cast("T", values[0])

    def gather(self, value: T) -> list[T]:
        """Everybody's values by rank, for the leader; nothing for the others."""
        if self.size == 1:
            return [value]
        values: list[Any] | None = [None] * self.size if self.is_leader else None
        dist.gather_object(value, values, dst=0)
        return values or []

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Sums over the team."""
        if self.size == 1:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums)
        return cast("list[float]", sums.tolist())

    def most(self, number: int) -> int:
        """The largest of everybody's numbers."""
        if self.size == 1:
            return number
        largest = torch.tensor(number)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest)

    def meet(self) -> None:
        """Wait until everybody has come this far."""
        self.most(0)

    def agrees(self, wish: bool) -> bool:
        """Whether anybody wishes it; the same answer for everybody."""
        return self.sum([wish])[0] > 0

    def equalise(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give everybody the leader's weights."""
        if self.size > 1:
            for parameter in parameters:
                dist.broadcast(parameter.data, src=0)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by its mean over the team; a process that had no rows counts with zeros."""
        if self.size == 1:
            return
        for bucket in buckets(parameters):
            gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in bucket]
            line = torch.cat([gradient.reshape(-1) for gradient in gradients])
            dist.all_reduce(line)
            line /= self.size
            for parameter, mean in zip(bucket, torch.split(line, [each.numel() for each in bucket]), strict=True):
                parameter.grad = mean.view_as(parameter).clone()


def buckets(parameters: Iterable[torch.nn.Parameter]) -> Iterable[list[torch.nn.Parameter]]:
    """Parameters in their order, in portions of about BUCKET numbers."""
    bucket: list[torch.nn.Parameter] = []
    for parameter in parameters:
        bucket.append(parameter)
        if sum(each.numel() for each in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


@cache
def own_team() -> Team:
    """The team of this process, joined at the first call."""
    follow_launcher()
    if world_size() == 1:
        JOINED.set()
        return Team()
    store, _, _ = next(iter(rendezvous("env://")))
    JOINED.set()
    return Team(rank(), world_size(), PrefixStore("mistraltune", store))
