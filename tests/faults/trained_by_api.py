"""Trainings by the faulty API, in this process and with its clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clocks import FakeClock
from remote_jobs import FaultyApi

from mistraltune.backends.api import ApiOptions
from mistraltune.backends.api.connection import Patience
from mistraltune.backends.api.endpoints import find_endpoint
from mistraltune.backends.api.trainer import ApiTrainer
from mistraltune.config import train_config_type
from mistraltune.data.conversation import Conversation, Message
from mistraltune.errors import MistralTuneError
from mistraltune.runs import RunDir

QUICK = Patience(connect=5, read=0.3, whole=2)
ROWS = [Conversation((Message("user", f"Say {n}."), Message("assistant", f"It is {n}."))) for n in range(3)]


def trainer(api: FaultyApi, **options: Any) -> ApiTrainer:
    """A trainer of endpoint `lab`; `options` are those of the section `api`."""
    config_type = train_config_type("api", ApiOptions)
    values = {"model": "open-mistral-7b", "data": {"train_file": "rows.jsonl"}, "api": {"endpoint": "lab", **options}}
    assert isinstance(api.clock, FakeClock)
    return ApiTrainer(config_type.model_validate(values), find_endpoint("lab"), clock=api.clock, patience=QUICK)


def train(api: FaultyApi, folder: Path, **options: Any) -> int:
    """One command: begin the run, or go on with it. Its exit code."""
    try:
        train_or_raise(api, folder, **options)
    except MistralTuneError as error:
        return int(error.exit_code)
    return 0


def train_or_raise(
    api: FaultyApi, folder: Path, *, events: list[dict[str, Any]] | None = None, **options: Any
) -> RunDir:
    """Likewise: the run."""
    run = RunDir(folder, on_event=(events if events is not None else []).append)
    with run.locked():
        if not run.metadata:
            run.begin({}, config={}, facts={})
        if result := trainer(api, **options).train(ROWS, (), run):
            run.finish(result)
    return run
