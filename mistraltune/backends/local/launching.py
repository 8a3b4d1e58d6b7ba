"""The processes of a training, started by torchrun's or accelerate's own launcher, and how they ended."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mistraltune.abilities import Launch
from mistraltune.backends.local.accelerate_config import load_accelerate_config, read_accelerate_config
from mistraltune.backends.local.devices import visible_gpus
from mistraltune.backends.local.sharding import IN_ENVIRONMENT, Formation, read_formation
from mistraltune.data.spreading import num_cores
from mistraltune.errors import (
    ConfigError,
    ExitCode,
    MistralTuneError,
    OtherProcessFailed,
    Stopped,
    TemporaryError,
)
from mistraltune.launched import OWN_LAUNCHER, WORD

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TIME_TO_SAVE = 3600
"""Seconds that the processes have, after a signal, to finish a step and save; torchrun's own 30 can be too few."""

SETTINGS = {
    "PET_SHUTDOWN_TIMEOUT": str(TIME_TO_SAVE),
    "PET_MONITOR_INTERVAL": "0.1",
    "PET_SIGNALS_TO_HANDLE": "SIGQUIT",  # the others are ours, see `passing_on_signals`
    "PYTHONSAFEPATH": "1",  # a file in the working directory is no module
    # torch warns of each connection that closes, in C++ stacks; who has set a level sees them.
    "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
}
"""Both launchers read torchrun's options (PET_...) from the environment, for what accelerate has no option for."""

QUIET = ("torch.distributed", "accelerate")
"""Libraries that log how processes end; this module tells it."""


def find_formation(launch: Launch) -> Formation:
    """The processes that there will be, over all machines, and how they share the base.

    Raises:
        ConfigError: Nobody says how many, or accelerate's file asks for what MistralTune does not do.
    """
    if launch.accelerate_config:
        return read_accelerate_config(launch, launch.accelerate_config)
    num_processes = launch.num_processes or len(visible_gpus())
    if not num_processes:
        raise ConfigError("--launcher: this machine shows no GPU to count", hint="say how many with --num-processes")
    return read_formation(os.environ, place=IN_ENVIRONMENT, num_processes=num_processes, num_here=num_processes)


def run_launcher(launch: Launch, arguments: Sequence[str]) -> None:
    """Run `mistraltune` with `arguments` in several processes, to the end.

    Outputs are theirs: the first process writes to this process's stdout and stderr, the others only what went wrong
    in them. A signal to this process reaches all of them.

    Raises:
        OtherProcessFailed: They failed or were stopped, and have said so.
        Stopped: They were stopped, and had nothing to say.
        TemporaryError: One of them ended, and could not say so.
    """
    refuse_to_start_again()
    formation = find_formation(launch)
    with TemporaryDirectory(prefix="mistraltune-") as folder:
        word = Path(folder) / "told"
        to_processes = {OWN_LAUNCHER: str(os.getpid()), WORD: str(word)}
        with environment(SETTINGS | share_cores(formation.num_here) | to_processes):
            from torch.distributed.elastic.multiprocessing.api import SignalException
            from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

            try:
                with passing_on_signals():
                    start_processes(launch, formation, arguments)
            except SignalException as error:
                if not word.exists():
                    raise Stopped.by_signal(error.sigval) from error
                raise OtherProcessFailed("stopped", exit_code=128 + error.sigval) from error
            except ChildFailedError as error:
                rank, failure = error.get_first_failure()
                if not word.exists():
                    raise ended_silently(rank, failure.exitcode, num_processes=formation.num_processes) from error
                raise OtherProcessFailed("a process failed", exit_code=exit_code(failure.exitcode)) from error


def start_processes(launch: Launch, formation: Formation, arguments: Sequence[str]) -> None:
    """Start them, and wait until they have ended."""
    import_module("torch.distributed.run")  # its loggers set their own levels when they are made
    for name in logging.root.manager.loggerDict:
        if name.startswith(QUIET):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    # accelerate starts a single process without telling it that it is launched.
    if launch.launcher == "accelerate" and formation.num_processes > 1:
        run_accelerate(launch, formation, arguments)
    else:
        with environment(chosen_gpus(launch)):
            run_torchrun(formation.num_processes, arguments)


def ended_silently(rank: int, exit_code: int, *, num_processes: int) -> MistralTuneError:
    """What is said of a process that nobody has told of; negative exit codes are signals."""
    process = f"process {rank} of {num_processes}"
    if exit_code >= 0:
        return TemporaryError(f"{process} ended with exit code {exit_code} and without a word", hint="see above")
    if -exit_code in STOP_SIGNALS:
        stop = Stopped.by_signal(-exit_code)
        stop.message = f"stopped: {process} received {signal.Signals(-exit_code).name}"
        return stop
    return TemporaryError(
        f"{process} was killed by {signal.Signals(-exit_code).name}",
        hint="look at the machine's memory; the same command may be given again",
    )


def refuse_to_start_again() -> None:
    """Raise where `--launcher` has started this process, which then does not know its rank: it would start itself."""
    if OWN_LAUNCHER in os.environ:
        raise ConfigError(
            "--launcher has started this process and has not said which of them it is (RANK, WORLD_SIZE)",
            hint=f"unset {OWN_LAUNCHER} if a shell has set it; else try --launcher torchrun",
        )


def chosen_gpus(launch: Launch) -> dict[str, str]:
    """The GPUs that accelerate's file leaves visible, where it names some."""
    config = load_accelerate_config(launch.accelerate_config) if launch.accelerate_config else None
    gpus = str(config.gpu_ids or "all") if config else "all"
    return {} if gpus == "all" else {"CUDA_VISIBLE_DEVICES": gpus}


def run_torchrun(num_processes: int, arguments: Sequence[str]) -> None:
    """Processes on this machine, by torchrun."""
    from torch.distributed.run import parse_args, run

    here = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={num_processes}"]
    run(parse_args([*here, "--module", "mistraltune", *arguments]))  # type: ignore[no-untyped-call]


def run_accelerate(launch: Launch, formation: Formation, arguments: Sequence[str]) -> None:
    """Processes as accelerate's configuration says; on this machine where there is none."""
    from accelerate.commands.launch import launch_command, launch_command_parser

    options = [f"--num_processes={formation.num_processes}"]
    config = load_accelerate_config(launch.accelerate_config) if launch.accelerate_config else None
    if config:
        options.append(f"--config_file={launch.accelerate_config}")
    else:
        options += ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"]
    if config is None or (config.num_machines == 1 and not config.main_process_port):
        options.append("--main_process_port=0")  # any that is free; accelerate would always take the same
    # The way to torchrun's agent, on CPUs too, where accelerate has mpirun or one process; FSDP leads there by itself.
    if not (config and config.distributed_type == "FSDP"):
        options.append("--multi_gpu")
    launch_command(launch_command_parser().parse_args([*options, "--module", "mistraltune", *arguments]))


def share_cores(num_here: int) -> dict[str, str]:
    """Threads for each process, so that together they have the machine's; torchrun gives each one."""
    return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(num_cores() // num_here, 1))}


def exit_code(of_process: int) -> int:
    """What this process ends with where that one ended so; negative numbers are signals."""
    if of_process >= 0:
        return of_process
    return 128 - of_process if -of_process in STOP_SIGNALS else ExitCode.TEMPORARY


@contextmanager
def passing_on_signals() -> Iterator[None]:
    """Let the first signal go to all processes, who finish their step and save; the second ends this one at once.

    The processes follow it into death, see `orphans`.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException

    heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def pass_on(number: int, frame: Any) -> None:
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)
        raise SignalException("stopped", sigval=signal.Signals(number))

    previous = {number: signal.signal(number, pass_on) for number in heeded}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
