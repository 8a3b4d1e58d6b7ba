"""Trackers hear what the run directory records; real ones, on this machine alone."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError, TemporaryError
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


@pytest.fixture
def proxy() -> Iterator[socket.socket]:
    """Where all would go that leaves this machine; a connection waits there to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        yield listening


def test_trackio_and_wandb_hear_losses_while_stdout_holds_the_result_alone(
    tiny_model: Path, triage_rows: Path, mistraltune: Any, tmp_path: Path, proxy: socket.socket
) -> None:
    pytest.importorskip("trackio")  # of group `trackers`: `nox -s compat` has it
    pytest.importorskip("wandb")
    address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
    done = mistraltune(
        *("train", "local", "--model", tiny_model, "--json", "--output-dir", "outputs", "--run-id", "tracked"),
        *("--train-file", triage_rows / "train.jsonl", "--val-file", triage_rows / "val.jsonl"),
        *("--set", "training.max_steps=2", "--set", "training.logging_steps=1"),
        *("--set", "training.report_to=[trackio,wandb]"),
        TRACKIO_DIR=str(tmp_path / "trackio"),
        WANDB_DIR=str(tmp_path),
        WANDB_MODE="offline",
        WANDB_API_KEY="canary-of-a-key",
        HF_TOKEN="canary-of-a-key",
        HTTP_PROXY=address,
        HTTPS_PROXY=address,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    events = [json.loads(line) for line in (tmp_path / "outputs/tracked/metrics.jsonl").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "step"]
    val_losses = [event["val_loss"] for event in events if event["event"] == "validation"]

    with closing(sqlite3.connect(tmp_path / "trackio" / "mistraltune.db")) as store:
        logged = [json.loads(text) for (text,) in store.execute("SELECT metrics FROM metrics ORDER BY id")]
        assert store.execute("SELECT DISTINCT run_name FROM metrics").fetchall() == [("tracked",)]
    assert [entry["train/loss"] for entry in logged if "train/loss" in entry] == pytest.approx(losses)
    assert [entry["eval/loss"] for entry in logged if "eval/loss" in entry] == pytest.approx(val_losses)

    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = record.read_bytes()
    assert all(str(word).encode() in content for word in ("mistraltune", "tracked", *losses, *val_losses))

    written = [path for name in ("outputs", "trackio", "wandb") for path in (tmp_path / name).rglob("*")]
    assert not [path for path in written if path.is_file() and b"canary-of-a-key" in path.read_bytes()]
    assert "canary-of-a-key" not in done.stderr
    with pytest.raises(BlockingIOError):
        proxy.accept()


def test_mlflow_alone_keeps_its_runs_beside_those_of_the_output_directory(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    run = train(LocalBackend(), config("training.report_to=[mlflow]"))
    (losses,) = (tmp_path / "outputs" / "mlruns").glob("*/*/metrics/loss")
    assert len(losses.read_text().splitlines()) == sum(event["event"] == "step" for event in run.history()) == 2
    assert not list(tmp_path.glob("mlflow.db"))
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_store_that_mlflow_skinny_cannot_open_is_refused_in_the_plan(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("sqlalchemy"):
        pytest.skip("with SQLAlchemy it opens them")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI, a sqlite store"):
        make_plan(LocalBackend(), config("training.report_to=[mlflow]"))


@pytest.mark.parametrize(
    ("tracker", "variable"), [("mlflow", "MLFLOW_TRACKING_URI"), ("wandb", "WANDB_BASE_URL")], ids=["mlflow", "wandb"]
)
def test_a_server_that_takes_no_connection_is_told_before_the_model_loads(
    tiny_model: Path, triage_rows: Path, mistraltune: Any, proxy: socket.socket, tracker: str, variable: str
) -> None:
    pytest.importorskip(tracker)
    address = f"127.0.0.1:{proxy.getsockname()[1]}"
    proxy.close()  # nobody listens there now
    done = mistraltune(
        *("train", "local", "--model", tiny_model, "--output-dir", "outputs"),
        *("--train-file", triage_rows / "train.jsonl", "--set", f"training.report_to=[{tracker}]"),
        **{variable: f"http://{address}", "WANDB_API_KEY": "k" * 40, "NO_PROXY": "*"},
    )
    assert done.returncode == 5, done.stderr
    assert f"{tracker} cannot be reached at {address}" in done.stderr
    assert variable in done.stderr
    assert "without training.report_to the same command trains" in done.stderr
    assert "loading" not in done.stderr


@pytest.fixture
def dying_server() -> Iterator[ThreadingHTTPServer]:
    """A tracking server that begins a run, takes the figures of one step, and is gone then."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            num_figures = server.num_figures = server.num_figures + (b'"grad_norm"' in asked)  # type: ignore[attr-defined]
            info = {"run_id": "r", "run_uuid": "r", "experiment_id": "0", "status": "RUNNING", "artifact_uri": "x"}
            body = json.dumps({"run": {"info": {**info, "start_time": 1, "lifecycle_stage": "active"}, "data": {}}})
            self.send_response(200 if num_figures < 2 else 400)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.num_figures = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_tracker_that_fails_in_a_training_is_told_and_ends_nothing(
    config: MakeConfig, dying_server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{dying_server.server_port}")
    monkeypatch.setenv("NO_PROXY", "*")
    events: list[Any] = []
    run = train(LocalBackend(), config("training.report_to=[mlflow]", "training.max_steps=4"), on_event=events.append)
    assert run.status == "finished"
    assert (run.path / "adapter_model.safetensors").is_file()
    told = [event["text"] for event in events if event["event"] == "note" and "mlflow" in event["text"]]
    assert "warning: mlflow failed at step 2" in told[0]
    assert "training goes on without it" in told[0]
    assert any("mlflow has no figures after step 2" in text for text in told[1:])
    assert sum("goes on without it" in text for text in told) == 1
    assert [event["step"] for event in run.history() if event["event"] == "step"] == [1, 2, 3, 4]


def test_a_tracker_that_cannot_begin_ends_the_training_before_its_first_step(
    config: MakeConfig, dying_server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying_server.num_figures = 2  # type: ignore[attr-defined]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{dying_server.server_port}")
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(TemporaryError, match=r"training\.report_to: mlflow could not begin") as ended:
        train(LocalBackend(), config("training.report_to=[mlflow]"))
    assert "MLFLOW_TRACKING_URI" in ended.value.hint


def test_a_variable_that_wandb_refuses_is_no_bug(mistraltune: Any, tiny_model: Path, triage_rows: Path) -> None:
    pytest.importorskip("wandb")
    done = mistraltune(
        *("train", "local", "--model", tiny_model, "--train-file", triage_rows / "train.jsonl", "--dry-run"),
        *("--set", "training.report_to=[wandb]"),
        WANDB_SILENT="perhaps",
    )
    assert done.returncode == 2
    assert "wandb refuses its setting silent" in done.stderr


def test_wandb_without_a_key_is_refused_before_the_model_loads(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    chosen = config("training.report_to=[wandb]")
    with pytest.raises(ConfigError, match=r"training\.report_to: wandb has no key") as refused:
        make_plan(LocalBackend(), chosen)
    assert "WANDB_MODE=offline" in refused.value.hint


def test_a_tracker_that_is_not_installed_is_refused_before_a_row_is_read(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "wandb" else found(name, *rest)
    )
    chosen = config("training.report_to=[wandb]")
    missing = chosen.data.model_copy(update={"val_file": None})
    with pytest.raises(ConfigError, match=r"training\.report_to: wandb is not installed") as refused:
        make_plan(LocalBackend(), chosen.model_copy(update={"data": missing}))
    assert refused.value.hint.endswith("python -m pip install 'mistraltune[wandb]'")


def test_who_hears_of_a_run_does_not_decide_which_run_it_is(config: MakeConfig) -> None:
    assert config("training.report_to=[tensorboard]").without_place() == config().without_place()
