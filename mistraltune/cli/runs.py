"""`mistraltune runs ...`: what lies in the output directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show

if TYPE_CHECKING:
    from mistraltune.runs import RunDir

app = typer.Typer(no_args_is_help=True, help="List and show training runs.")

OutputDir = Annotated[Path, typer.Option("--output-dir", help="Where the run directories lie.")]


@app.command("list")
def list_(output_dir: OutputDir = Path("outputs"), as_json: JsonOption = False) -> None:
    """List the runs, oldest first."""
    from mistraltune.runs import list_runs

    runs = [summarise_or_excuse(run) for run in list_runs(output_dir)]
    if as_json:
        print_json({"runs": runs})
        return
    if not runs:
        note(f"no runs in {output_dir}")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "model", "steps", "train loss", "val loss", "started"):
        table.add_column(heading)
    for run in runs:
        metrics = run["metrics"]
        losses = (f"{metrics[key]:.4f}" if metrics.get(key) is not None else "" for key in ("train_loss", "val_loss"))
        table.add_row(
            run["run_id"], run["status"], run["model"], str(metrics.get("num_steps", "")), *losses, run["started_at"]
        )
    show(table)


@app.command("show")
def show_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory, or its name below --output-dir.")],
    output_dir: OutputDir = Path("outputs"),
    as_json: JsonOption = False,
) -> None:
    """Show one run: status, model, data, figures."""
    from mistraltune.configuring import dump_yaml

    found = find_run(run, output_dir)
    content = summarise(found) | {"metadata": found.metadata}
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

    try:
        return summarise(run)
    except ConfigError as error:
        note(f"{error.message}; {error.hint}")
        return {
            "run_id": run.run_id,
            "run_dir": str(run.path),
            "status": "unreadable",
            "model": "",
            "started_at": run.started_at,
            "metrics": {},
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
    }
