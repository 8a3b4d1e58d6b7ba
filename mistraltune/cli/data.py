"""`mistraltune data ...`: check and describe files of rows, and see a row as its model will."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mistraltune.cli import data_writing
from mistraltune.cli.console import JsonOption, note, print_json, show, stdout

if TYPE_CHECKING:
    from rich.text import Text

    from mistraltune.cli.counting import CountingProgress
    from mistraltune.data.rendered import Rendered
    from mistraltune.data.validating import CheckReport, FileReport
    from mistraltune.interfaces import Renderer

app = typer.Typer(no_args_is_help=True, help="Check, describe, convert, split and show files of rows.")

DEFAULT_TOKENIZER = "tekken"
ROWS_WORTH_A_BAR = 10_000
"""Fewer are tokenised in about a second."""

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="REF", help="Tokenise as this model does: quickstart, a directory, a Hub id."),
]
TokenizerOption = Annotated[
    str | None,
    typer.Option("--tokenizer", metavar="NAME", help="Tokenise as v1, v2, v3, v7 or tekken (mistral-common)."),
]


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL files.")],
    *,
    model: ModelOption = None,
    tokenizer: TokenizerOption = None,
    max_length: Annotated[
        int | None,
        typer.Option("--max-length", min=1, metavar="N", help="Longest sequence in tokens; longer is an error."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every row: all errors at once, each with file, line and what to do. Exit code 3 where there are any.

    Rows are `instruction`/`input`/`output`, `messages` or `prompt`/`completion`. With a model or a tokenizer, tokens
    are counted too.
    """
    from mistraltune.data.validating import check_files, count_tokens
    from mistraltune.errors import ConfigError

    open_renderer = renderer_opener(model, tokenizer) if model or tokenizer else None
    if max_length and not open_renderer:
        raise ConfigError("--max-length counts tokens", hint="name a --model or a --tokenizer")
    renderer = open_renderer() if open_renderer else None
    report = check_files(files)
    for path, file_report in zip(files, report.files, strict=True):
        if open_renderer and renderer and not file_report.findings.num_errors:
            count_tokens(path, file_report, renderer, open_renderer=open_renderer, max_length=max_length)
    if as_json and not report.num_errors:
        print_json(report.as_dict())
    if not as_json:
        print_report(report)
    refuse_errors(report)


def print_report(report: CheckReport) -> None:
    """Print each finding on a line, then each file on a line."""
    for finding in report.findings:
        show(str(finding))
    for file in report.files:
        hidden = file.findings.num_hidden
        if hidden:
            show(f"{file.file}: {hidden:,} more findings are not shown")
    for file in report.files:
        show(summary(file))


def summary(report: FileReport) -> str:
    """One file on one line."""
    from mistraltune.data.findings import counted

    kind = f" ({report.format})" if report.format else ""
    parts = [
        f"{counted(report.num_rows, 'row')}{kind}",
        counted(report.findings.num_errors, "error"),
        counted(report.findings.num_warnings, "warning"),
    ]
    if tokens := report.tokens:
        parts += [
            counted(tokens["num_sequences"], "sequence"),
            counted(tokens["num_tokens"], "token"),
            f"{tokens['num_trained_tokens']:,} trained",
            f"longest {tokens['longest']:,}",
        ]
    return f"{report.file}: {', '.join(parts)}"


def refuse_errors(report: CheckReport) -> None:
    """Raise where a file has errors; what they are has been printed, or is in the details."""
    from mistraltune.data.findings import counted
    from mistraltune.errors import DataError

    if report.num_errors:
        message = f"{counted(report.num_errors, 'error')} in the data"
        raise DataError(message, hint="mend or drop the rows named above", details=report.as_dict())


@app.command()
def stats(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL files.")],
    *,
    model: ModelOption = None,
    tokenizer: TokenizerOption = None,
    max_length: Annotated[
        int | None,
        typer.Option("--max-length", min=1, metavar="N", help="Count and name rows that are longer, in tokens."),
    ] = None,
    rows_per_step: Annotated[
        int, typer.Option("--rows-per-step", min=1, metavar="N", help="Batch size times accumulation times devices.")
    ] = 16,
    as_json: JsonOption = False,
) -> None:
    """Show what files are like: rows, duplicates, tokens, lengths with a histogram, shared rows, steps an epoch.

    Tokens are those of a model or a tokenizer, Tekken's where none is named. Nothing is changed; a file with errors is
    refused, as by `validate`.
    """
    from dataclasses import asdict

    from mistraltune.cli.counting import CountingProgress
    from mistraltune.data.conversation_file import ConversationFile
    from mistraltune.data.lines import display_name
    from mistraltune.data.reopening import Reopening
    from mistraltune.data.statistics import describe, overlaps

    open_renderer = renderer_opener(model, tokenizer)
    opened = [ConversationFile.open(file) for file in files]
    renderer = open_renderer()
    reopening = Reopening(open_renderer, renderer.fingerprint)
    described = []
    with CountingProgress() as watch:
        for file in opened:
            described.append(
                describe(
                    file,
                    renderer.render,
                    reopening=reopening,
                    max_length=max_length,
                    rows_per_step=rows_per_step,
                    on_progress=partial(_tell, watch, display_name(file.path), len(file)),
                )
            )
    shared = overlaps(described, opened)
    if as_json:
        tokenizer_name = None if model else tokenizer or DEFAULT_TOKENIZER
        print_json(
            {
                "model": model,
                "tokenizer": tokenizer_name,
                "files": [file.as_dict() for file in described],
                "overlaps": [asdict(overlap) for overlap in shared],
            }
        )
        return
    from mistraltune.cli.data_statistics import show_statistics

    note(f"tokens of {model or tokenizer or DEFAULT_TOKENIZER}")
    show_statistics(described, shared)


def _tell(watch: CountingProgress, name: str, num_rows: int, num_done: int) -> None:
    """Show how far a long file is; a short one is done before that would be read."""
    if num_rows >= ROWS_WORTH_A_BAR:
        watch(f"tokenising {name}", num_done, num_rows)


app.command()(data_writing.convert)
app.command()(data_writing.dedupe)
app.command()(data_writing.split)


@app.command("show")
def show_row(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL file.")],
    *,
    row: Annotated[int, typer.Option("--row", min=1, metavar="N", help="Which row, counted from 1.")],
    model: ModelOption = None,
    tokenizer: TokenizerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a row as the tokens that a model reads, those that are trained marked: coloured, or in ⟦ ⟧."""
    from mistraltune.data.reading import read_conversation

    conversation = read_conversation(file, row)
    renderer = renderer_opener(model, tokenizer)()
    sequences = renderer.render(conversation)
    if as_json:
        values = [as_json_value(sequence, renderer) for sequence in sequences]
        print_json(values[0] if len(values) == 1 else {"sequences": values})
        return
    for number, sequence in enumerate(sequences, start=1):
        place = f"sequence {number} of {len(sequences)}, " if len(sequences) > 1 else ""
        length = f"{len(sequence.token_ids):,} tokens, {sum(sequence.loss_mask):,} of them trained"
        note(f"{conversation.source}: {place}{length}")
        show(drawn(sequence, renderer))


def as_json_value(sequence: Rendered, renderer: Renderer) -> dict[str, object]:
    """One rendered sequence for JSON."""
    return {
        "token_ids": list(sequence.token_ids),
        "loss_mask": [int(is_trained) for is_trained in sequence.loss_mask],
        "text": renderer.decode(sequence.token_ids, skip_special_tokens=False),
    }


def drawn(sequence: Rendered, renderer: Renderer) -> Text:
    """The text of a sequence, trained stretches green and underlined on a terminal and in brackets elsewhere."""
    from rich.text import Text

    from mistraltune.data.characters import escaped

    text = Text()
    tokens = zip(sequence.token_ids, sequence.loss_mask, strict=True)
    for is_trained, run in groupby(tokens, key=lambda token: bool(token[1])):
        piece = escaped(renderer.decode([token_id for token_id, _ in run], skip_special_tokens=False))
        if not is_trained:
            text.append(piece, style="dim")
        elif stdout().is_terminal:
            text.append(piece, style="green underline")
        else:
            text.append(f"⟦{piece}⟧")
    return text


def renderer_opener(model: str | None, tokenizer: str | None) -> Callable[[], Renderer]:
    """What opens the renderer of a model, or of a tokenizer by name; Tekken's where neither is named."""
    from mistraltune.errors import ConfigError

    if model and tokenizer:
        raise ConfigError("--model and --tokenizer exclude each other", hint="the tokenizer follows from the model")
    if model:
        from mistraltune.registry import find_model, open_renderer

        return partial(open_renderer, find_model(model))
    from mistraltune.data.rendering import MistralRenderer

    return partial(MistralRenderer.from_name, tokenizer or DEFAULT_TOKENIZER)
