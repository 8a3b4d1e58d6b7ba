"""Tables on terminals of some widths, and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from mistraltune.cli import console, tables
from mistraltune.cli.tables import Column, show_table

RUN = "mistral-7b-instruct-v0.3-3f9a0c1d2e"
COLUMNS = [
    Column("run"),
    Column("tag", wraps=True),
    Column("model", gives_way=True),
    Column("steps", is_number=True),
]
ROWS = [[RUN, "two words", "mistralai/Mistral-7B-Instruct-v0.3", "300"], ["[red]日本", "", "quickstart", "7"]]

Draw = Callable[[int | None], str]


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Draw:
    """Draws the table on a terminal of so many columns, or in a pipe; what is said beside it follows."""

    def draw_at(width: int | None) -> str:
        file = io.StringIO()
        made = Console(file=file, force_terminal=width is not None, width=width or 10, color_system=None, emoji=False)
        for module in (console, tables):
            monkeypatch.setattr(module, "stdout", lambda: made)
        show_table(COLUMNS, ROWS)
        return file.getvalue() + capsys.readouterr().err

    return draw_at


def test_a_pipe_gets_every_column_whole_whatever_its_width(draw: Draw) -> None:
    assert draw(None) == (
        "run                                  tag        model                               steps\n"
        "mistral-7b-instruct-v0.3-3f9a0c1d2e  two words  mistralai/Mistral-7B-Instruct-v0.3    300\n"
        "[red]日本                                       quickstart                              7\n"
    )
    assert draw(200) == draw(None)


def test_texts_wrap_between_words_before_a_column_is_left_out(draw: Draw) -> None:
    assert draw(85).splitlines()[1:3] == [
        "mistral-7b-instruct-v0.3-3f9a0c1d2e  two    mistralai/Mistral-7B-Instruct-v0.3    300",
        "                                     words",
    ]


def test_a_column_that_is_left_out_is_named(draw: Draw) -> None:
    assert draw(60) == (
        "run                                  tag        steps\n"
        "mistral-7b-instruct-v0.3-3f9a0c1d2e  two words    300\n"
        "[red]日本                                           7\n"
        "not shown in 60 columns: model; --json has all\n"
    )


def test_where_columns_cannot_be_each_row_is_a_block_that_holds_everything(draw: Draw) -> None:
    assert draw(30) == (
        f"{RUN}\n"
        "  tag    two words\n"
        "  model  mistralai/Mistral-7B-Instruct-v0.3\n"
        "  steps  300\n"
        "[red]日本\n"
        "  model  quickstart\n"
        "  steps  7\n"
    )


def test_a_text_is_broken_between_words_and_a_path_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.StringIO()
    made = Console(file=file, force_terminal=True, width=20, color_system=None)
    monkeypatch.setattr(console, "stdout", lambda: made)
    console.show("predictions: /a/rather/long/path/to/a/file.jsonl and more words")
    assert file.getvalue() == "predictions:\n/a/rather/long/path/to/a/file.jsonl\nand more words\n"
