"""The two channels of a command: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 240
"""Columns of a table that no terminal shows: wide enough that no run id is cut."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of text.")]


@cache
def stdout() -> Console:
    """Console for results; plain text where stdout is no terminal."""
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    return Console(highlight=False, emoji=False, soft_wrap=not on_terminal, width=None if on_terminal else PIPE_WIDTH)


@cache
def stderr() -> Console:
    """Console for progress, notes and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, soft_wrap=not sys.stderr.isatty())


def show(renderable: RenderableType) -> None:
    """Print a result; a string is taken literally, never as markup."""
    stdout().print(renderable, markup=False)


def note(text: str) -> None:
    """Say something beside the result: what is being done, what was found, where a file lies."""
    stderr().print(text, markup=False)


def print_json(value: Any) -> None:
    """Print the one JSON object of a `--json` command, in ASCII: no locale and no odd file name can break it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def write_event(event: Mapping[str, Any]) -> None:
    """Say what a `--json` command is at: one JSON object a line on stderr."""
    sys.stderr.write(json.dumps(event) + "\n")
    sys.stderr.flush()
