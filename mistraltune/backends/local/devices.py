"""Which GPU a process without a launcher uses, decided before torch is imported; and what a process computes on."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

DRIVER = Path("/proc/driver/nvidia/gpus")

CGROUP = Path("/sys/fs/cgroup")
"""Where a container's limits stand (cgroup v2)."""


def use_one_gpu() -> str:
    """Make one GPU visible where there are several and no launcher; returns what to tell the user, or nothing."""
    if "LOCAL_RANK" in os.environ:
        return ""
    visible = visible_gpus()
    if len(visible) < 2:
        return ""
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[0]
    return (
        f"{len(visible)} GPUs are visible and no launcher is used: training on GPU {visible[0]} alone; "
        "--launcher torchrun trains on all"
    )


def device_name() -> str:
    """The accelerator by its product name, or `cpu`."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def num_threads() -> int:
    """CPU threads that torch computes with; another number adds floats in another order."""
    import torch

    return torch.get_num_threads()


def visible_gpus() -> list[str]:
    """The GPUs that CUDA would show: by CUDA_VISIBLE_DEVICES where it is set, else all that the driver lists."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(index) for index, _ in enumerate(DRIVER.iterdir())] if DRIVER.is_dir() else []


def has_gpu() -> bool:
    """Whether a training here runs on a GPU, known before torch is imported."""
    return bool(visible_gpus()) and not version("torch").endswith("+cpu")


def has_bf16() -> bool:
    """Whether `auto` means bf16 here, known before torch is imported: by a CPU's flag, and on any GPU since 2020."""
    if has_gpu():
        return True
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and "avx512_bf16" in cpu.read_text(encoding="utf-8")


def free_memory() -> int | None:
    """Free bytes of the device that a training here runs on; None where nothing says so."""
    return free_gpu_memory() if has_gpu() else free_cpu_memory()


def free_gpu_memory() -> int | None:
    """Free bytes of the first GPU that is visible, as its driver's own tool says."""
    command = ["nvidia-smi", f"--id={visible_gpus()[0]}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603 - no shell
        return int(answer.stdout.split()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def free_cpu_memory() -> int:
    """Bytes that the system can give, or what is left of a container's limit, whichever is less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # `max` is no number
        return free
    return min(free, max(0, limit - used))
