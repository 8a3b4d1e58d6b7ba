"""A frozen base in shards: each process holds a part of every weight, and a whole layer while it computes with it.

This is torch's FSDP2 (`fully_shard`; Zhao et al. 2023, arXiv:2304.11277), on the base alone. Adapters stay what they
are without it, whole float32 tensors in every process, and so do their gradients, the optimizer, and what is saved.
The weights that are computed with are the same to the bit.

Every pass through the model takes all processes, as they send each other their parts: see `idle_passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard

from mistraltune.backends.local.batching import IGNORED, Batch, split_passes
from mistraltune.backends.local.inspecting import IMAGE_PARTS
from mistraltune.backends.local.sharding import Sharding
from mistraltune.backends.local.team import Team
from mistraltune.errors import ConfigError
from mistraltune.launched import local_rank, local_world_size

T = TypeVar("T")

IDLE: Batch = {
    "input_ids": torch.zeros((1, 1), dtype=torch.int64),
    "labels": torch.full((1, 1), IGNORED),
    "sequence_lengths": torch.tensor([1]),
    "pass_sizes": torch.tensor([1]),
}
"""One token, which is not trained."""


def make_mesh(team: Team, device: torch.device) -> DeviceMesh:
    """The processes that share a base; takes all of them at once."""
    return init_device_mesh(device.type, (team.size,))


def load_in_turns(load: Callable[[], T], team: Team) -> T:
    """What `load` gives, called by one process of a machine at a time.

    Each has moved all but its part out of the CPU's memory when the next begins.
    """
    loaded: list[T] = []
    for turn in range(team.most(local_world_size())):
        if turn == local_rank():
            loaded.append(load())
        team.meet()
    return loaded[0]


def shard_base(model: Any, sharding: Sharding, *, mesh: DeviceMesh, device: torch.device) -> None:
    """Cut the base of a PEFT model, which lies whole in the CPU's memory, into shards, and bring them to `device`.

    No more than a layer is ever whole on the device. Linear layers in 4 bits keep their scales whole in every process
    (a byte for 64 weights), where bitsandbytes looks for them. Nothing is sent.

    Args:
        model: The PEFT model.
        sharding: Where shards lie, and how long layers stay whole.
        mesh: The processes that share it.
        device: Of the computation.

    Raises:
        ConfigError: It has no layers by which it could be cut.
    """
    base = model.get_base_model()
    trained = {parameter for parameter in model.parameters() if parameter.requires_grad}
    for parameter in trained:
        parameter.data = parameter.data.to(device)
    offload = CPUOffloadPolicy(pin_memory=device.type == "cuda") if sharding.offload_params else OffloadPolicy()
    options: dict[str, Any] = {
        "mesh": mesh,
        "reshard_after_forward": sharding.reshard_after_forward,
        "offload_policy": offload,
        "ignored_params": trained,
    }
    for parameter in base.parameters():
        parameter.data = parameter.data.contiguous()
    for unit in find_units(base):
        fully_shard(unit, **options)
    # What is left, the head above all, is needed from a pass's beginning to its end.
    fully_shard(model, **(options | {"reshard_after_forward": False}))
    base.hf_device_map = {"": device}  # accelerate looks here for where a quantised model is


def find_units(base: Any) -> list[torch.nn.Module]:
    """What is whole at one time, the rest of the model apart: each layer, the parts that see images, the embedding.

    The embedding belongs to the rest where it is the head too. The head always does: only its weight is used, see
    `log_probs`.

    Raises:
        ConfigError: transformers does not say what its layers are.
    """
    images = [module for name, module in base.named_modules() if name.endswith(IMAGE_PARTS)]
    of_images = {each for module in images for each in module.modules()}
    kinds = set(base._no_split_modules or ())
    layers = [each for each in base.modules() if type(each).__name__ in kinds and each not in of_images]
    if not layers:
        raise ConfigError(
            f"FSDP cannot shard {type(base).__name__}: its layers are not known", hint="train without FSDP"
        )
    embedding, head = base.get_input_embeddings(), base.get_output_embeddings()
    return [*layers, *images, *([embedding] if embedding.weight is not head.weight else ())]


def idle_passes(batch: Batch, team: Team) -> Iterator[dict[str, Any]]:
    """Passes of weight 0, as many as this process has fewer than another: all must go through the layers equally often.

    Called by all processes at once, before a pass of the batch.
    """
    own = len(batch["pass_sizes"])
    device = batch["input_ids"].device
    idle = {name: tensor.to(device) for name, tensor in IDLE.items()}
    missing = team.most(own) - own
    return (one_pass for _ in range(missing) for one_pass in split_passes(idle))


def let_go(model: Any) -> None:
    """Hold shards alone; a backward pass ends with that, an evaluation does not."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
