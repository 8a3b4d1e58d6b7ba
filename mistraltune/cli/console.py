"""The two channels of a command: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 120
"""Columns of what is drawn as wide as there is room, such as answers side by side, where no terminal shows it."""

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
    if isinstance(renderable, str):
        print_text(stdout(), renderable)
    else:
        stdout().print(renderable)


def show_line(text: str) -> None:
    """Print a result as one line, however long: a terminal wraps it, and it is copied as a whole."""
    stdout().print(text, markup=False, soft_wrap=True)


def show_beside(label: str, text: str) -> None:
    """Print a text beside a label; on a terminal its further lines begin below its first."""
    room = stdout().width - len(label) if stdout().is_terminal else None
    for number, line in enumerate([text] if room is None else wrap(text, room)):
        show_line(f"{' ' * len(label) if number else label}{line}")


def note(text: str) -> None:
    """Say something beside the result: what is being done, what was found, where a file lies."""
    print_text(stderr(), text)


def print_text(console: Console, text: str) -> None:
    """Print a text, on a terminal with line breaks between its words."""
    lines = wrap(text, console.width) if console.is_terminal else [text]
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most so many columns, broken between words; a longer word, such as a path, stays whole."""
    from rich.cells import cell_len

    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in re.findall(r"\s*\S+", paragraph):
            if line and cell_len(line + word) > width:
                lines.append(line)
                word = word.lstrip()  # noqa: PLW2901 - of a line that is broken before it
                line = ""
            line += word
        lines.append(line)
    return lines


def print_json(value: Any) -> None:
    """Print the one JSON object of a `--json` command, in ASCII: no locale and no odd file name can break it."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def write_event(event: Mapping[str, Any]) -> None:
    """Say what a `--json` command is at: one JSON object a line on stderr."""
    sys.stderr.write(json.dumps(event) + "\n")
    sys.stderr.flush()
