"""Trackers hear what the run directory records; real ones, on this machine alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError
from mistraltune.training import make_plan, train

MakeConfig = Callable[..., LocalTrainConfig]


@pytest.fixture
def config(tiny_model: Path, triage_rows: Path, tmp_path: Path) -> MakeConfig:
    def make(*overrides: str) -> LocalTrainConfig:
        options = {
            "model": str(tiny_model),
            "data.train_file": str(triage_rows / "train.jsonl"),
            "data.val_file": str(triage_rows / "val.jsonl"),
            "output_dir": str(tmp_path / "outputs"),
            "run_id": "tracked",
        }
        shape = ["training.max_steps=2", "training.logging_steps=1", "training.eval_steps=2"]
        config: LocalTrainConfig = load_config(LocalTrainConfig, overrides=[*shape, *overrides], options=options).config
        return config

    return make


def test_tensorboard_and_mlflow_hear_losses_and_no_secret(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    store = tmp_path / "mlflow"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for variable in ("HF_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(variable, "canary-of-a-key")
    run = train(LocalBackend(), config("training.report_to=[tensorboard,mlflow]"))
    events = {event["event"]: event for event in run.history()}

    board = EventAccumulator(str(run.path / "tensorboard")).Reload()  # type: ignore[no-untyped-call]
    assert [point.step for point in board.Scalars("train/loss")] == [1, 2]
    assert board.Scalars("train/loss")[-1].value == pytest.approx(events["step"]["loss"])
    assert board.Scalars("eval/loss")[-1].value == pytest.approx(events["validation"]["val_loss"])

    (losses,) = store.glob("*/*/metrics/loss")
    assert float(losses.read_text().splitlines()[-1].split()[1]) == pytest.approx(events["step"]["loss"])
    (name,) = store.glob("*/*/tags/mlflow.runName")
    assert name.read_text() == "tracked"

    written = [path for folder in (run.path, store) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if b"canary-of-a-key" in path.read_bytes()]


def test_a_tracker_that_is_not_installed_is_refused_before_a_row_is_read(config: MakeConfig) -> None:
    if importlib.util.find_spec("wandb"):
        pytest.skip("wandb is installed here")
    chosen = config("training.report_to=[wandb]")
    missing = chosen.data.model_copy(update={"val_file": None})
    with pytest.raises(ConfigError, match=r"training\.report_to: wandb is not installed") as refused:
        make_plan(LocalBackend(), chosen.model_copy(update={"data": missing}))
    assert refused.value.hint.endswith("python -m pip install 'mistraltune[wandb]'")


def test_who_hears_of_a_run_does_not_decide_which_run_it_is(config: MakeConfig) -> None:
    assert config("training.report_to=[tensorboard]").without_place() == config().without_place()
