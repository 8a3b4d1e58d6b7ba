"""Which GPU a process without a launcher uses, decided before torch is imported; and what a process computes on."""

from __future__ import annotations

import os
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")


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
