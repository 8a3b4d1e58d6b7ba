"""Tables in which nothing is cut and no word broken; what a narrow terminal leaves out is named.

A pipe gets every column at its full width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from mistraltune.cli.console import note, show_beside, show_line, stdout, wrap

GAP = "  "
INDENT = "  "
LEAST_WIDTH = 20
"""Of a last column that wraps; what is longer than a line of it is left to the terminal."""


class Column(NamedTuple):
    """A column, and what becomes of it where there is no room.

    Attributes:
        heading: Its name.
        is_number: Whether it is aligned to the right.
        wraps: Whether its texts may go on in a next line, between words; in the last column a word may be longer.
        gives_way: Whether it may be left out, the last such column first, and be named below the table.
    """

    heading: str
    is_number: bool = False
    wraps: bool = False
    gives_way: bool = False


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; each row as a block of lines where a terminal is too narrow for columns.

    Args:
        columns: What is in each cell of a row.
        rows: The cells, taken literally.
    """
    room = stdout().width if stdout().is_terminal else None
    left_out: list[int] = []
    may_go = [place for place, column in enumerate(columns) if column.gives_way]
    while True:
        kept = [place for place in range(len(columns)) if place not in left_out]
        chosen = [columns[place] for place in kept]
        cells = [[row[place] for place in kept] for row in rows]
        if widths := fitting_widths(chosen, cells, room):
            show_columns(chosen, cells, widths)
            break
        if not may_go:
            show_blocks(columns, rows)
            return
        left_out.append(may_go.pop())
    if left_out:
        names = ", ".join(columns[place].heading for place in sorted(left_out))
        note(f"not shown in {room} columns: {names}; --json has all")


def fitting_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> list[int] | None:
    """How wide each column is drawn, within `room` characters; None where that is not enough."""
    texts = [[column.heading, *(row[place] for row in rows)] for place, column in enumerate(columns)]
    widths = [max(map(cell_len, column)) for column in texts]
    if room is None:
        return widths
    least = [longest_word(texts[place]) if column.wraps else widths[place] for place, column in enumerate(columns)]
    if columns[-1].wraps:
        least[-1] = min(widths[-1], LEAST_WIDTH)
    excess = sum(widths) + len(GAP) * (len(columns) - 1) - room
    for place in sorted(range(len(columns)), key=lambda place: least[place] - widths[place]):
        given = min(max(excess, 0), widths[place] - least[place])
        widths[place] -= given
        excess -= given
    return widths if excess <= 0 else None


def longest_word(texts: Sequence[str]) -> int:
    """The width of the longest word."""
    return max(cell_len(word) for text in texts for word in text.split() or [""])


def show_columns(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """Print rows below their headings."""
    for row in [[column.heading for column in columns], *rows]:
        wrapped = [wrap(text, width) for text, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, wrapped))):
            pieces = [lines[number] if number < len(lines) else "" for lines in wrapped]
            aligned = (align(*each) for each in zip(pieces, columns, widths, strict=True))
            show_line(GAP.join(aligned).rstrip())


def show_blocks(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as its first cell, and below it a line for every other cell that holds something."""
    width = max(cell_len(column.heading) for column in columns[1:])
    for title, *cells in rows:
        show_line(title)
        for column, text in zip(columns[1:], cells, strict=True):
            if text:
                show_beside(f"{INDENT}{set_cell_size(column.heading, width)}{GAP}", text)


def align(text: str, column: Column, width: int) -> str:
    """A text at its side of a column."""
    fill = " " * (width - cell_len(text))
    return f"{fill}{text}" if column.is_number else f"{text}{fill}"
