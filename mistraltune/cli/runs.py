"""`mistraltune runs ...`: what lies in the output directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mistraltune.cli.completion import complete_run_name
from mistraltune.cli.console import JsonOption, note, print_json, show, stdout

if TYPE_CHECKING:
    from mistraltune.overview.comparing import ComparedRun
    from mistraltune.runs import RunDir

app = typer.Typer(no_args_is_help=True, help="List, show and compare training runs.")

SHOWN = ("run_id", "status", "model", "num_steps", "train_loss", "val_loss", "started_at")
"""Keys that a list shows anyway."""

SHORTEST_CURVE, LONGEST_CURVE = 10, 40
"""Characters."""

OutputDir = Annotated[Path, typer.Option("--output-dir", help="Where the run directories lie.")]


@app.command("list")
def list_(
    context: typer.Context,
    output_dir: OutputDir = Path("outputs"),
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="KEY=VALUE", help="Only runs of which this holds; also != < <= > >=."),
    ] = None,
    status: Annotated[str | None, typer.Option("--status", help="Short for --where status=...")] = None,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="KEY", help="Order by a figure or a setting, the smallest first.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the runs, oldest first, or those of which conditions hold.

    A key is a figure (val_loss), a setting (quantization, lora.r, training.seed), status, model, run_id or started_at.
    """
    from mistraltune.overview.selection import parse_condition, select
    from mistraltune.runs import list_runs

    source = context.get_parameter_source("output_dir")
    refuse_no_folder(output_dir, is_asked_for=source is not None and source.name != "DEFAULT")
    conditions = [parse_condition(text) for text in [*(where or ()), *([f"status={status}"] if status else ())]]
    listed = [summarise_or_excuse(run) for run in list_runs(output_dir)]
    runs = select(listed, conditions=conditions, sort=sort, reverse=reverse)
    if as_json:
        print_json({"runs": runs})
        return
    if not runs:
        note(
            f"no runs in {output_dir}"
            if not listed
            else f"none of the {len(listed)} runs in {output_dir} is such a one"
        )
        return
    asked = dict.fromkeys([*(condition.key for condition in conditions), *([sort] if sort else [])])
    show_runs(runs, more=[key for key in asked if key not in SHOWN])


def refuse_no_folder(output_dir: Path, *, is_asked_for: bool) -> None:
    """Refuse an output directory that is none; before the first run there is no `outputs`, which is no mistake.

    Raises:
        ConfigError: It is a file, or it was asked for and does not exist.
    """
    from mistraltune.errors import ConfigError

    if output_dir.exists() and not output_dir.is_dir():
        raise ConfigError(f"--output-dir {output_dir} is a file", hint="name the folder that holds the runs")
    if is_asked_for and not output_dir.exists():
        raise ConfigError(f"--output-dir {output_dir} does not exist", hint="name the folder that holds the runs")


@app.command("compare")
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run directories, or their names below --output-dir.",
            autocompletion=complete_run_name,
        ),
    ],
    output_dir: OutputDir = Path("outputs"),
    all_settings: Annotated[bool, typer.Option("--all", help="Settings that are equal too.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained report.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put runs side by side: settings that differ, final figures, loss curves."""
    from mistraltune.cli.compare import check_html
    from mistraltune.errors import ConfigError
    from mistraltune.overview import comparing

    if len(runs) < 2:
        raise ConfigError("one run is nothing to compare", hint="name two or more; `runs show` shows one")
    check_html(html)
    compared = [comparing.read_run(find_run(name, output_dir)) for name in runs]
    settings = comparing.compared_settings(compared, equal_too=all_settings)
    if html:
        write_html(html, compared)
    if as_json:
        described = [dataclasses.asdict(run) for run in compared]
        print_json({"runs": described, "settings": settings, "html": str(html) if html else None})
        return
    show_compared(compared, settings)
    if html:
        show(f"report: {html}")


def write_html(path: Path, compared: list[ComparedRun]) -> None:
    """Write the report, dated now."""
    from mistraltune.clock import now
    from mistraltune.overview.report import render_runs
    from mistraltune.provenance import versions
    from mistraltune.publishing import publish_text

    publish_text(path, render_runs(compared, created_at=now(), versions=versions()))


def show_compared(compared: list[ComparedRun], settings: dict[str, list[Any]]) -> None:
    """Settings, figures and curves for people."""
    from mistraltune.cli.tables import Column, show_table
    from mistraltune.overview.comparing import compared_metrics
    from mistraltune.overview.values import shown

    for heading, values_by_name in (("setting", settings), ("figure", compared_metrics(compared))):
        if not values_by_name:
            note("all settings are equal" if heading == "setting" else "no run has figures yet")
            continue
        columns = [Column(heading), *(Column(run.run_id) for run in compared)]
        show_table(columns, [[name, *map(shown, values)] for name, values in values_by_name.items()])
        show("")
    show_curves(compared)


def show_curves(compared: list[ComparedRun]) -> None:
    """The losses of all runs on one scale, a line a curve."""
    from mistraltune.cli.sparkline import curve_line
    from mistraltune.cli.tables import Column, show_table
    from mistraltune.overview.comparing import last_step, loss_range

    curves = [
        (f"{run.run_id} {kind}", points)
        for run in compared
        for kind, points in (("train", run.train), ("validation", run.validation))
        if points
    ]
    if not curves:
        note("no run has logged a loss yet")
        return
    (low, high), last = loss_range(compared), last_step(compared)
    show(f"loss, step 0 to {last:,}, from {low:.4g} (▁) to {high:.4g} (█)")
    room = stdout().width - max(len(name) for name, _ in curves) - len("  first   last    ")
    width = max(SHORTEST_CURVE, min(LONGEST_CURVE, room))
    rows = []
    for name, points in curves:
        line = curve_line(points, low=low, high=high, last=last, width=width)
        rows.append([name, line, f"{points[0][1]:.4f}", f"{points[-1][1]:.4f}"])
    show_table([Column("curve"), Column(""), Column("first", is_number=True), Column("last", is_number=True)], rows)


def show_runs(runs: list[dict[str, Any]], *, more: list[str]) -> None:
    """Runs in a line each, with a column for each further key that was asked for."""
    from mistraltune.cli.tables import Column, show_table
    from mistraltune.overview.selection import field
    from mistraltune.overview.values import shown

    columns = [
        Column("run"),
        Column("status"),
        Column("model", gives_way=True),
        Column("steps", is_number=True),
        Column("train loss", is_number=True),
        Column("val loss", is_number=True),
        Column("started (UTC)", gives_way=True),
        *map(Column, more),
    ]
    rows = []
    for run in runs:
        metrics = run["metrics"]
        losses = (f"{metrics[key]:.4f}" if metrics.get(key) is not None else "" for key in ("train_loss", "val_loss"))
        steps = shown(metrics["num_steps"]) if metrics.get("num_steps") is not None else ""
        started = run["started_at"][:16].replace("T", " ")
        asked = (shown(field(run, key)) for key in more)
        rows.append([run["run_id"], run["status"], run["model"], steps, *losses, started, *asked])
    show_table(columns, rows)


@app.command("show")
def show_run(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run directory, or its name below --output-dir.",
            autocompletion=complete_run_name,
        ),
    ],
    output_dir: OutputDir = Path("outputs"),
    as_json: JsonOption = False,
) -> None:
    """Show one run: status, model, data, figures."""
    from mistraltune.configuring import dump_yaml

    found = find_run(run, output_dir)
    content = {**summarise(found), "metadata": found.metadata}
    del content["config"]  # the metadata holds it
    if as_json:
        print_json(content)
        return
    show(dump_yaml(content).rstrip())


def find_run(name: str, output_dir: Path) -> RunDir:
    """The run called `name`.

    Raises:
        ConfigError: There is none.
    """
    from mistraltune.errors import ConfigError
    from mistraltune.runs import RunDir, is_run_dir

    for path in (Path(name), output_dir / name):
        if is_run_dir(path):
            return RunDir(path)
    raise ConfigError(f"no run called {name} here or in {output_dir}", hint="`mistraltune runs list` names them")


def summarise_or_excuse(run: RunDir) -> dict[str, Any]:
    """One run in a line; one that this version cannot read does not hide the others."""
    from mistraltune.errors import ConfigError
    from mistraltune.overview.selection import UNREADABLE

    try:
        return summarise(run)
    except ConfigError as error:
        note(f"{error.message}; {error.hint}")
        return {
            "run_id": run.run_id,
            "run_dir": str(run.path),
            "status": UNREADABLE,
            "model": "",
            "started_at": run.started_at,
            "metrics": {},
            "config": {},
        }


def summarise(run: RunDir) -> dict[str, Any]:
    """One run in a line."""
    metadata = run.metadata
    return {
        "run_id": run.run_id,
        "run_dir": str(run.path),
        "status": run.status,
        "model": metadata["identity"]["config"]["model"],
        "started_at": metadata["started_at"],
        "metrics": run.metrics,
        "config": metadata["identity"]["config"],
    }
