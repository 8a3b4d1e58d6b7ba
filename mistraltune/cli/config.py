"""`mistraltune config ...` and `init`: what a run would use, what can be set, and the shipped files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mistraltune.cli.completion import complete_config
from mistraltune.cli.console import JsonOption, note, print_json, show

app = typer.Typer(no_args_is_help=True, help="Show configurations and their schema.")

BackendName = Annotated[str, typer.Option("--backend", help="Whose section to include.")]


@app.command("schema")
def schema(backend: BackendName = "local", as_json: JsonOption = False) -> None:
    """Print the JSON schema of a training configuration: every key, its type, limits, default and meaning.

    It is JSON with --json or without.
    """
    from mistraltune.config import train_config_type
    from mistraltune.registry import get_backend

    print_json(train_config_type(backend, get_backend(backend).options).model_json_schema())


@app.command("show")
def show_config(
    config: Annotated[
        str | None,
        typer.Option("--config", help="YAML file, or a shipped one by name.", autocompletion=complete_config),
    ] = None,
    lora: Annotated[
        str | None, typer.Option("--lora", help="YAML merged after --config.", autocompletion=complete_config)
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key.")] = None,
    backend: BackendName = "local",
    as_json: JsonOption = False,
) -> None:
    """Print what a run would use, and where each value comes from."""
    from mistraltune.config import train_config_type
    from mistraltune.configuring import load_config
    from mistraltune.dotted import value_at
    from mistraltune.registry import get_backend

    loaded = load_config(
        train_config_type(backend, get_backend(backend).options),
        files=[file for file in (config, lora) if file is not None],
        overrides=overrides or [],
    )
    values: dict[str, Any] = loaded.config.model_dump(mode="json")
    if as_json:
        print_json({"config": values, "origins": loaded.origins})
        return
    from mistraltune.cli.tables import Column, show_table
    from mistraltune.overview.values import spelled

    columns = [Column("key"), Column("from"), Column("value", wraps=True)]
    show_table(columns, [[path, origin, spelled(value_at(values, path))] for path, origin in loaded.origins.items()])


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; existing files are kept.")],
    as_json: JsonOption = False,
) -> None:
    """Write the shipped configs, the example data and .env.example to a folder of your own."""
    from mistraltune.shipped import copy_shipped

    written = copy_shipped(folder)
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        show(str(path))
    note(f"{len(written)} files written" if written else f"{folder} has all files already; nothing changed")
