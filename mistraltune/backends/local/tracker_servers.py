"""Whether the servers of trackers can be reached, found out in seconds and before a model is loaded."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mistraltune.errors import ConfigError, TemporaryError

SECONDS = 5
"""To wait for a connection."""

PORTS = {"http": 80, "https": 443}


PLACES = {
    "mlflow": "MLFLOW_TRACKING_URI names its server; unset, the figures stay on this machine",
    "tensorboard": "TENSORBOARD_LOGGING_DIR names its folder; unset, it is the run directory",
    "trackio": "TRACKIO_SERVER_URL or TRACKIO_SPACE_ID name its server; unset, the figures stay on this machine",
    "wandb": "WANDB_BASE_URL names its server; WANDB_MODE=offline keeps the figures on this machine",
}
"""What decides where a tracker's figures go."""


def advice(tracker: str) -> str:
    """What to do where a tracker does not take the figures."""
    return f"{PLACES[tracker]}; without training.report_to the same command trains, and no tracker hears of it"


def refuse_unreachable_servers(trackers: Iterable[str]) -> None:
    """Raise where a tracker's server takes no connection.

    Trackers themselves try for minutes, when the model is loaded already.

    Raises:
        TemporaryError: Names the server, and the variable that names it.
    """
    for tracker in trackers:
        url = server_of(tracker)
        if urlsplit(url).scheme not in PORTS or not urlsplit(url).hostname:
            continue
        host, port = address(url)
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except OSError as error:
            raise TemporaryError(
                f"training.report_to: {tracker} cannot be reached at {host}:{port}: {error.strerror or error}",
                hint=advice(tracker),
            ) from error


def server_of(tracker: str) -> str:
    """The address that a tracker will speak to; none, or no network address, where it keeps to this machine.

    Raises:
        ConfigError: W&B refuses its variables.
    """
    variables = os.environ
    match tracker:
        case "mlflow":
            return variables.get("MLFLOW_TRACKING_URI", "")
        case "trackio":
            hub = (
                (variables.get("HF_ENDPOINT") or "https://huggingface.co") if variables.get("TRACKIO_SPACE_ID") else ""
            )
            return variables.get("TRACKIO_SERVER_URL") or hub
        case "wandb":
            settings = wandb_settings()
            through = settings.https_proxy or settings.http_proxy  # of its own, beside those that all programs have
            return str(through or settings.base_url) if settings.mode == "online" else ""
    return ""


def wandb_settings() -> Any:
    """What W&B makes of its files and variables.

    Raises:
        ConfigError: It refuses one.
    """
    import wandb

    try:
        return wandb.setup().settings
    except ValueError as error:  # pydantic's, which repeats what was given
        names = [str(place[-1]) for each in getattr(error, "errors", list)() if (place := each["loc"])]
        raise ConfigError(
            f"training.report_to: wandb refuses its setting {', '.join(names) or 'of a file or a variable'}",
            hint="the variable is WANDB_ and the setting's name in capital letters",
        ) from error


def address(url: str) -> tuple[str, int]:
    """Host and port that a connection to `url` goes to: those of its proxy, where the environment names one."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 1080)
