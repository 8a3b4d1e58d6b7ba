"""Trackers that hear a training's figures beside the run directory, when the configuration names them."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.runs import RunDir

PROJECT = "mistraltune"
"""Under which trackers that sort runs by project keep them, unless their own variable says otherwise."""


def refuse_missing_trackers(config: LocalTrainConfig) -> None:
    """Raise where a tracker is wanted whose package is not installed, or that has no key.

    Raises:
        ConfigError: Names the extra that brings it, or where its key goes.
    """
    for name in config.training.report_to:
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"training.report_to: {name} is not installed",
                hint=f"install it beside MistralTune: python -m pip install 'mistraltune[{name}]'",
            )
    if "wandb" in config.training.report_to and not knows_wandb_key():
        raise ConfigError(
            "training.report_to: wandb has no key",
            hint="set WANDB_API_KEY, or run `wandb login`; WANDB_MODE=offline keeps the figures on this machine",
        )


def knows_wandb_key() -> bool:
    """Whether W&B finds a key, or needs none; else it would ask for one, or fail, once the model is loaded."""
    if any(os.environ.get(f"WANDB_{name}") for name in ("API_KEY", "IDENTITY_TOKEN_FILE")):
        return True
    prepare_environment()
    import wandb

    settings = wandb.setup().settings
    host = urlsplit(settings.base_url).hostname or ""
    logins = [Path(os.environ.get("NETRC") or "~/.netrc").expanduser(), Path("~/_netrc").expanduser()]
    is_known = any(host in file.read_text(errors="replace") for file in logins if file.is_file())
    return settings.mode != "online" or bool(settings.api_key) or is_known


def tracker_callbacks(config: LocalTrainConfig, run: RunDir) -> list[Any]:
    """What has the trackers of the configuration hear of each logged step and validation.

    TensorBoard's files lie in the run directory, unless TENSORBOARD_LOGGING_DIR names another place; the other trackers
    take theirs, and their keys, from variables of their own.
    """
    names = config.training.report_to
    if not names:
        return []
    prepare_environment()
    from transformers.integrations import TensorBoardCallback, get_reporting_integration_callbacks

    callbacks = [kind() for kind in get_reporting_integration_callbacks([*(set(names) - {"tensorboard"})])]
    if "tensorboard" in names:
        from torch.utils.tensorboard import SummaryWriter

        folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(run.path / "tensorboard")
        callbacks.append(TensorBoardCallback(SummaryWriter(log_dir=folder)))
    for callback in callbacks:
        speak_on_stderr(callback)
    return callbacks


def prepare_environment() -> None:
    """Set what trackers read from variables, where the user has set nothing."""
    os.environ.setdefault("WANDB_PROJECT", PROJECT)
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its errors go to W&B's makers otherwise


def speak_on_stderr(callback: Any) -> None:
    """Have what a tracker prints when it is called go to stderr: stdout holds a command's result alone."""

    def aside(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with redirect_stdout(sys.stderr):
                return method(*args, **kwargs)

        return call

    for name in dir(callback):
        if name.startswith("on_"):
            setattr(callback, name, aside(getattr(callback, name)))


@contextmanager
def ending_tracked_runs(names: Sequence[str]) -> Iterator[None]:
    """Around a training: the runs that trackers began for it end with it, as failed where it failed.

    Left to the end of the process, a tracker would print its last words after the command's result, and the next
    training of the process would go on in the same run. A run that was there before is somebody else's.
    """
    is_foreign = bool(wandb_run())
    failed = True
    try:
        yield
        failed = False
    finally:
        with redirect_stdout(sys.stderr):
            if "wandb" in names and wandb_run() and not is_foreign:
                sys.modules["wandb"].finish(exit_code=int(failed))
            if "trackio" in names and failed and (trackio := sys.modules.get("trackio")):
                with suppress(RuntimeError):  # it began no run
                    trackio.finish()


def wandb_run() -> Any:
    """The W&B run of this process; None where there is none."""
    return getattr(sys.modules.get("wandb"), "run", None)
