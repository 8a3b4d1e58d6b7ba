import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import mistraltune as package
from mistraltune.cli.app import app
from mistraltune.errors import ExitCode

Command = tuple[str, ...]
CommandLine = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    "datasets",
    "mistralai",
    "httpx2",
    "mistral_common",
    "fastapi",
    "uvicorn",
}

HELP_OF_ALL = """
import contextlib, io, json, os, sys
from mistraltune.cli.app import app
pages = {"200": {}, "80": {}}
for width in pages:
    os.environ["COLUMNS"] = width
    for command in json.loads(sys.argv[1]):
        with contextlib.redirect_stdout(io.StringIO()) as page:
            app([*command, "--help"], prog_name="mistraltune", standalone_mode=False)
        pages[width][" ".join(command)] = page.getvalue()
modules = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"pages": pages["200"], "narrow": pages["80"], "modules": modules}))
"""

MODULES_AFTER = """
import atexit, json, sys
from mistraltune.cli.app import main
atexit.register(lambda: print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules}))))
main()
"""


def walk(command: Any, path: Command = ()) -> Iterator[tuple[Command, Any]]:
    yield path, command
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from walk(command.get_command(None, name), (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


def run_python(script: str, *arguments: str, folder: Path) -> str:
    command = [sys.executable, "-c", script, *arguments]
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def words(text: str) -> str:
    """Without the frames and the line breaks of a help page."""
    return re.sub(r"[│─╭╮╰╯\s]+", " ", text)


# Help


@pytest.fixture(scope="module")
def all_help(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The help of every command, printed by one process, and what that process had imported in the end."""
    printed: dict[str, Any] = json.loads(
        run_python(HELP_OF_ALL, json.dumps(list(COMMANDS)), folder=tmp_path_factory.mktemp("help"))
    )
    return printed


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "mistraltune")
def test_help_says_what_a_command_and_each_of_its_options_do(command: Command, all_help: dict[str, Any]) -> None:
    page = words(all_help["pages"][" ".join(command)])
    assert f"Usage: {' '.join(('mistraltune', *command))} " in page
    assert words(COMMANDS[command].help.partition("\n\n")[0]) in page
    for parameter in COMMANDS[command].params:
        assert parameter.help, f"{parameter.name} has no help"
        assert words(parameter.help) in page
        assert all(name in page for name in parameter.opts if name.startswith("-"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "mistraltune")
def test_a_group_lists_its_commands_with_a_sentence_each(command: Command, all_help: dict[str, Any]) -> None:
    page = words(all_help["pages"][" ".join(command)])
    for path in COMMANDS:
        if path and path[:-1] == command:
            sentence = words(COMMANDS[path].help.partition("\n")[0]).partition(". ")[0]
            assert f"{path[-1]} {sentence}" in page


def test_no_help_is_cut_on_80_columns_or_broken_where_its_source_is(all_help: dict[str, Any]) -> None:
    assert [command for command, page in all_help["narrow"].items() if "…" in page] == []
    lines = [line.strip() for line in all_help["narrow"]["eval"].splitlines()]
    assert "--turns all the intervals know that turns of one conversation are not" in lines


def test_no_help_imports_a_heavy_library(all_help: dict[str, Any]) -> None:
    assert HEAVY & set(all_help["modules"]) == set()


def test_help_lists_every_exit_code(all_help: dict[str, Any]) -> None:
    listed = re.findall(r"\d+", words(all_help["pages"][""]).partition("Exit codes:")[2].partition("stopped")[0])
    assert [int(code) for code in listed] == list(ExitCode)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("config", "show", "--config", "base"),
        ("config", "schema"),
        ("runs", "list"),
        ("init", "project"),
        ("data", "validate", "triage/train.jsonl"),
        ("data", "split", "triage/train.jsonl", "--out-dir", "parts"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("triage_rows")
def test_light_commands_import_no_heavy_library(arguments: Command, tmp_path: Path) -> None:
    modules = json.loads(run_python(MODULES_AFTER, *arguments, folder=tmp_path).splitlines()[-1])
    assert HEAVY & set(modules) == set()


# Whole output


def test_the_version_is_all_that_version_prints(mistraltune: CommandLine) -> None:
    done = mistraltune("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"mistraltune {package.__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("data",), ("train",), ("runs",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_but_fails(mistraltune: CommandLine, command: Command) -> None:
    done = mistraltune(*command)
    asked = mistraltune(*command, "--help")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (2, asked.stdout.strip(), "")
    assert (asked.returncode, asked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message", "helpful"),
    [
        ("nonsense", "No such command 'nonsense'.", "python -m mistraltune"),
        ("data validat", "No such command 'validat'. Did you mean 'validate'?", "python -m mistraltune data"),
        ("train nonsense", "No such command 'nonsense'.", "python -m mistraltune train"),
        ("runs list --nonsense", "No such option: --nonsense", "python -m mistraltune runs list"),
        (
            "runs list --jso",
            "No such option: --jso (Possible options: --json, --sort)",
            "python -m mistraltune runs list",
        ),
        ("runs show", "Missing argument 'RUN'.", "python -m mistraltune runs show"),
        ("eval --model quickstart", "Missing option '--eval-file'.", "python -m mistraltune eval"),
        ("runs list --output-dir", "Option '--output-dir' requires an argument.", "mistraltune"),
    ],
)
def test_a_mistake_in_the_command_is_told_in_two_lines(
    mistraltune: CommandLine, arguments: str, message: str, helpful: str
) -> None:
    done = mistraltune(*arguments.split())
    assert done.stderr == f"error: {message}\nhint: see `{helpful} --help`\n"
    assert (done.returncode, done.stdout) == (2, "")


def test_an_error_says_what_and_then_what_to_do(mistraltune: CommandLine) -> None:
    done = mistraltune("runs", "show", "nothing")
    assert done.stderr == "error: no run called nothing here or in outputs\nhint: `mistraltune runs list` names them\n"
    assert (done.returncode, done.stdout) == (2, "")


def test_text_from_outside_is_never_taken_for_markup(mistraltune: CommandLine) -> None:
    assert "no run called [red]x[/blue] here" in mistraltune("runs", "show", "[red]x[/blue]").stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("runs show nothing --json", 2),
        ("runs list --nonsense --json", 2),
        ("eval --json", 2),
        ("train local --config cpu --set training.seed --json", 2),
        ("train local --config nonsense --json", 2),
        ("data validate bad.jsonl --json", 3),
        ("data show good.jsonl --row 1 --model nobody/no-such-model --json", 5),
    ],
)
def test_with_json_an_error_is_one_object_on_stdout_and_words_on_stderr(
    mistraltune: CommandLine, tmp_path: Path, arguments: str, code: int
) -> None:
    (tmp_path / "good.jsonl").write_text('{"instruction": "one", "output": "two"}\n')
    (tmp_path / "bad.jsonl").write_text('{"instruction": "one"}\n')
    done = mistraltune(*arguments.split())
    (line,) = done.stdout.splitlines()
    error = json.loads(line)["error"]
    assert (done.returncode, error["exit_code"]) == (code, code)
    assert f"error: {error['message']}\n" in done.stderr
    assert f"hint: {error['hint']}\n" in done.stderr


@pytest.mark.parametrize("arguments", ["config schema", "runs list --json", "init project --json"])
def test_json_is_one_object_and_stderr_is_silent(mistraltune: CommandLine, arguments: str) -> None:
    done = mistraltune(*arguments.split())
    assert isinstance(json.loads(done.stdout), dict)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_directory_that_is_none_is_refused_where_it_was_asked_for(
    mistraltune: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for name, problem in (("file", "is a file"), ("nowhere", "does not exist")):
        done = mistraltune("runs", "list", "--output-dir", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: --output-dir {name} {problem}\n")


# Streams


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("runs list", 0, "no runs in outputs\n"),
        ("generate --model quickstart", 2, "error: no prompt given\nhint: name one, or write one a line to stdin\n"),
    ],
)
def test_a_closed_stdin_is_an_empty_one(tmp_path: Path, arguments: str, code: int, said: str) -> None:
    command = f'exec "{sys.executable}" -m mistraltune {arguments} <&-'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


@pytest.mark.parametrize("closed", ["<&- >&-", ">&- 2>&-"])
def test_closed_outputs_do_not_change_how_a_command_ends(tmp_path: Path, closed: str) -> None:
    command = f'exec "{sys.executable}" -m mistraltune init project {closed}'
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert (tmp_path / "project" / "configs" / "base.yaml").is_file()


@pytest.mark.parametrize("arguments", ["config schema", "config show --config base", "train local --help"])
def test_a_reader_that_has_gone_ends_a_command_quietly(tmp_path: Path, arguments: str) -> None:
    """What `| head -1` does, without the luck of who is faster."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        command = [sys.executable, "-m", "mistraltune", *arguments.split()]
        done = subprocess.run(command, cwd=tmp_path, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


# Colours

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")


def on_a_terminal(*arguments: str, folder: Path, **env: str) -> str:
    """What a command draws on a terminal, stdout and stderr together."""
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    terminal, ours = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mistraltune", *arguments],
        cwd=folder,
        env={**inherited, "TERM": "xterm-256color", **env},
        stdin=ours,
        stdout=ours,
        stderr=ours,
    )
    os.close(ours)
    drawn = b""
    try:
        while piece := os.read(terminal, 65536):
            drawn += piece
    except OSError:  # how Linux ends a terminal that nobody writes to any more
        pass
    finally:
        os.close(terminal)
        process.wait()
    return drawn.decode()


def test_a_terminal_is_drawn_in_colours(tmp_path: Path) -> None:
    assert COLOUR.search(on_a_terminal("train", "local", "--help", folder=tmp_path))


def test_no_color_is_respected_on_a_terminal(tmp_path: Path) -> None:
    drawn = on_a_terminal("train", "local", "--help", folder=tmp_path, NO_COLOR="1")
    assert "Usage:" in drawn
    assert not COLOUR.search(drawn)


def test_a_pipe_gets_plain_text(mistraltune: CommandLine) -> None:
    assert "\x1b" not in mistraltune("train", "local", "--help").stdout


def test_on_a_terminal_a_dry_run_is_told_once(tiny_model: Path, triage_rows: Path, tmp_path: Path) -> None:
    rows = ("--train-file", str(triage_rows / "train.jsonl"), "--val-file", str(triage_rows / "val.jsonl"))
    drawn = on_a_terminal("train", "local", "--model", str(tiny_model), *rows, "--dry-run", folder=tmp_path)
    for line in ("training: 8 rows", "validation: 2 rows", "memory: about", "disk: about"):
        assert drawn.count(line) == 1, drawn
