"""`mistraltune data convert`, `dedupe` and `split`: new files of rows, made from one that stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show

NUM_DUPLICATES_SHOWN = 5
ROWS_PER_NOTE = 10_000
"""Are read for near-duplicates in some seconds."""

NearOption = Annotated[
    float | None,
    typer.Option("--near", min=0.5, max=1.0, metavar="S", help="Rows alike to this share, such as 0.9, count too."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that hold something else.")]


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="JSONL or one JSON array: ShareGPT, instruct, messages, prompt-completion."),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The JSONL file to write; never IN itself.")],
    *,
    to: Annotated[Literal["messages", "instruct"], typer.Option("--to", help="Format to write.")] = "messages",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert rows to a format that `validate` accepts. Tool calls survive; a row that would be lost is an error."""
    from mistraltune.data.converting import convert_file
    from mistraltune.data.findings import counted
    from mistraltune.data.lines import display_name

    done = convert_file(source, target, to=to, replace=force)
    for warning in done.warnings:
        note(str(warning))
    if as_json:
        counts = {"num_rows": done.num_rows, "num_tool_calls": done.num_tool_calls}
        print_json({"file": display_name(target), "format": to, **counts, "is_written": done.is_written})
        return
    calls = f", {counted(done.num_tool_calls, 'tool call')}" if done.num_tool_calls else ""
    state = "" if done.is_written else " (unchanged: the file held them already)"
    show(f"{display_name(target)}: {counted(done.num_rows, 'row')}{calls}{state}")


def dedupe(
    source: Annotated[Path, typer.Argument(metavar="IN", help="JSONL file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The JSONL file to write; never IN itself.")],
    *,
    near: NearOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a file without duplicates, whatever their case and spacing; with --near without near ones too.

    Of rows that are alike the first stays, byte for byte; where trained answers differ, both stay and are counted.
    --json names each row that goes and the row kept for it.
    """
    from mistraltune.data.deduping import dedupe_file
    from mistraltune.data.findings import counted
    from mistraltune.data.lines import display_name

    done = dedupe_file(source, target, near=near, replace=force, on_progress=tell_comparing)
    if as_json:
        print_json(
            {
                "file": display_name(target),
                "num_rows": done.num_rows,
                "num_kept": done.num_kept,
                "num_exact": done.num_exact,
                "num_near": done.num_near,
                "num_other_answers": len(done.other_answers),
                "duplicates": [duplicate._asdict() for duplicate in done.duplicates],
                "other_answers": [alike._asdict() for alike in done.other_answers],
                "is_written": done.is_written,
            }
        )
        return
    state = "" if done.is_written else " (unchanged: the file held them already)"
    nearly = f" and {counted(done.num_near, 'near-duplicate')}" if near is not None else ""
    left_out = f"{counted(done.num_exact, 'duplicate')}{nearly} left out of {counted(done.num_rows, 'row')}"
    show(f"{display_name(target)}: {counted(done.num_kept, 'row')}, {left_out}{state}")
    for line, kept, similarity in done.duplicates[:NUM_DUPLICATES_SHOWN]:
        likeness = "the same as" if similarity == 1 else f"{similarity:.2f} like"
        note(f"{display_name(source)}:{line} is {likeness} line {kept}")
    num_more = len(done.duplicates) - NUM_DUPLICATES_SHOWN
    if num_more > 0:
        note(f"and {num_more:,} more; --json lists all")
    if done.other_answers:
        first = done.other_answers[0]
        example = f"such as line {first.line}, {first.similarity:.2f} like line {first.alike_to}"
        note(f"alike, other answers: {counted(len(done.other_answers), 'row')} kept, {example}; --json lists all")


def tell_comparing(num_done: int) -> None:
    """Say now and then how many rows have been read for near-duplicates."""
    if num_done % ROWS_PER_NOTE == 0:
        note(f"looking for near-duplicates: {num_done:,} rows read")


def split(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL file.")],
    *,
    out_dir: Annotated[Path, typer.Option("--out-dir", metavar="DIR", help="Gets train.jsonl, val.jsonl, test.jsonl.")],
    val: Annotated[float, typer.Option("--val", help="Share of the rows for validation.")] = 0.1,
    test: Annotated[float, typer.Option("--test", help="Share of the rows for the test.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes another choice.")] = 42,
    near: NearOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Divide a file into train, validation and test. Duplicates share a part, whatever their case and spacing.

    With --near, rows that are nearly equal share a part too, and so do all that are like one of them.
    """
    from mistraltune.data.findings import counted
    from mistraltune.data.lines import display_name
    from mistraltune.data.splitting import split_file

    done = split_file(
        file, out_dir, val=val, test=test, seed=seed, near=near, replace=force, on_progress=tell_comparing
    )
    if as_json:
        files = {name: display_name(path) for name, path in done.files.items()}
        written = [display_name(path) for path in done.written]
        print_json(
            {
                "files": files,
                "num_rows": done.num_rows,
                "num_duplicates": done.num_duplicates,
                "num_near": done.num_near,
                "written": written,
            }
        )
        return
    for name, path in done.files.items():
        state = "" if path in done.written else " (unchanged: the file held them already)"
        show(f"{display_name(path)}: {counted(done.num_rows[name], 'row')}{state}")
    nearly = f" and {counted(done.num_near, 'near-duplicate')}" if near is not None else ""
    note(f"{counted(done.num_duplicates, 'duplicate row')}{nearly}, each kept with the row it repeats")
