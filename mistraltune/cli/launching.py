"""`train local` in several processes: what the one does that starts them, the one that leads, and those that follow."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

if TYPE_CHECKING:
    from mistraltune.abilities import Launch, LaunchingBackend
    from mistraltune.interfaces import Backend

Launcher = Annotated[
    Literal["torchrun", "accelerate"] | None,
    typer.Option("--launcher", help="Train in several processes, one a GPU, started by this launcher."),
]
NumProcesses = Annotated[
    int | None, typer.Option("--num-processes", min=1, help="How many processes (default: one for each visible GPU).")
]
AccelerateConfig = Annotated[
    str | None,
    typer.Option("--accelerate-config", metavar="FILE", help="Processes, machines and FSDP by accelerate's own file."),
]


def read_launch(launcher: str | None, num_processes: int | None, accelerate_config: str | None) -> Launch | None:
    """The processes that the options ask for; None for this one alone.

    Raises:
        ConfigError: Options that mean nothing without others.
    """
    from mistraltune.abilities import Launch
    from mistraltune.errors import ConfigError

    if accelerate_config and launcher != "accelerate":
        raise ConfigError("--accelerate-config is for --launcher accelerate", hint="give both")
    if num_processes and not launcher:
        raise ConfigError("--num-processes is for --launcher", hint="add --launcher torchrun")
    if not launcher:
        return None
    return Launch(cast("Literal['torchrun', 'accelerate']", launcher), num_processes, accelerate_config)


def start(launch: Launch) -> None:
    """Run this very command in several processes, to the end; they say all that is said."""
    local_backend().launch(launch, sys.argv[1:])


def count_devices(launch: Launch | None) -> int:
    """The devices that share each step: what a launcher has started, else what `launch` would start."""
    from mistraltune.launched import is_launched, world_size

    return local_backend().count_processes(launch) if launch and not is_launched() else world_size()


def planning(launch: Launch) -> Backend:
    """The backend of a dry run, which plans what `launch` would start."""
    return local_backend().planning(launch)


def leading() -> AbstractContextManager[None]:
    """Around what the first of the processes that a launcher started does; nothing for a process alone."""
    from mistraltune.launched import is_launched

    return local_backend().leading() if is_launched() else nullcontext()


def follow() -> None:
    """What every other process does: train with the first, and say nothing."""
    from mistraltune.cli.signals import stop_on_signals

    with stop_on_signals() as stop:
        local_backend().follow(on_event=stop.hear, should_stop=stop)


def local_backend() -> LaunchingBackend:
    """The backend that trains on this machine."""
    from mistraltune.registry import get_backend

    return cast("LaunchingBackend", get_backend("local"))
