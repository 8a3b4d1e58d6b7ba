"""What stands in the way on this machine, before it costs a training: versions, hardware, places, keys, network."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from mistraltune.backends.api.connection import Patience, open_http
from mistraltune.backends.api.endpoints import Endpoint, endpoints
from mistraltune.backends.local.quickstart_model import TITLE, is_cached
from mistraltune.errors import ConfigError, MistralTuneError
from mistraltune.publishing import check_writable, free_bytes
from mistraltune.secrets import environment
from mistraltune.settings import read_key, settings

State = Literal["ok", "warning", "problem"]

PYTHON = (3, 11)
SQLITE = (3, 35)
"""The oldest with RETURNING, which `serve` uses."""
ROOM = 5 * 2**30
"""Bytes below which a disk gets a warning: a 7B base in 16 bits takes three times as much, the quickstart a tenth."""
KEYS = ("HF_TOKEN", "MISTRAL_API_KEY", "MISTRALTUNE_SERVER_KEY", "WANDB_API_KEY")
BRIEFLY = Patience(connect=5, read=10, whole=20)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is about.
        state: `problem` is what MistralTune cannot work with.
        text: What was found.
        hint: What to do; empty where nothing is to be done.
    """

    name: str
    state: State
    text: str
    hint: str = ""


def diagnose(*, online: bool, note: Callable[[str], None] = lambda text: None) -> Iterator[Finding]:
    """Every finding, one after the other.

    Args:
        online: Ask the Hub and the endpoints too; nothing is sent otherwise.
        note: Hears what takes longer.

    Raises:
        ConfigError: The working directory was removed: torch, for one, ends a process that has none.
    """
    refuse_lost_place()
    yield check_python()
    yield from check_dependencies()
    note("looking at the hardware ...")
    yield from check_hardware()
    yield check_quantisation()
    yield check_sqlite()
    yield from check_places()
    yield from check_keys()
    if online:
        note("asking the Hub and the endpoints ...")
        yield from check_network()


def refuse_lost_place() -> None:
    """Refuse to work where there is no place any more.

    Raises:
        ConfigError: The working directory was removed.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the working directory was removed", hint="change to one that is there") from None


def check_python() -> Finding:
    """Python's version."""
    text = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < PYTHON:
        return Finding("python", "problem", text, f"MistralTune needs Python {PYTHON[0]}.{PYTHON[1]} or later")
    return Finding("python", "ok", text)


def check_dependencies() -> Iterator[Finding]:
    """Each package that MistralTune needs, against the range that it is tested with."""
    num_fine = 0
    for requirement in map(Requirement, requires("mistraltune") or ()):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, tested = requirement.name, requirement.specifier
        hint = f'python -m pip install "{name}{tested}"'
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, "problem", "is not installed", hint)
            continue
        if tested.contains(found, prereleases=True):
            num_fine += 1
        else:
            yield Finding(name, "warning", f"{found} is installed, tested is {tested}", hint)
    yield Finding("packages", "ok", f"{num_fine} in their tested ranges")


def check_hardware() -> Iterator[Finding]:
    """GPUs, and the CPU where there is none."""
    try:
        from mistraltune.backends.local.hardware import inspect_hardware

        hardware = inspect_hardware()
    except Exception as error:  # whatever a broken torch raises
        yield Finding("torch", "problem", f"cannot be used: {first_line(error)}", "install torch again")
        return
    for gpu in hardware.gpus:
        text = f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB"
        if gpu.has_bf16:
            yield Finding("gpu", "ok", f"{text}, bfloat16")
        else:
            yield Finding("gpu", "warning", f"{text}, no bfloat16", "trainings compute in float32 here, slowly")
    if hardware.num_driver_gpus and not hardware.gpus:
        built = f"for CUDA {hardware.cuda}" if hardware.cuda else "without CUDA"
        yield Finding(
            "gpu",
            "warning",
            f"{hardware.num_driver_gpus} in this machine, but torch ({built}) uses none",
            "install the torch build for your CUDA version; is CUDA_VISIBLE_DEVICES empty?",
        )
    if not hardware.gpus:
        speed = "AVX512-BF16" if hardware.has_avx512_bf16 else "no AVX512-BF16, so float32"
        yield Finding("cpu", "ok", f"no GPU is used; {hardware.num_threads} threads, {speed}: small models only")


def check_quantisation() -> Finding:
    """Whether bitsandbytes computes on the device of a training."""
    try:
        from mistraltune.backends.local.hardware import LARGEST_ERROR, quantisation_error

        error = quantisation_error()
    except Exception as failure:  # a library of native code may fail in any way
        return Finding(
            "bitsandbytes",
            "problem",
            f"4-bit layers fail here: {first_line(failure)}",
            "train with --set quantization=none, or install a bitsandbytes for your machine",
        )
    if error > LARGEST_ERROR:
        return Finding(
            "bitsandbytes",
            "problem",
            f"4-bit layers compute wrong numbers here (relative error {error:.2f})",
            "train with --set quantization=none",
        )
    return Finding("bitsandbytes", "ok", f"4-bit layers compute (relative error {error:.2f}, as NF4 rounds)")


def check_sqlite() -> Finding:
    """SQLite, which the server's index needs."""
    if sqlite3.sqlite_version_info < SQLITE:
        hint = f"`serve` needs SQLite {SQLITE[0]}.{SQLITE[1]} or later: take a newer Python"
        return Finding("sqlite", "warning", sqlite3.sqlite_version, hint)
    return Finding("sqlite", "ok", sqlite3.sqlite_version)


def check_places() -> Iterator[Finding]:
    """The caches and the working directory: writable, and room."""
    try:
        cache = settings().mistraltune_cache_dir
        model = f"{TITLE} is there" if is_cached() else f"{TITLE} is fetched when it is first needed"
    except MistralTuneError as error:
        yield Finding("settings", "problem", error.message, error.hint)
        return
    hub = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    for name, folder, text in (("cache", cache, f"; {model}"), ("hub cache", hub, ""), ("outputs", Path.cwd(), "")):
        try:
            if name == "cache":
                check_writable(folder, option="MISTRALTUNE_CACHE_DIR")
            elif not os.access(nearest(folder), os.W_OK):
                yield Finding(name, "warning", f"{folder} cannot be written to", "choose another place")
                continue
        except MistralTuneError as error:
            yield Finding(name, "problem", error.message, error.hint)
            continue
        free = free_bytes(folder)
        shown = f"{folder}, {free / 2**30:.1f} GiB free{text}"
        if free < ROOM:
            yield Finding(name, "warning", shown, "a 7B base takes 15 GB, a run up to 1 GB; free some space")
        else:
            yield Finding(name, "ok", shown)


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def check_keys() -> Iterator[Finding]:
    """Which keys are there; none is shown."""
    found = environment()
    for name in KEYS:
        if not found.get(name):
            continue
        try:
            read_key(name)
        except MistralTuneError as error:
            yield Finding(name, "warning", error.message.removeprefix(f"{name} "), error.hint)
        else:
            yield Finding(name, "ok", "is set")
    missing = [name for name in KEYS if not found.get(name)]
    if missing:
        yield Finding("keys", "ok", f"not set: {', '.join(missing)}")


def check_network() -> Iterator[Finding]:
    """Whether the Hub and each endpoint answer."""
    from mistraltune.backends.local.hub_account import ask_hub

    try:
        yield Finding("hub", "ok", ask_hub())
    except MistralTuneError as error:
        yield Finding("hub", "warning", error.message, error.hint)
    try:
        known = endpoints()
    except MistralTuneError as error:
        yield Finding("endpoints", "warning", error.message, error.hint)
        return
    for endpoint in known.values():
        yield check_endpoint(endpoint)


def check_endpoint(endpoint: Endpoint) -> Finding:
    """Whether an API answers with its models."""
    name = f"endpoint {endpoint.name}"
    if endpoint.key_variable and not environment().get(endpoint.key_variable):
        return Finding(name, "ok", f"not asked: {endpoint.key_variable} is not set")
    try:
        with open_http(endpoint, BRIEFLY) as client:
            models = client.get("/v1/models").json()
    except MistralTuneError as error:
        return Finding(name, "warning", error.message, error.hint)
    except Exception as error:  # what httpx2 or a body that is no JSON raises
        hint = "is it running?" if endpoint.is_loopback else "check network and proxy"
        return Finding(name, "warning", f"{endpoint.url} does not answer: {first_line(error)}", hint)
    number = len(models.get("data", ())) if isinstance(models, dict) else 0
    return Finding(name, "ok", f"{endpoint.url} answers, {number} models")


def first_line(error: Exception) -> str:
    """An error's first line, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
