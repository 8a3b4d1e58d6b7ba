"""accelerate's own configuration file: how many processes and machines, refused where its launcher would go astray."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from mistraltune.abilities import Launch
from mistraltune.backends.local.sharding import Formation, file_variables, read_formation
from mistraltune.errors import ConfigError

SMALLEST = {"num_processes": 1, "num_machines": 1, "machine_rank": 0, "main_process_port": 0}
"""Keys whose values are whole numbers, which accelerate does not check."""


def read_accelerate_config(launch: Launch, path: str) -> Formation:
    """What accelerate's own file asks for; the number of processes may be on the command line.

    Raises:
        ConfigError: It cannot be read, or asks for what MistralTune does not do.
    """
    config = load_accelerate_config(path)
    if not launch.num_processes and config.num_processes == -1:
        raise ConfigError(f"{path}: num_processes is missing", hint="add it, or give --num-processes")
    num_processes, num_machines = launch.num_processes or config.num_processes, config.num_machines
    if num_processes % num_machines:
        raise ConfigError(
            f"{path}: {num_processes} processes cannot be shared evenly by num_machines {num_machines}",
            hint="num_processes counts those of all machines",
        )
    if num_machines > 1 and not config.main_process_ip:
        raise ConfigError(
            f"{path}: num_machines is {num_machines}, and main_process_ip is missing",
            hint="add the address of the first machine, as the others reach it",
        )
    return read_formation(
        {**os.environ, **file_variables(config, path=path)},
        place=f"in {path}",
        num_processes=num_processes,
        num_here=num_processes // num_machines,
    )


def load_accelerate_config(path: str) -> Any:
    """Accelerate's `ClusterConfig` of a file, its numbers being numbers.

    Raises:
        ConfigError: It cannot be read.
    """
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    refuse_other_content(path)
    try:
        config = load_config_from_file(path)
    except Exception as error:  # accelerate raises many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise unreadable(path, reason) from error
    if not isinstance(config, ClusterConfig):
        raise ConfigError(
            f"{path}: compute_environment is not LOCAL_MACHINE", hint="`accelerate config` writes another"
        )
    return config


def refuse_other_content(path: str) -> None:
    """Raise where a file holds no keys, or no whole numbers where accelerate means some.

    Raises:
        ConfigError: Names the line or the key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise unreadable(f"{path}:{mark.line + 1}" if mark else path, str(error.problem)) from error
    except json.JSONDecodeError as error:
        raise unreadable(f"{path}:{error.lineno}", error.msg) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise unreadable(path, str(getattr(error, "strerror", None) or error)) from error
    if not isinstance(content, dict):
        raise unreadable(path, "it is empty" if content is None else f"it holds a {type(content).__name__}, not keys")
    for key, smallest in SMALLEST.items():
        value = content.get(key, smallest)
        is_unset = (value is None and key == "main_process_port") or (value == -1 and key == "num_processes")
        if not is_unset and (type(value) is not int or value < smallest):
            raise ConfigError(f"{path}: {key} is {value!r}", hint=f"set a whole number, at least {smallest}")


def unreadable(place: str, reason: str) -> ConfigError:
    """The refusal of a file that is none of accelerate's."""
    return ConfigError(f"accelerate cannot read {place}: {reason}", hint="`accelerate config` writes one")
