"""The catalogue of bad command lines and environments, rows 36 to 44 without those of the API."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalBackend, LocalOptions
from mistraltune.config import train_config_type
from mistraltune.configuring import load_config
from mistraltune.results import ModelRef, TrainResult
from mistraltune.run_metadata import METADATA
from mistraltune.runs import RunDir
from mistraltune.training import facts, make_plan, rerunnable

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

LOCAL = train_config_type("local", LocalOptions)
MISTRALTUNE = (sys.executable, "-m", "mistraltune")
GOOD = '{"instruction": "é", "output": "b"}\n'


# Row 36


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "validate", ""],
        ["data", "convert", "in.jsonl", ""],
        ["data", "split", "rows.jsonl", "--out-dir", ""],
        ["data", "show", "rows.jsonl", "--row", "1", "--tokenizer", ""],
        ["data", "show", "rows.jsonl", "--row", "1", "--model="],
        ["train", "local", "--config", ""],
        ["train", "local", "--model", "quickstart", "--train-file", "rows.jsonl", "--val-file", ""],
        ["train", "local", "--set", ""],
        ["eval", "--model", "", "--eval-file", "rows.jsonl"],
        ["generate", "--model", "quickstart", ""],
        ["runs", "list", "--output-dir", ""],
        ["runs", "show", ""],
        ["init", ""],
        ["config", "schema", "--backend="],
        [""],
    ],
    ids=" ".join,
)
def test_row_36_an_empty_argument_is_refused_before_it_means_something(
    mistraltune: CommandLine, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text(GOOD)
    done = mistraltune(*arguments)
    error, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert error.startswith("error: an argument is empty: ")
    assert hint == "hint: is a shell variable unset? Else leave it out"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "local", "--nonsense"], "error: No such option: --nonsense"),
        (["train", "local", "--set", "--resume"], "error: --set '--resume' is not KEY=VALUE"),
        (["train", "local", "--model", "--resume"], "data.train_file: required, but not set"),
        (["data", "show", "rows.jsonl"], "error: Missing option '--row'."),
        (["data", "show", "rows.jsonl", "--row", "0"], "error: Invalid value for '--row'"),
        (["data", "show", "rows.jsonl", "--row", "1e3"], "error: Invalid value for '--row'"),
        (
            ["data", "show", "rows.jsonl", "--row", "99", "--tokenizer", "v3"],
            "error: rows.jsonl has 1 row, so no row 99",
        ),
        (
            ["data", "split", "rows.jsonl", "--out-dir", "x", "--val", "nan"],
            "error: shares of nan and 0.0 leave nothing",
        ),
        (["data", "validate", "rows.jsonl", "--tokenizer", "v99"], "error: "),
        (["runs", "show", "../../etc"], "error: no run called ../../etc"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_row_36_a_mistake_is_told_with_a_hint(
    mistraltune: CommandLine, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(GOOD)
    done = mistraltune(*arguments)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)
    assert said in done.stderr
    assert "\nhint: " in done.stderr or said.startswith("error: rows.jsonl has")


# Row 37


@pytest.fixture
def begun(tmp_path: Path, triage_rows: Path, tiny_model: Path) -> RunDir:
    """A run that a training began and did not finish."""
    rows = str(triage_rows / "train.jsonl")
    values = [f"model={tiny_model}", f"data.train_file={rows}", f"output_dir={tmp_path}/outputs", "run_id=run"]
    config = load_config(LOCAL, overrides=values).config
    plan = make_plan(LocalBackend(), config)
    run = RunDir(plan.path)
    with run.locked():
        run.begin(plan.identity, config=rerunnable(config), facts=facts(LocalBackend(), plan))
    return run


def resume(mistraltune: CommandLine, run: RunDir, *options: str) -> subprocess.CompletedProcess[str]:
    return mistraltune("train", "local", "--config", run.path / "config.yaml", "--run-id", "run", "--resume", *options)


def test_row_37_there_is_nothing_to_resume_where_nothing_began(
    mistraltune: CommandLine, triage_rows: Path, tiny_model: Path
) -> None:
    rows = triage_rows / "train.jsonl"
    done = mistraltune("train", "local", "--model", tiny_model, "--train-file", rows, "--run-id", "run", "--resume")
    assert done.returncode == 2
    assert "error: there is no run to resume at outputs/run\nhint: leave out --resume to start it\n" in done.stderr


def test_row_37_another_run_is_not_continued(mistraltune: CommandLine, begun: RunDir) -> None:
    done = resume(mistraltune, begun, "--set", "training.seed=7")
    assert done.returncode == 2
    assert "holds another run; different: config.training.seed\n" in done.stderr


def test_row_37_a_finished_run_is_left_as_it_is(mistraltune: CommandLine, begun: RunDir) -> None:
    begun.finish(TrainResult(model=ModelRef(model="base"), metrics={"train_loss": 1.5}, details={}))
    before = {path: path.read_bytes() for path in begun.path.rglob("*") if path.is_file()}
    done = resume(mistraltune, begun)
    assert done.returncode == 0
    assert "has finished already; nothing to do" in done.stderr
    assert before == {path: path.read_bytes() for path in begun.path.rglob("*") if path.is_file()}


def test_row_37_a_run_of_a_newer_format_is_named_with_its_version(mistraltune: CommandLine, begun: RunDir) -> None:
    metadata = begun.path / METADATA
    text = metadata.read_text().replace("format_version: 1", "format_version: 99")
    metadata.write_text(text)
    done = resume(mistraltune, begun)
    assert done.returncode == 2
    assert f"error: {begun.path} was made by MistralTune " in done.stderr


@pytest.mark.parametrize("content", [b"", b"\xff", b"a: [", b"- a\n", b"a: &x 1\nb: *x\n"])
def test_row_37_damaged_metadata_is_no_bug(mistraltune: CommandLine, begun: RunDir, content: bytes) -> None:
    (begun.path / METADATA).write_bytes(content)
    done = resume(mistraltune, begun)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


# Row 38


def test_row_38_the_second_training_on_a_run_names_the_first(mistraltune: CommandLine, begun: RunDir) -> None:
    with begun.locked():
        done = mistraltune("train", "local", "--config", begun.path / "config.yaml", "--run-id", "run")
    assert done.returncode == 11
    assert f"error: {begun.path} is in use by process {os.getpid()} on " in done.stderr


# Row 39


ENVIRONMENTS = {
    "a dumb terminal": {"TERM": "dumb"},
    "no terminal type": {"TERM": ""},
    "the C locale": {"LC_ALL": "C", "LANG": "C"},
    "the C locale without coercion": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "an ASCII stdout": {"PYTHONIOENCODING": "ascii"},
    "a Latin-1 stdout": {"PYTHONIOENCODING": "latin-1"},
    "a width of 1": {"COLUMNS": "1", "LINES": "1"},
    "a width of nothing": {"COLUMNS": ""},
    "colours unwanted": {"NO_COLOR": "1"},
    "colours forced": {"FORCE_COLOR": "1", "NO_COLOR": ""},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_row_39_any_terminal_and_locale_gets_utf_8_and_no_question(
    mistraltune: CommandLine, tmp_path: Path, name: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(GOOD)
    done = mistraltune("data", "show", "rows.jsonl", "--row", "1", "--tokenizer", "v3", "--json", **ENVIRONMENTS[name])
    assert done.returncode == 0
    assert json.loads(done.stdout)["text"] == "<s>[INST]é[/INST]b</s>"


def test_row_39_a_table_survives_a_width_of_1(mistraltune: CommandLine) -> None:
    done = mistraltune("config", "show", "--config", "base", COLUMNS="1", TERM="dumb")
    assert (done.returncode, done.stderr) == (0, "")


# Row 40


def test_row_40_without_a_home_commands_work(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(GOOD)
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME", "USER")}
    for arguments in (("data", "validate", "rows.jsonl"), ("config", "show", "--config", "base"), ("runs", "list")):
        done = subprocess.run([*MISTRALTUNE, *arguments], cwd=tmp_path, env=env, capture_output=True, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755)])
def test_row_40_files_get_the_mode_that_the_umask_says(
    tmp_path: Path, mask: int, file_mode: int, folder_mode: int
) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(GOOD.replace("b", str(number)) for number in range(20)))
    command = [*MISTRALTUNE, "data", "split", "rows.jsonl", "--out-dir", "parts"]
    subprocess.run(command, cwd=tmp_path, umask=mask, capture_output=True, check=True)
    assert stat.S_IMODE((tmp_path / "parts").stat().st_mode) == folder_mode
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "parts").iterdir()} == {file_mode}


def test_row_40_a_working_directory_that_cannot_be_written_is_named(triage_rows: Path, tiny_model: Path) -> None:
    command = [*MISTRALTUNE, "train", "local", "--model", tiny_model, "--train-file", triage_rows / "train.jsonl"]
    done = subprocess.run([*command, "--dry-run"], cwd="/proc", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: cannot write to outputs: " in done.stderr


def test_row_40_a_working_directory_that_is_gone_does_not_stop_a_command(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "rows.jsonl").write_text(GOOD)
    script = f'cd gone && rmdir ../gone && exec "$0" -m mistraltune data validate {tmp_path}/rows.jsonl'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# Row 42


def limit(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


def test_row_42_sixty_four_open_files_are_enough(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.jsonl").write_text(GOOD)
    files = [f"{number}.jsonl" for number in range(100)]
    command = [*MISTRALTUNE, "data", "validate", *files]
    done = subprocess.run(
        command, cwd=tmp_path, preexec_fn=limit(resource.RLIMIT_NOFILE, 64), capture_output=True, check=False
    )
    assert done.returncode == 0


def test_row_42_a_plan_needs_no_network(mistraltune: CommandLine, triage_rows: Path, tiny_model: Path) -> None:
    unreachable = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    rows = ("--train-file", triage_rows / "train.jsonl")
    done = mistraltune("train", "local", "--model", tiny_model, *rows, "--dry-run", HF_HUB_OFFLINE="0", **unreachable)
    assert done.returncode == 0


def test_row_42_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(GOOD.replace("b", "b" * 100 + str(n)) for n in range(1000)))
    command = [*MISTRALTUNE, "data", "convert", "rows.jsonl", "out.jsonl"]
    small = limit(resource.RLIMIT_FSIZE, 50_000)
    done = subprocess.run(command, cwd=tmp_path, preexec_fn=small, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("error: out.jsonl could not be written: File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "rows.jsonl", "/proc/out.jsonl"),
        ("dedupe", "rows.jsonl", "/proc/out.jsonl"),
        ("split", "rows.jsonl", "--out-dir", "/proc"),
    ],
    ids=["convert", "dedupe", "split"],
)
def test_row_42_a_place_where_nobody_may_write_is_no_temporary_fault(
    mistraltune: CommandLine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(GOOD.replace("b", f"b{n}") for n in range(20)))
    done = mistraltune("data", *command)
    assert done.returncode == 2, done.stderr
    assert "could not be written" in done.stderr


# Row 43


@pytest.mark.parametrize(
    "key", ["hf_very\nsecret", "hf_very secret", "'hf_verysecret'", 'hf_"verysecret', "hf_verysécret", "s" * 10_000]
)
def test_row_43_a_key_that_no_header_can_carry_is_refused_unseen_before_any_request(
    mistraltune: CommandLine, tmp_path: Path, key: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(GOOD)
    rows = ("--train-file", "rows.jsonl", "--dry-run", "--json")
    done = mistraltune("train", "local", "--model", "nobody/no-such-model", *rows, HF_TOKEN=key)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2
    assert error["message"].startswith("HF_TOKEN ")
    assert "secret" not in done.stderr + done.stdout
    assert "ssss" not in done.stderr + done.stdout


def test_row_43_an_env_file_that_is_no_text_is_named(mistraltune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HF_TOKEN=\xff\xfe\n")
    (tmp_path / "rows.jsonl").write_text(GOOD)
    done = mistraltune("train", "local", "--model", "nobody/x", "--train-file", "rows.jsonl", "--dry-run")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "error: cannot read .env: " in done.stderr


# Row 44


def test_row_44_a_pause_and_a_storm_of_resizes_change_nothing(tmp_path: Path) -> None:
    with (tmp_path / "rows.jsonl").open("w") as file:
        file.writelines(GOOD.replace("b", str(number)) for number in range(30_000))
    command = [*MISTRALTUNE, "data", "validate", "rows.jsonl"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    process.send_signal(signal.SIGCONT)
    for _ in range(200):
        process.send_signal(signal.SIGWINCH)
        time.sleep(0.002)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    assert stdout == "rows.jsonl: 30,000 rows (instruct), 0 errors, 0 warnings\n"
