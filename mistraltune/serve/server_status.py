"""What the server is doing and what it allows: figures that a person wants before asking for anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
from fastapi import APIRouter
from typing_extensions import TypedDict

from mistraltune import __version__
from mistraltune.serve.engine import Engine
from mistraltune.serve.mapping import DRIVER
from mistraltune.serve.models import Models
from mistraltune.serve.store import Store
from mistraltune.serve.supervisor import Supervisor
from mistraltune.settings import ServerSettings


class LimitsReply(TypedDict):
    """How much the server takes."""

    max_file_bytes: int
    max_body_bytes: int
    max_open_jobs: int
    max_parallel_chats: int
    max_answer_tokens: int
    max_sockets: int


class DeviceReply(TypedDict):
    """What trains and answers; `is_busy` while a job has it. Where there is no GPU, the processor's name."""

    name: str
    is_gpu: bool
    is_busy: bool


class MemoryReply(TypedDict):
    """Bytes of main memory, and of the disk that holds the data directory."""

    total_bytes: int
    available_bytes: int
    server_bytes: int
    disk_free_bytes: int


class ServerReply(TypedDict):
    """The server at this moment."""

    version: str
    data_dir: str
    limits: LimitsReply
    device: DeviceReply
    memory: MemoryReply
    num_open_jobs: int
    num_models_loaded: int
    num_chats_open: int
    base_models: list[str]
    tuned_models: list[str]


def server_routes(
    settings: ServerSettings, store: Store, models: Models, engine: Engine, supervisor: Supervisor
) -> APIRouter:
    """`/api/server`."""
    routes = APIRouter(prefix="/api/server", tags=["server"])
    process = psutil.Process(os.getpid())
    device, is_gpu = device_name()

    @routes.get("")
    def get() -> ServerReply:
        """Version, limits, device, memory and models."""
        memory = psutil.virtual_memory()
        return {
            "version": __version__,
            "data_dir": str(store.data_dir),
            "limits": {
                "max_file_bytes": settings.max_file_bytes,
                "max_body_bytes": settings.max_body_bytes,
                "max_open_jobs": settings.max_open_jobs,
                "max_parallel_chats": settings.max_parallel_chats,
                "max_answer_tokens": settings.max_answer_tokens,
                "max_sockets": settings.max_sockets,
            },
            "device": {"name": device, "is_gpu": is_gpu, "is_busy": supervisor.num_running() > 0},
            "memory": {
                "total_bytes": memory.total,
                "available_bytes": memory.available,
                "server_bytes": process.memory_info().rss,
                "disk_free_bytes": shutil.disk_usage(store.data_dir).free,
            },
            "num_open_jobs": len(store.open_jobs()),
            "num_models_loaded": engine.num_loaded,
            "num_chats_open": engine.num_open,
            "base_models": sorted(models.catalogue),
            "tuned_models": [str(job.fine_tuned_model) for job in models.tuned() if not job.tuned.is_archived],
        }

    return routes


def device_name() -> tuple[str, bool]:
    """What the machine computes on, and whether that is a GPU; read from what the kernel shows, without torch."""
    for path in sorted(DRIVER.glob("gpus/*/information")):
        return field_of(path, "Model") or "NVIDIA GPU", True
    return field_of(Path("/proc/cpuinfo"), "model name") or "CPU", False


def field_of(path: Path, name: str) -> str:
    """The first value of that name in a file of `name: value` lines; empty where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
    except OSError:
        return ""
