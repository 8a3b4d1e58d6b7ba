"""The `mistraltune` command: its groups, and the one place where errors become words and exit codes."""

from __future__ import annotations

import inspect
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.models import CommandInfo, TyperInfo

from mistraltune import __version__, launched
from mistraltune.cli import (
    chat,
    compare,
    config,
    data,
    doctor,
    evaluate,
    export,
    jobs,
    quickstart,
    runs,
    serve,
    train,
    train_api,
)
from mistraltune.cli.signals import stop_on_signals
from mistraltune.errors import ConfigError, ExitCode, MistralTuneError, OtherProcessFailed, Stopped
from mistraltune.publishing import DISK_ERRORS

STORY = (
    *("quickstart", "init", "data", "train", "eval", "compare", "generate", "chat", "export", "jobs", "serve"),
    *("runs", "config", "doctor"),
)
"""The commands in the order in which a newcomer meets them."""


class StoryGroup(TyperGroup):
    """The root's help: the commands as in `STORY`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names for `--help`."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: STORY.index(name) if name in STORY else len(STORY))


app = typer.Typer(
    name="mistraltune",
    cls=StoryGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
train.app.command("api")(train_api.api)
app.add_typer(jobs.app, name="jobs")
app.add_typer(config.app, name="config")
app.add_typer(runs.app, name="runs")
app.add_typer(export.app, name="export")
app.add_typer(serve.app, name="serve")
app.command("quickstart")(quickstart.quickstart)
app.command("init")(config.init)
app.command("doctor")(doctor.doctor)
app.command("eval")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("generate")(chat.generate)
app.command("chat")(chat.chat)


def print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        sys.stdout.write(f"mistraltune {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From a JSONL file to a fine-tuned, evaluated Mistral model.

    Exit codes: 0 ok · 1 a bug · 2 usage or configuration · 3 data rejected · 4 refused by an API · 5 temporary, rerun ·
    6 failed job or quality gate · 11 locked by another process · 129, 130, 143 stopped by a signal.
    """


def join_lines(group: typer.Typer) -> None:
    """Let the help of every command break its lines where the terminal ends, not where the source does."""
    told: list[CommandInfo | TyperInfo] = [*group.registered_commands]
    if group.registered_callback:
        told.append(group.registered_callback)
    for each in told:
        paragraphs = (inspect.getdoc(each.callback) or "").split("\n\n")
        each.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for inner in group.registered_groups:
        if inner.typer_instance:
            join_lines(inner.typer_instance)


join_lines(app)


def main() -> None:
    """Run the command line and exit with a documented code."""
    replace_closed_streams()
    write_utf8()
    wants_json = "--json" in sys.argv
    try:
        refuse_empty_arguments(sys.argv[1:])
        with stop_on_signals():
            code = app(standalone_mode=False)
    except OtherProcessFailed as error:  # it has told
        code = error.exit_code
        launched.mark_told()
        if code > 128:
            end_by_signal(code - 128)
    except Stopped as stop:
        code = 128 + stop.signal_number
        report_stop(stop, code=code, as_json=wants_json)
        end_by_signal(stop.signal_number)
    except MistralTuneError as error:
        code = error.exit_code
        report_error(error.message, hint=error.hint, code=code, details=error.details, as_json=wants_json)
    except typer.Abort:
        code = ExitCode.INTERRUPTED
    except typer.TyperException as error:
        code = report_usage_error(error, as_json=wants_json)
    except SystemExit as error:
        # Typer and rich end with 1 where the reader (`| head`) has gone; what it did not want is no error.
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # keeps the interpreter's last flush quiet
        code = ExitCode.OK
    except OSError as error:
        # Bare ones come from places that users name; a full or failing disk may be better at the next try.
        code = ExitCode.TEMPORARY if error.errno in DISK_ERRORS else ExitCode.USAGE
        place = f"{error.filename}: " if error.filename else ""
        report_error(f"{place}{error.strerror or error}", code=code, as_json=wants_json)
    except Exception as error:
        code = report_bug(error, as_json=wants_json)
    if code == ExitCode.INTERRUPTED and wants_json:
        print_json_error("interrupted", code=code)
    launched.mark_told(is_outcome=bool(code) or launched.rank() == 0)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def replace_closed_streams() -> None:
    """Let a standard stream that the caller closed (`<&-`) be an empty one, as Python leaves None in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for as long as the process runs


def write_utf8() -> None:
    """Let both outputs be UTF-8, whatever the locale: rows hold any character, and JSON is nothing else."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def refuse_empty_arguments(arguments: Sequence[str]) -> None:
    """Raise where an argument is empty: `--out-dir "$DIR"` with DIR unset would mean the working directory.

    Raises:
        ConfigError: Names its place.
    """
    for place, argument in enumerate(arguments):
        if not argument or re.fullmatch(r"--[a-z-]+=", argument):
            name = argument or (arguments[place - 1] if place else "")
            raise ConfigError(
                f"an argument is empty: {name.removesuffix('=')} ''",
                hint="is a shell variable unset? Else leave it out",
            )


def report_usage_error(error: typer.TyperException, *, as_json: bool) -> int:
    """Print a mistake in the command itself; a group called without a command shows its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # Typer has printed the help already
        return ExitCode.USAGE
    hint = f"see `{context.command_path} --help`" if context else "see `mistraltune --help`"
    report_error(error.format_message(), hint=hint, code=ExitCode.USAGE, as_json=as_json)
    return ExitCode.USAGE


def report_error(
    message: str, *, hint: str = "", code: int, details: dict[str, object] | None = None, as_json: bool = False
) -> None:
    """`error:` and `hint:` on stderr; with `--json` the same as the one object on stdout."""
    say(f"error: {message}", hint=hint)
    if as_json:
        print_json_error(message, hint=hint, code=code, details=details)


def report_stop(stop: Stopped, *, code: int, as_json: bool) -> None:
    """What came of a stop that was asked for, on stderr: no error, though `--json` readers get it in that place."""
    if not launched.may_tell_of_stop(at_once=stop.at_once):
        return
    say(stop.message, hint=stop.hint)
    if as_json:
        print_json_error(stop.message, hint=stop.hint, code=code, details=stop.details)
    launched.mark_told()


def say(text: str, *, hint: str) -> None:
    """What happened and what to do about it, on stderr, without the secrets that a library may have repeated."""
    from mistraltune.cli.console import note
    from mistraltune.secrets import masked

    note(masked(text))
    if hint:
        note(f"hint: {masked(hint)}")


def report_bug(error: Exception, *, as_json: bool) -> int:
    """Print the traceback, without secrets that stand in the exception's text."""
    from mistraltune.secrets import masked

    sys.stderr.write(masked("".join(traceback.format_exception(error))))
    if as_json:
        print_json_error(f"{type(error).__name__}: {error}", hint="this is a bug; please report it", code=ExitCode.BUG)
    return ExitCode.BUG


def print_json_error(message: str, *, hint: str = "", code: int, details: dict[str, object] | None = None) -> None:
    """An error as the one object on stdout."""
    from mistraltune.cli.console import print_json
    from mistraltune.secrets import masked

    print_json({"error": {"exit_code": int(code), "message": masked(message), "hint": masked(hint), **(details or {})}})


def end_by_signal(number: int) -> None:
    """End as the signal would have ended the process, so that a shell loop around it stops too."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
