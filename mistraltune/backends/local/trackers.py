"""Trackers that hear a training's figures beside the run directory, when the configuration names them."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.runs import RunDir


def refuse_missing_trackers(config: LocalTrainConfig) -> None:
    """Raise where a tracker is wanted whose package is not installed.

    Raises:
        ConfigError: Names the extra that brings it.
    """
    for name in config.training.report_to:
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"training.report_to: {name} is not installed",
                hint=f"install it beside MistralTune: python -m pip install 'mistraltune[{name}]'",
            )


def tracker_callbacks(config: LocalTrainConfig, run: RunDir) -> list[Any]:
    """What has the trackers of the configuration hear of each logged step and validation.

    TensorBoard's files lie in the run directory, unless TENSORBOARD_LOGGING_DIR names another place; the other trackers
    take theirs, and their keys, from variables of their own.
    """
    if not config.training.report_to:
        return []
    from transformers.integrations import TensorBoardCallback, get_reporting_integration_callbacks

    others = [name for name in config.training.report_to if name != "tensorboard"]
    callbacks = [kind() for kind in get_reporting_integration_callbacks(others)]
    if len(others) < len(config.training.report_to):
        from torch.utils.tensorboard import SummaryWriter

        folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(run.path / "tensorboard")
        callbacks.append(TensorBoardCallback(SummaryWriter(log_dir=folder)))
    return callbacks
