import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mistraltune.configuring import dump_yaml, parse_yaml
from mistraltune.errors import ConfigError
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import Event, RunDir, is_run_dir, list_runs

HoldRun = Callable[[Path], AbstractContextManager[subprocess.Popen[str]]]

IDENTITY: dict[str, Any] = {
    "config": {"model": "quickstart", "training": {"learning_rate": 1e-4, "epochs": 3.0}},
    "train_sha256": "aa",
    "val_sha256": None,
}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "outputs" / "my-run")


def begin(run: RunDir, identity: dict[str, Any] = IDENTITY) -> RunDir:
    run.begin(identity, config=identity["config"], facts={"seed": 42, "versions": {"mistraltune": "0.1.0"}})
    return run


def result(run: RunDir) -> TrainResult:
    ref = ModelRef(model="quickstart", adapter=str(run.path), quantization="nf4")
    return TrainResult(model=ref, metrics={"train_loss": 0.5, "val_loss": None}, details={"num_adapters": 14})


def finish(run: RunDir) -> RunDir:
    begin(run).finish(result(run))
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change_metadata(run: RunDir, **changes: Any) -> None:
    path = run.path / "training_metadata.yaml"
    path.write_text(dump_yaml(parse_yaml(path.read_text()) | changes))


# What a run is


def test_a_directory_becomes_a_run_when_it_begins(run: RunDir) -> None:
    run.path.mkdir(parents=True)
    assert not is_run_dir(run.path)
    assert run.metadata == {}
    begin(run)
    assert is_run_dir(run.path)


def test_a_begun_run_says_what_it_is_and_what_it_was_made_with(run: RunDir) -> None:
    metadata = begin(run).metadata
    assert metadata["run_id"] == "my-run"
    assert metadata["identity"] == IDENTITY
    assert metadata["seed"] == 42
    assert run.status == "unfinished"
    assert run.metrics == {}


def test_the_configuration_of_a_run_can_be_read_back(run: RunDir) -> None:
    begin(run)
    assert parse_yaml((run.path / "config.yaml").read_text()) == IDENTITY["config"]


def test_beginning_again_keeps_the_first_start(run: RunDir) -> None:
    begin(run)
    change_metadata(run, started_at="2026-01-01T00:00:00+00:00")
    begin(run)
    assert run.metadata["started_at"] == "2026-01-01T00:00:00+00:00"


def test_another_identity_is_refused_and_every_field_that_differs_is_named(run: RunDir) -> None:
    begin(run)
    before = contents(run.path)
    other = {
        "config": {"model": "quickstart", "training": {"learning_rate": 2e-4, "epochs": 3.0}, "lora": {"r": 8}},
        "train_sha256": "bb",
        "val_sha256": None,
    }
    with pytest.raises(ConfigError) as refused:
        begin(run, other)
    assert refused.value.message == (
        f"{run.path} holds another run; different: config.training.learning_rate, train_sha256, config.lora.r"
    )
    assert "--run-id" in refused.value.hint
    assert contents(run.path) == before


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "1e-4", "2026-01-01", "null", "no", "a: b # c", "é 😀", "???", ""])
def test_text_in_an_identity_means_itself_however_yaml_would_read_it(run: RunDir, text: str) -> None:
    identity = IDENTITY | {"tokenizer": text}
    begin(run, identity)
    begin(run, identity)
    assert run.metadata["identity"] == identity


def test_a_run_of_a_newer_format_is_refused_and_its_version_named(run: RunDir) -> None:
    begin(run)
    change_metadata(run, format_version=2, versions={"mistraltune": "9.1"})
    with pytest.raises(ConfigError, match=r"my-run was made by MistralTune 9\.1") as refused:
        begin(run)
    assert refused.value.hint == "upgrade MistralTune to read it"


def test_a_change_that_is_allowed_is_recorded_and_holds_from_then_on(run: RunDir) -> None:
    begin(run)
    other = IDENTITY | {"train_sha256": "bb"}
    run.begin(other, config=other["config"], facts={}, allow_changed=["train_sha256"])
    (entry,) = run.metadata["allowed_changes"]
    assert entry["changes"] == [{"field": "train_sha256", "from": "aa", "to": "bb"}]
    begin(run, other)
    with pytest.raises(ConfigError, match="different: train_sha256"):
        begin(run)


@pytest.mark.parametrize("name", ["config.training.learning_rate", "training.learning_rate", "training", "config"])
def test_a_field_is_allowed_by_its_name_or_its_section(run: RunDir, name: str) -> None:
    begin(run)
    other = IDENTITY | {"config": {"model": "quickstart", "training": {"learning_rate": 1e-3, "epochs": 3.0}}}
    run.begin(other, config=other["config"], facts={}, allow_changed=[name])
    assert parse_yaml((run.path / "config.yaml").read_text()) == other["config"]


@pytest.mark.parametrize("name", ["", "epochs", "training.epoch", "train"])
def test_what_is_no_field_of_a_run_cannot_be_allowed(run: RunDir, name: str) -> None:
    with pytest.raises(ConfigError, match="a run has no such field"):
        run.begin(IDENTITY, config=IDENTITY["config"], facts={}, allow_changed=[name])
    assert not is_run_dir(run.path)


def test_a_finished_run_is_what_it_is_whatever_is_allowed(run: RunDir) -> None:
    finish(run)
    other = IDENTITY | {"train_sha256": "bb"}
    with pytest.raises(ConfigError, match="different: train_sha256"):
        run.begin(other, config=other["config"], facts={}, allow_changed=["train_sha256"])


def test_libraries_matter_until_a_run_has_finished(run: RunDir) -> None:
    older, newer = (IDENTITY | {"libraries": {"torch": major}} for major in ("2", "3"))
    begin(run, older)
    with pytest.raises(ConfigError, match=r"different: libraries\.torch$"):
        begin(run, newer)
    run.finish(result(run))
    begin(run, newer)
    assert run.metadata["identity"] == older


def test_a_session_under_other_conditions_is_told_and_recorded(tmp_path: Path) -> None:
    heard: list[Event] = []
    run = begin(RunDir(tmp_path / "run", on_event=heard.append))
    for step, threads in ((0, 1), (2, 1), (4, 2), (6, 2), (3, 2)):
        run.record_session(step=step, threads=threads, device="cpu")
    notes = [event["text"] for event in heard]
    assert notes == [f"not bit-exact with the steps up to {step}: threads was 1, is 2" for step in (4, 3)]
    assert run.metadata["sessions"] == [
        {"from_step": 0, "threads": 1, "device": "cpu"},
        {"from_step": 3, "threads": 2, "device": "cpu"},
    ]


# How it ends


def test_a_finished_run_knows_its_model_and_figures(run: RunDir) -> None:
    finish(run)
    assert run.status == "finished"
    assert run.model == ModelRef(model="quickstart", adapter=str(run.path), quantization="nf4")
    assert run.metrics == {"train_loss": 0.5, "val_loss": None}
    assert run.metadata["training"] == {"num_adapters": 14}


def test_beginning_a_finished_run_leaves_it_untouched(run: RunDir) -> None:
    finish(run)
    before = contents(run.path)
    begin(run)
    assert contents(run.path) == before


def test_an_unfinished_run_has_no_model_yet(run: RunDir) -> None:
    begin(run)
    with pytest.raises(ConfigError, match="has not finished") as refused:
        _ = run.model
    assert "the same `mistraltune train` command again" in refused.value.hint


def test_a_failed_run_says_why_and_can_begin_again(run: RunDir) -> None:
    begin(run).fail("OSError: no space left on device")
    assert run.status == "failed"
    assert run.metadata["reason"] == "OSError: no space left on device"
    begin(run)
    assert run.status == "unfinished"
    assert "reason" not in run.metadata


def test_a_moved_run_is_its_own_adapter_wherever_it_lies(run: RunDir, tmp_path: Path) -> None:
    finish(run)
    moved = run.path.rename(tmp_path / "elsewhere")
    assert RunDir(moved).model.adapter == str(moved)


def test_a_model_without_adapter_gets_none_from_its_run(run: RunDir) -> None:
    begin(run).finish(TrainResult(model=ModelRef(backend="api", model="ft:open-mistral-nemo:1"), metrics={}))
    assert run.model == ModelRef(backend="api", model="ft:open-mistral-nemo:1")


# Who works on it


def test_a_run_is_running_exactly_while_a_process_holds_its_lock(run: RunDir, held_by_another_process: HoldRun) -> None:
    begin(run)
    with held_by_another_process(run.path):
        assert run.status == "running"
    assert run.status == "unfinished"


def test_asking_whether_a_run_is_locked_changes_nothing(run: RunDir) -> None:
    with run.locked():
        begin(run)
    before = contents(run.path)
    assert not run.is_locked()
    assert contents(run.path) == before


def test_a_finished_run_stays_finished_while_somebody_looks_at_it(
    run: RunDir, held_by_another_process: HoldRun
) -> None:
    finish(run)
    with held_by_another_process(run.path):
        assert run.status == "finished"


# What it tells while it runs


def test_metrics_are_kept_and_everything_is_told(tmp_path: Path) -> None:
    heard: list[Event] = []
    run = begin(RunDir(tmp_path / "run", on_event=heard.append))
    run.emit("begin", step=0, num_steps=2)
    run.emit("step", step=1, loss=0.7)
    run.emit("validation", step=1, val_loss=0.8)
    assert [event["event"] for event in heard] == ["begin", "step", "validation"]
    assert run.history() == [
        {"event": "step", "step": 1, "loss": 0.7},
        {"event": "validation", "step": 1, "val_loss": 0.8},
    ]


def test_a_run_without_metrics_has_an_empty_history(run: RunDir) -> None:
    assert run.history() == []


@pytest.mark.parametrize("torn", ['{"event": "st', '{"event": "step", "step": 3, "loss": 0.5}'])
def test_a_last_line_without_its_end_is_left_out(run: RunDir, torn: str) -> None:
    """Even one that happens to be JSON: the figure before the tear may have had more digits."""
    begin(run)
    run.emit("step", step=1, loss=0.7)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    assert [event["step"] for event in run.history()] == [1]


def test_rewinding_forgets_the_steps_after_a_checkpoint_and_the_torn_line(run: RunDir) -> None:
    begin(run)
    for step in (1, 2, 3):
        run.emit("step", step=step, loss=1 / step)
    run.emit("validation", step=2, val_loss=0.6)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "st')
    run.rewind(2)
    run.emit("step", step=3, loss=0.25)
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert [(event["event"], event["step"]) for event in map(json.loads, lines)] == [
        ("step", 1),
        ("step", 2),
        ("validation", 2),
        ("step", 3),
    ]


def test_a_wish_to_stop_reaches_the_trainer(tmp_path: Path) -> None:
    wishes = iter([False, True])
    run = RunDir(tmp_path, should_stop=lambda: next(wishes))
    assert [run.stop_requested, run.stop_requested] == [False, True]


# Its checkpoints


def save(run: RunDir, step: int) -> Path:
    with run.publish_checkpoint(step) as staging:
        (staging / "weights").write_bytes(b"sound")
    return run.path / "checkpoints" / f"step-{step}"


def test_the_newest_sound_checkpoint_wins_and_damaged_ones_are_told_of(run: RunDir) -> None:
    for step in (9, 10, 11):
        save(run, step)
    (run.path / "checkpoints" / "step-10" / "weights").unlink()
    (run.path / "checkpoints" / "step-11" / "weights").write_bytes(b"sou")
    found, passed_over = run.checkpoint()
    assert found
    assert found.step == 9
    assert passed_over == [
        "checkpoint step-11 is damaged (weights does not match its hash); passed over",
        "checkpoint step-10 is damaged (weights is missing); passed over",
    ]


def test_without_a_sound_checkpoint_a_run_starts_over(run: RunDir) -> None:
    (save(run, 5) / "manifest.json").unlink()
    found, passed_over = run.checkpoint()
    assert found is None
    assert passed_over == ["checkpoint step-5 is damaged (manifest.json is missing or unreadable); passed over"]


def test_a_damaged_checkpoint_never_outlives_the_sound_one_that_a_run_continued_from(run: RunDir) -> None:
    """Stopped at step 13 after going back from the damaged step 20 to 10, one checkpoint kept: it must be step 13."""
    save(run, 10)
    (save(run, 20) / "weights").unlink()
    run.rewind(10)
    save(run, 13)
    run.drop_old_checkpoints(keep=1)
    found, passed_over = run.checkpoint()
    assert found
    assert (found.step, passed_over) == (13, [])


# All of them


def test_runs_are_listed_oldest_first_whatever_their_names(tmp_path: Path) -> None:
    for name, started_at in (("b", "2026-02-01"), ("c", "2026-01-01"), ("a", "2026-02-01")):
        change_metadata(begin(RunDir(tmp_path / name)), started_at=started_at)
    assert [run.run_id for run in list_runs(tmp_path)] == ["c", "a", "b"]


def test_what_is_no_run_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "notes.txt").touch()
    begin(RunDir(tmp_path / "run"))
    assert [run.run_id for run in list_runs(tmp_path)] == ["run"]


def test_a_missing_output_directory_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "missing") == []


def test_a_damaged_run_does_not_hide_the_others(tmp_path: Path) -> None:
    for name in ("damaged", "sound"):
        begin(RunDir(tmp_path / name))
    (tmp_path / "damaged" / "training_metadata.yaml").write_text("status: [\n")
    assert [run.run_id for run in list_runs(tmp_path)] == ["damaged", "sound"]
