"""Whether the processes of a training share the frozen base by FSDP: accelerate's settings, and what they mean here.

accelerate's launcher turns the `fsdp_config` of its file into variables, `fsdp_version` into FSDP_VERSION. Those are
read here; accelerate, transformers and TRL, which would wrap the model by themselves, do not get to see them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mistraltune.config import TrainConfig
from mistraltune.errors import ConfigError
from mistraltune.launched import local_world_size, world_size

UNSUPPORTED = {
    "DEEPSPEED": "DeepSpeed",
    "MEGATRON_LM": "Megatron-LM",
    "XLA": "TPUs",
    "PARALLELISM_CONFIG": "tensor or context parallelism",
}
"""What a configuration of accelerate can ask for, and MistralTune does not do."""

RENAMED = {"fsdp_transformer_layer_cls_to_wrap": "FSDP_TRANSFORMER_CLS_TO_WRAP"}
"""Keys of `fsdp_config` that accelerate passes on under another name than their own in capitals."""

DONE_ANYWAY: dict[str, tuple[str, ...]] = {
    "fsdp_auto_wrap_policy": ("TRANSFORMER_BASED_WRAP",),
    "fsdp_transformer_layer_cls_to_wrap": (),
    "fsdp_min_num_params": ("100000000", "0"),
    "fsdp_state_dict_type": ("FULL_STATE_DICT",),
    "fsdp_sharding_strategy": ("FULL_SHARD", "1"),
    "fsdp_backward_prefetch": ("NO_PREFETCH", "BACKWARD_PRE"),
    "fsdp_forward_prefetch": ("false",),
    "fsdp_use_orig_params": ("true",),
    "fsdp_sync_module_states": ("true",),
}
"""Keys without effect, with the values that go without saying: what is done anyway, or accelerate's default."""

HONOURED = ("fsdp_version", "fsdp_reshard_after_forward", "fsdp_offload_params", "fsdp_cpu_ram_efficient_loading")

REFUSED = {
    "fsdp_activation_checkpointing": "set local.activation_checkpointing=true instead",
    "fsdp_activation_checkpointing_offload": "set local.activation_checkpointing=true instead",
    "fsdp_ignored_modules": "leave it out: the whole base is sharded, and no adapter",
}
"""Keys that may not ask for anything, each with what to do."""

KEYS = (*HONOURED, *DONE_ANYWAY, *REFUSED)

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")

UNSEEN = ("ACCELERATE_USE_FSDP", "ACCELERATE_MIXED_PRECISION", "ACCELERATE_DYNAMO_BACKEND")
"""Variables by which accelerate's file would change what the libraries compute, behind the configuration's back."""


IN_ENVIRONMENT = "in the environment"
"""The place, for messages, of variables that a person sets, or a launcher."""


@dataclass(frozen=True)
class Sharding:
    """How each process holds a part of the frozen base, and the whole of a layer only while it computes with it.

    Attributes:
        reshard_after_forward: Let go of a layer between its forward and its backward pass.
        offload_params: Hold the parts in the CPU's memory.
        loads_in_turns: Have the processes of a machine load one after the other, so that its memory holds the whole
            base once.
    """

    reshard_after_forward: bool = True
    offload_params: bool = False
    loads_in_turns: bool = True


@dataclass(frozen=True)
class Formation:
    """The processes of a training.

    Attributes:
        num_processes: How many, over all machines.
        num_here: How many of them share this machine.
        sharding: How they share the base; None where each holds the whole.
        passed_over: Settings of accelerate that have no effect here, as `key=value`.
    """

    num_processes: int = 1
    num_here: int = 1
    sharding: Sharding | None = None
    passed_over: tuple[str, ...] = ()


ALONE = Formation()
"""A process for itself."""


def own_formation() -> Formation:
    """That of this process, as its launcher has said.

    Raises:
        ConfigError: A launcher of accelerate asks for what MistralTune does not do.
    """
    return read_formation(os.environ, place=IN_ENVIRONMENT, num_processes=world_size(), num_here=local_world_size())


def read_formation(variables: Mapping[str, str], *, place: str, num_processes: int, num_here: int) -> Formation:
    """What accelerate's variables ask for, see `read_sharding`."""
    sharding = read_sharding(variables, place=place, num_processes=num_processes)
    return Formation(num_processes, num_here, sharding, tuple(list_passed_over(variables, is_sharded=bool(sharding))))


def read_sharding(variables: Mapping[str, str], *, place: str, num_processes: int) -> Sharding | None:
    """What accelerate's variables ask for; None for a whole base in each process.

    Args:
        variables: As accelerate's launcher sets them.
        place: Where they stand, for messages.
        num_processes: How many processes there will be.

    Raises:
        ConfigError: They ask for what MistralTune does not do; the message names it.
    """
    if variables.get("ACCELERATE_MIXED_PRECISION", "").lower() == "fp8":
        raise refused("mixed_precision fp8", place)
    for kind, name in UNSUPPORTED.items():
        if is_true(variables.get(f"ACCELERATE_USE_{kind}", "")):
            raise refused(name, place)
    if not is_true(variables.get("ACCELERATE_USE_FSDP", "")):
        return None
    settings = {key: variables.get(variable(key), "") for key in KEYS}
    if settings["fsdp_version"] != "2":
        raise first_fsdp(settings["fsdp_version"], place)
    for key, hint in REFUSED.items():
        if settings[key] and settings[key].lower() not in (*FALSE, "none"):
            raise ConfigError(f"{key} {settings[key]} {place} is not supported", hint=hint)
    if num_processes < 2:
        raise ConfigError(f"FSDP is asked for {place}, but there is one process", hint="shards take 2 and more")
    return Sharding(
        reshard_after_forward=read_bool(settings, "fsdp_reshard_after_forward", place=place, default=True),
        offload_params=read_bool(settings, "fsdp_offload_params", place=place, default=False),
        loads_in_turns=read_bool(settings, "fsdp_cpu_ram_efficient_loading", place=place, default=True),
    )


def list_passed_over(variables: Mapping[str, str], *, is_sharded: bool) -> Iterator[str]:
    """The settings that ask for something else than what is done."""
    for key, values in DONE_ANYWAY.items() if is_sharded else ():
        value = variables.get(variable(key), "")
        if value and value.lower() not in ("none", *(each.lower() for each in values)):
            yield f"{key}={value}"
    if (precision := variables.get("ACCELERATE_MIXED_PRECISION", "no")) != "no":
        yield f"mixed_precision={precision} (local.dtype decides)"
    if (compiler := variables.get("ACCELERATE_DYNAMO_BACKEND", "no").lower()) != "no":
        yield f"dynamo_backend={compiler}"


def file_variables(config: Any, *, path: str) -> dict[str, str]:
    """The variables that accelerate's launcher makes of its file, as far as they are read here.

    Args:
        config: accelerate's `ClusterConfig`.
        path: Of the file, for messages.

    Raises:
        ConfigError: It has a key that accelerate does not know, and would pass over.
    """
    kind = str(getattr(config.distributed_type, "value", config.distributed_type))
    variables = {f"ACCELERATE_USE_{kind}": "true"}
    if config.parallelism_config:
        variables["ACCELERATE_USE_PARALLELISM_CONFIG"] = "true"
    if compiler := (config.dynamo_config or {}).get("dynamo_backend"):
        variables["ACCELERATE_DYNAMO_BACKEND"] = str(compiler)
    variables["ACCELERATE_MIXED_PRECISION"] = str(config.mixed_precision or "no")
    for key, value in (config.fsdp_config or {}).items():
        name = key if key.startswith("fsdp") else f"fsdp_{key}"
        if name not in KEYS:
            raise ConfigError(f"{path}: fsdp_config has no key {key}", hint=f"known: {', '.join(KEYS)}")
        variables[variable(name)] = str(value)
    return variables


def variable(key: str) -> str:
    """The variable that stands for a key of `fsdp_config`."""
    return RENAMED.get(key, key.upper())


def refused(what: str, place: str) -> ConfigError:
    """The refusal of a way to train that accelerate's settings ask for."""
    return ConfigError(
        f"{what} is asked for {place}: MistralTune does not train with it",
        hint="take MULTI_GPU or MULTI_CPU (each process holds the whole base, in 4 bits with quantization nf4), "
        "or FSDP with fsdp_version 2 (they share it)",
    )


def first_fsdp(version: str, place: str) -> ConfigError:
    """The refusal of FSDP's first version, which is accelerate's default."""
    key, hint = "fsdp_version", "set fsdp_version: 2; `accelerate to-fsdp2` converts a file"
    if place == IN_ENVIRONMENT:
        key, hint = "FSDP_VERSION", "set FSDP_VERSION=2"
    return ConfigError(f"{key} {version or '1, the default,'} {place}: the base is sharded by FSDP2", hint=hint)


def refuse_unshardable(config: TrainConfig, sharding: Sharding | None) -> None:
    """Raise where the base of `config` cannot be sharded.

    Raises:
        ConfigError: Names what stands in the way.
    """
    if sharding and config.quantization == "int8":
        raise ConfigError(
            "FSDP cannot shard a base in 8 bits: bitsandbytes looks for its scales at tensors that FSDP replaces",
            hint="set quantization to nf4 or none, or train without FSDP",
        )


def is_true(value: str) -> bool:
    """Whether a variable of accelerate says yes."""
    return value.lower() in TRUE


def read_bool(settings: Mapping[str, str], key: str, *, place: str, default: bool) -> bool:
    """A setting that is true or false.

    Raises:
        ConfigError: It is neither, such as FULL_SHARD of the first FSDP.
    """
    value = settings[key].lower()
    if value in ("", "none"):
        return default
    if value not in TRUE + FALSE:
        raise ConfigError(f"{key} {settings[key]} {place}: not true or false", hint="FSDP2 takes true or false")
    return value in TRUE


@contextmanager
def hidden_from_libraries() -> Iterator[None]:
    """Keep accelerate's settings from the libraries for a while: MistralTune does itself what it does of them."""
    hidden = {name: os.environ.pop(name) for name in UNSEEN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
