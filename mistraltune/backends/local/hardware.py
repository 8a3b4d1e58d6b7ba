"""What this machine computes with: GPUs, bfloat16, and whether 4-bit layers give the right numbers on it."""

from __future__ import annotations

from dataclasses import dataclass

from mistraltune.backends.local.devices import DRIVER

LARGEST_ERROR = 0.25
"""Of a 4-bit layer against the full one, relative; NF4 rounds random weights by about 0.1."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that torch can use.

    Attributes:
        name: Its product name.
        memory_bytes: Its memory.
        has_bf16: Whether it computes in bfloat16.
    """

    name: str
    memory_bytes: int
    has_bf16: bool


@dataclass(frozen=True, slots=True)
class Hardware:
    """What torch finds.

    Attributes:
        gpus: Those that it can use.
        num_driver_gpus: NVIDIA's driver knows so many, whether torch can use them or not.
        cuda: The CUDA version that torch was built for; empty for a build without.
        has_avx512_bf16: Whether the CPU multiplies bfloat16.
        num_threads: CPU threads that torch uses.
    """

    gpus: tuple[Gpu, ...]
    num_driver_gpus: int
    cuda: str
    has_avx512_bf16: bool
    num_threads: int


def inspect_hardware() -> Hardware:
    """The hardware as torch sees it."""
    import torch

    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    properties = [torch.cuda.get_device_properties(index) for index in range(num_gpus)]
    return Hardware(
        gpus=tuple(Gpu(each.name, each.total_memory, has_bf16=each.major >= 8) for each in properties),
        num_driver_gpus=sum(1 for _ in DRIVER.iterdir()) if DRIVER.is_dir() else 0,
        cuda=torch.version.cuda or "",
        has_avx512_bf16=torch.cpu._is_avx512_bf16_supported(),
        num_threads=torch.get_num_threads(),
    )


def quantisation_error() -> float:
    """The relative error of a small NF4 layer against the full one, on the device that a training would use."""
    from mistraltune.backends.local.loading import pick_device, quiet_libraries

    quiet_libraries()
    import torch
    from bitsandbytes.nn import Linear4bit

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        full = torch.nn.Linear(256, 256, bias=False)
        rows = torch.randn(8, 256)
    packed = Linear4bit(256, 256, bias=False, compute_dtype=torch.float32, quant_type="nf4")
    packed.load_state_dict(full.state_dict())
    device = pick_device()
    with torch.inference_mode():
        exact, found = full(rows), packed.to(device)(rows.to(device)).cpu()
    return float((found - exact).norm() / exact.norm())
