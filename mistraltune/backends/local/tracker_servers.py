"""Whether the servers of trackers can be reached, found out in seconds and before a model is loaded."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mistraltune.errors import TemporaryError

SECONDS = 5
"""To wait for a connection."""

PORTS = {"http": 80, "https": 443}


class Server(NamedTuple):
    """Where a tracker sends what it hears.

    Attributes:
        tracker: Its name.
        url: Of the server.
        advice: What names the server, and what keeps the figures elsewhere.
    """

    tracker: str
    url: str
    advice: str


def refuse_unreachable_servers(trackers: Iterable[str]) -> None:
    """Raise where a tracker's server takes no connection.

    Trackers themselves try for minutes, when the model is loaded already.

    Raises:
        TemporaryError: Names the server, and the variable that names it.
    """
    for server in servers_of(trackers):
        host, port = address(server.url)
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except OSError as error:
            raise TemporaryError(
                f"training.report_to: {server.tracker} cannot be reached at {host}:{port}: {error.strerror or error}",
                hint=f"{server.advice}; without training.report_to the same command trains, and no tracker hears of it",
            ) from error


def servers_of(trackers: Iterable[str]) -> Iterator[Server]:
    """The servers that trackers will speak to; those that keep to this machine have none."""
    for name in trackers:
        match name:
            case "mlflow":
                url = os.environ.get("MLFLOW_TRACKING_URI", "")
                advice = "MLFLOW_TRACKING_URI names the server; unset, the figures stay on this machine"
            case "trackio":
                space = os.environ.get("TRACKIO_SPACE_ID")
                hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
                url = os.environ.get("TRACKIO_SERVER_URL") or (hub if space else "")
                variable = "TRACKIO_SPACE_ID" if url == hub else "TRACKIO_SERVER_URL"
                advice = f"{variable} asks for it; unset, the figures stay on this machine"
            case "wandb":
                url = wandb_url()
                advice = "WANDB_BASE_URL names the server; WANDB_MODE=offline keeps the figures on this machine"
            case _:
                continue
        if urlsplit(url).scheme in PORTS and urlsplit(url).hostname:
            yield Server(name, url, advice)


def wandb_url() -> str:
    """W&B's server; empty where it is told to send nothing."""
    import wandb

    settings = wandb.setup().settings
    return settings.base_url if settings.mode == "online" else ""


def address(url: str) -> tuple[str, int]:
    """Host and port that a connection to `url` goes to: those of its proxy, where the environment names one."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 1080)
