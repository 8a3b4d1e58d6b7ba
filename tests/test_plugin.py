"""A plugin is a package that somebody else installs: here it is installed, and used by processes of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parent / "plugin"
TRAIN = ("train", "echo", "--model", "hello", "--train-file", "triage/train.jsonl", "--run-id", "run")

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

MODULES_AFTER = """
import atexit, json, sys
from mistraltune.cli.app import main
atexit.register(lambda: print("\\n" + json.dumps([name for name in sys.modules if "mistraltune_echo" in name])))
main()
"""


def install(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(PLUGIN)], check=True)


@pytest.fixture(scope="session")
def installed(make_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return make_once("echo-plugin", install)


@pytest.fixture
def env(installed: Path) -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{installed}{os.pathsep}{inherited}" if inherited else str(installed)}


@pytest.fixture
def with_echo(mistraltune: Any, env: dict[str, str], triage_rows: Path) -> CommandLine:
    """The command line where the plugin is installed, beside `triage/{train,val,test}.jsonl`."""
    command_line: CommandLine = replace(mistraltune, env={**mistraltune.env, **env})
    return command_line


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def train(with_echo: CommandLine, *options: str) -> dict[str, Any]:
    return result(with_echo(*TRAIN, *options, "--json"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Found by its name alone


def test_without_the_plugin_its_backend_is_unknown(mistraltune: CommandLine) -> None:
    done = mistraltune("train", "echo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'echo'." in done.stderr


def test_an_installed_backend_is_listed_beside_the_built_in_ones(with_echo: CommandLine) -> None:
    page = with_echo("train", "--help").stdout
    assert "local" in page
    assert "Train with the echo backend (a plugin)." in page


def test_a_plugins_command_has_the_general_options_with_their_help(with_echo: CommandLine) -> None:
    page = with_echo("train", "echo", "--help").stdout
    assert " train echo [OPTIONS]" in page
    for option in (
        "--config",
        "--set",
        "--model",
        "--train-file",
        "--val-file",
        "--resume",
        "--allow-changed",
        "--dry-run",
    ):
        assert option in page


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        ("train --help", []),
        ("train echo --help", []),
        ("eval --help", []),
        ("config schema --backend echo", ["mistraltune_echo"]),
    ],
)
def test_a_plugin_is_imported_no_further_than_it_is_needed(
    env: dict[str, str], tmp_path: Path, command: str, imported: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES_AFTER, *command.split()],
        cwd=tmp_path,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == imported


def test_the_schema_holds_the_plugins_own_section(with_echo: CommandLine) -> None:
    schema = result(with_echo("config", "schema", "--backend", "echo"))
    options = schema["$defs"]["EchoOptions"]
    assert schema["properties"]["echo"]["$ref"] == "#/$defs/EchoOptions"
    assert options["properties"]["repeats"]["description"] == "How often a trained echo says everything."
    assert "local" not in schema["properties"]


# Trained by the same line


def test_a_plugin_trains_and_leaves_a_run_like_any_other(with_echo: CommandLine, tmp_path: Path) -> None:
    trained = train(with_echo, "--val-file", "triage/val.jsonl", "--set", "training.max_steps=5")
    assert (trained["run_dir"], trained["status"]) == ("outputs/run", "finished")
    shown = result(with_echo("runs", "show", "run", "--json"))
    assert shown["metrics"]["num_rows"] == 8
    assert shown["metadata"]["model"] == {
        "backend": "echo", "model": "hello", "adapter": "outputs/run", "quantization": "none"
    }  # fmt: skip
    assert shown["metadata"]["training"] == {"num_validation_rows": 2}
    lines = (tmp_path / "outputs" / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]


def test_train_leaves_a_finished_run_untouched(with_echo: CommandLine, tmp_path: Path) -> None:
    first = train(with_echo)
    before = contents(tmp_path / "outputs" / "run")
    again = with_echo(*TRAIN, "--json")
    assert result(again) == first
    assert "outputs/run has finished already; nothing to do" in again.stderr
    assert contents(tmp_path / "outputs" / "run") == before


def test_another_option_of_the_plugin_is_another_run(with_echo: CommandLine) -> None:
    train(with_echo)
    other = with_echo(*TRAIN, "--set", "echo.repeats=3")
    assert other.returncode == 2
    assert "error: outputs/run holds another run; different: config.echo.repeats\n" in other.stderr


def test_a_changed_option_of_a_plugin_can_be_allowed_in_an_unfinished_run(
    env: dict[str, str], with_echo: CommandLine, tmp_path: Path
) -> None:
    with training_slowly(env, tmp_path) as process:
        process.kill()
    changed = ("--set", "training.max_steps=1000", "--set", "echo.seconds_per_step=0")
    assert with_echo(*TRAIN, *changed).returncode == 2
    train(with_echo, *changed, "--allow-changed", "echo.seconds_per_step")
    (entry,) = result(with_echo("runs", "show", "run", "--json"))["metadata"]["allowed_changes"]
    assert entry["changes"] == [{"field": "config.echo.seconds_per_step", "from": 0.02, "to": 0.0}]


def test_a_plugins_options_are_validated_like_all_others(with_echo: CommandLine) -> None:
    refused = with_echo(*TRAIN, "--set", "echo.repeats=0", "--set", "echo.repaets=1", "--json")
    assert refused.returncode == 2
    problems = json.loads(refused.stdout)["error"]["problems"]
    assert problems[0].startswith("echo.repeats: Input should be greater than or equal to 1, got 0 (from --set)")
    assert problems[1].startswith("echo.repaets: unknown key (from --set); did you mean ")


def test_a_dry_run_trains_nothing_and_leaves_no_run(with_echo: CommandLine, tmp_path: Path) -> None:
    planned = result(with_echo(*TRAIN, "--dry-run", "--set", "training.max_steps=5", "--json"))
    assert (planned["run_dir"], planned["num_steps"]) == ("outputs/run", 5)
    assert planned["train"]["num_rows"] == 8
    assert not (tmp_path / "outputs" / "run").exists()


def test_resume_insists_on_a_run_that_was_begun(with_echo: CommandLine) -> None:
    refused = with_echo(*TRAIN, "--resume")
    assert refused.returncode == 2
    assert "error: there is no run to resume at outputs/run\n" in refused.stderr


def test_progress_of_a_plugin_is_told_in_plain_lines(with_echo: CommandLine) -> None:
    told = with_echo(*TRAIN, "--set", "training.max_steps=2").stderr.splitlines()
    assert [line for line in told if line.startswith("step ")] == ["step 1/2  loss 1.0000", "step 2/2  loss 0.5000"]


def test_with_json_every_event_is_a_line_of_json_on_stderr(with_echo: CommandLine) -> None:
    done = with_echo(*TRAIN, "--set", "training.max_steps=2", "--json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["phase", "phase", "data", "begin", "step", "step"]


# Stopped and continued


@contextmanager
def training_slowly(env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A training that has done its first step of many; killed at the end if need be."""
    slowly = ("--set", "training.max_steps=1000", "--set", "echo.seconds_per_step=0.02", "--json")
    command = [sys.executable, "-m", "mistraltune", *TRAIN, *slowly]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=os.environ | env, **pipes) as process:
        try:
            assert process.stderr
            assert any('"event": "step"' in line for line in process.stderr), "training ended before its first step"
            yield process
        finally:
            process.kill()


@pytest.mark.usefixtures("triage_rows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_run_after_its_step_and_the_same_command_continues_it(
    env: dict[str, str], with_echo: CommandLine, tmp_path: Path, number: signal.Signals
) -> None:
    with training_slowly(env, tmp_path) as process:
        process.send_signal(number)
        stdout, _ = process.communicate(timeout=30)
        assert process.returncode == -number
    assert json.loads(stdout)["error"]["hint"] == "the same command continues from there"
    run_dir = tmp_path / "outputs" / "run"
    stopped_at = json.loads((run_dir / "state.json").read_text())["step"]
    assert result(with_echo("runs", "show", "run", "--json"))["status"] == "unfinished"

    identity = ("--set", "training.max_steps=1000", "--set", "echo.seconds_per_step=0.02")
    with subprocess.Popen(
        [sys.executable, "-m", "mistraltune", *TRAIN, *identity, "--resume", "--json"],
        cwd=tmp_path,
        env=os.environ | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as again:
        assert again.stderr
        begin = next(event for event in map(json.loads, again.stderr) if event["event"] == "begin")
        again.kill()
    assert begin["step"] == stopped_at > 0


@pytest.mark.usefixtures("triage_rows")
def test_two_trainings_of_one_run_never_meet(env: dict[str, str], with_echo: CommandLine, tmp_path: Path) -> None:
    with training_slowly(env, tmp_path) as process:
        assert result(with_echo("runs", "show", "run", "--json"))["status"] == "running"
        slowly = ("--set", "training.max_steps=1000", "--set", "echo.seconds_per_step=0.02")
        second = with_echo(*TRAIN, *slowly)
        assert second.returncode == 11
        assert f"error: outputs/run is in use by process {process.pid} on " in second.stderr
        process.kill()
        process.wait()
    assert result(with_echo("runs", "show", "run", "--json"))["status"] == "unfinished"


# Evaluated and asked


def test_a_plugins_evaluator_judges_a_plugins_model(with_echo: CommandLine, tmp_path: Path) -> None:
    command = (
        "eval",
        "--model",
        "echo:anything",
        "--eval-file",
        "triage/test.jsonl",
        "--evaluator",
        "length",
        "--json",
    )
    report = result(with_echo(*command))
    assert report["model"] == {"backend": "echo", "model": "anything", "quantization": "none"}
    assert (report["evaluator"], report["num_examples"]) == ("length", 4)
    assert report["metrics"]["length"] == 7.25
    with (tmp_path / report["predictions_file"]).open() as file:
        assert json.loads(next(file))["text"] == "Why is there a fee on my bill?"


def test_a_plugins_model_is_judged_by_the_built_in_evaluator(with_echo: CommandLine) -> None:
    report = result(with_echo("eval", "--model", "echo:anything", "--eval-file", "triage/test.jsonl", "--json"))
    assert report["metrics"]["exact_match"] == 0


def test_a_run_of_a_plugin_is_compared_with_its_base(with_echo: CommandLine) -> None:
    train(with_echo, "--set", "echo.repeats=3")
    models = ("--base-model", "echo:hello", "--fine-tuned-model", "outputs/run")
    compared = result(
        with_echo("compare", *models, "--eval-file", "triage/test.jsonl", "--evaluator", "length", "--json")
    )
    assert compared["differences"]["length"]["value"] == 14.5
    assert (compared["wins"], compared["ties"], compared["losses"]) == (4, 0, 0)


def test_a_run_of_a_plugin_answers_prompts(with_echo: CommandLine) -> None:
    train(with_echo, "--set", "echo.repeats=2")
    done = with_echo("generate", "--model", "outputs/run", "hello there")
    assert (done.returncode, done.stdout) == (0, "hello there hello there\n")


def test_a_chat_with_a_plugins_model_goes_on_until_the_input_ends(with_echo: CommandLine) -> None:
    done = with_echo("chat", "--model", "echo:any", stdin="one two\n\nthree\n/exit\nfour\n")
    assert done.returncode == 0
    assert [line.strip() for line in done.stdout.splitlines()] == ["one two", "three"]


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_bug_in_a_plugin_ends_with_its_traceback_and_the_exit_code_of_bugs(
    with_echo: CommandLine, flags: tuple[str, ...]
) -> None:
    done = with_echo("generate", "--model", "echo:broken", "hello", *flags)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: a bug of the plugin\n")
    if flags:
        assert json.loads(done.stdout)["error"]["message"] == "ZeroDivisionError: a bug of the plugin"


def test_a_plugin_that_cannot_export_gets_a_clear_word(with_echo: CommandLine, tmp_path: Path) -> None:
    run = train(with_echo)["run_dir"]
    done = with_echo("export", "merge", run, "merged", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "models of the backend echo cannot be exported"
    assert not (tmp_path / "merged").exists()
