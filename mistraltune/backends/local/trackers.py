"""Trackers that hear a training's figures beside the run directory, when the configuration names them."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mistraltune.backends.local.tracker_failures import guard, reason
from mistraltune.backends.local.tracker_servers import wandb_settings
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.runs import RunDir

PROJECT = "mistraltune"
"""Under which trackers that sort runs by project keep them, unless their own variable says otherwise."""

VARIABLES = {
    "WANDB_PROJECT": PROJECT,
    "WANDB_ERROR_REPORTING": "false",  # its errors go to W&B's makers otherwise
    "WANDB_INIT_TIMEOUT": "20",  # seconds; 90 otherwise
    "WANDB_FINISH_TIMEOUT": "120",  # for ever otherwise; what was not sent stays on disk, for `wandb sync`
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds a try; 120 otherwise
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 7 otherwise, minutes together
    "MLFLOW_ALLOW_FILE_STORE": "true",  # the one store that mlflow-skinny opens without a server
}
"""What trackers read, where the user has set nothing."""

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Schemes of MLflow's stores that need SQLAlchemy, which `mlflow` brings and `mlflow-skinny` does not."""


def refuse_missing_trackers(config: LocalTrainConfig) -> None:
    """Raise where a tracker is wanted whose package is not installed, that has no key, or cannot open its store.

    Raises:
        ConfigError: Names the extra that brings it, where its key goes, or the variable that names the store.
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
    scheme = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", "")).scheme.partition("+")[0]
    if "mlflow" in config.training.report_to and scheme in DATABASES and not importlib.util.find_spec("sqlalchemy"):
        raise ConfigError(
            f"training.report_to: mlflow cannot open MLFLOW_TRACKING_URI, a {scheme} store, without SQLAlchemy",
            hint="python -m pip install mlflow; or let MLFLOW_TRACKING_URI name a server or a folder, or unset it",
        )


def knows_wandb_key() -> bool:
    """Whether W&B finds a key, or needs none; else it would ask for one, or fail, once the model is loaded."""
    if any(os.environ.get(f"WANDB_{name}") for name in ("API_KEY", "IDENTITY_TOKEN_FILE")):
        return True
    prepare_environment()
    settings = wandb_settings()
    host = urlsplit(settings.base_url).hostname or ""
    logins = [Path(os.environ.get("NETRC") or "~/.netrc").expanduser(), Path("~/_netrc").expanduser()]
    is_known = any(host in file.read_text(errors="replace") for file in logins if file.is_file())
    return settings.mode != "online" or bool(settings.api_key) or is_known


def tracker_callbacks(config: LocalTrainConfig, run: RunDir) -> list[Any]:
    """What has the trackers of the configuration hear of each logged step and validation.

    TensorBoard's files lie in the run directory, unless TENSORBOARD_LOGGING_DIR names another place; the other trackers
    take theirs, and their keys, from variables of their own.
    """
    names = [*dict.fromkeys(config.training.report_to)]
    if not names:
        return []
    prepare_environment()
    return [guard(make_callback(name, run), name=name, run=run) for name in names]


def make_callback(name: str, run: RunDir) -> Any:
    """The callback of transformers for a tracker."""
    from transformers.integrations import TensorBoardCallback, get_reporting_integration_callbacks

    if name == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        folder = os.environ.get("TENSORBOARD_LOGGING_DIR") or str(run.path / "tensorboard")
        return TensorBoardCallback(SummaryWriter(log_dir=folder))
    [kind] = get_reporting_integration_callbacks([name])
    return kind() if name != "mlflow" else waiting_for_answers(kind)()


def waiting_for_answers(kind: Any) -> Any:
    """MLflow's callback, which hears whether its server took what it logs.

    transformers has MLflow log in a thread: nobody hears of a failure there, and the end waits for each call's tries.
    """
    return type(kind.__name__, (kind,), {"_async_log": property(lambda _: False, lambda *_: None)})


def prepare_environment() -> None:
    """Set what trackers read from variables, where the user has set nothing."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)


@contextmanager
def tracking(config: LocalTrainConfig, run: RunDir) -> Iterator[None]:
    """Around a training: the runs that trackers began for it end with it, as failed where it failed.

    Left to the end of the process, a tracker would print its last words after the command's result, and the next
    training of the process would go on in the same run. A run that was there before is somebody else's.
    """
    ours = [name for name in config.training.report_to if not open_run(name)]
    failed = True
    with mlflow_store(config):
        try:
            yield
            failed = False
        finally:
            for name in ours:
                if open_run(name):
                    end_open_run(name, failed=failed, run=run)


@contextmanager
def mlflow_store(config: LocalTrainConfig) -> Iterator[None]:
    """MLflow keeps its runs in `mlruns` of the output directory, where the user names no store.

    Its own default is a database, which `mlflow-skinny` cannot open.
    """
    if "mlflow" not in config.training.report_to or os.environ.get("MLFLOW_TRACKING_URI"):
        yield
        return
    os.environ["MLFLOW_TRACKING_URI"] = (Path(config.output_dir).absolute() / "mlruns").as_uri()
    try:
        yield
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def open_run(name: str) -> Any:
    """The run that a tracker has open in this process; None where there is none."""
    module = sys.modules.get(name)
    if module is None:
        return None
    match name:
        case "wandb":
            return getattr(module, "run", None)
        case "mlflow":
            return module.active_run()
        case "trackio":
            return module.context_vars.current_run.get()
    return None


def end_open_run(name: str, *, failed: bool, run: RunDir) -> None:
    """End a tracker's run. Where that fails it is told: a training that is done is not lost for it."""
    module = sys.modules[name]
    try:
        with redirect_stdout(sys.stderr):
            match name:
                case "wandb":
                    module.finish(exit_code=int(failed))
                case "mlflow":
                    module.end_run("FAILED" if failed else "FINISHED")
                case "trackio":
                    module.finish()
    except Exception as error:
        run.emit("note", text=f"{name}'s run could not be ended: {reason(error)}")
