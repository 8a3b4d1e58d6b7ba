"""`mistraltune serve`: Mistral's fine-tuning API on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Holds files and jobs (default: the user's data folder).", show_default=False),
]

app = typer.Typer(
    invoke_without_command=True,
    help="Serve Mistral's fine-tuning API and a web console, training on this machine; `link` signs a browser in.",
)


@app.callback()
def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; another than loopback needs a key of your own.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65_535, help="Port (default: 8000).")] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="NAME", help="A further name that clients may use; repeatable."),
    ] = None,
    data_dir: DataDir = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME=REF", help="Serve a base model under a public name; repeatable."),
    ] = None,
    runs_dir: Annotated[
        list[Path] | None,
        typer.Option("--runs-dir", metavar="DIR", help="Show the runs below, in the console too; repeatable."),
    ] = None,
    max_parallel_jobs: Annotated[int, typer.Option("--max-parallel-jobs", min=1, help="Trainings at a time.")] = 1,
    keep_loaded: Annotated[
        bool, typer.Option("--keep-loaded", help="Keep models that answer in memory while a training runs.")
    ] = False,
    opens_browser: Annotated[bool, typer.Option("--open", help="Open the console in a browser.")] = False,
) -> None:
    """Answer the requests of Mistral's fine-tuning API by training on this machine.

    Clients send the key that is printed at the start, or MISTRALTUNE_SERVER_KEY; the link that is printed too signs a
    browser in to the web console. Ctrl-C stops it: trainings save and go on at the next start.
    """
    if context.invoked_subcommand:
        return
    from mistraltune.serve.catalogue import make_catalogue
    from mistraltune.serve.running import run_server
    from mistraltune.settings import ServerSettings, read_settings

    given: dict[str, Any] = {"host": host, "port": port}
    settings = read_settings(ServerSettings).model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    run_server(
        settings,
        data_dir or default_data_dir(),
        make_catalogue(model or ()),
        allowed_hosts=allowed_host or (),
        runs_dirs=runs_dir or (),
        max_parallel_jobs=max_parallel_jobs,
        keep_loaded=keep_loaded,
        opens_browser=opens_browser,
        tell=note,
    )


@app.command("reindex")
def reindex(data_dir: DataDir = None, as_json: JsonOption = False) -> None:
    """Rebuild the index of files and jobs from their folders; the old one is kept beside it."""
    from mistraltune.serve.reindexing import rebuild

    folder = data_dir or default_data_dir()
    rebuilt = rebuild(folder)
    if as_json:
        print_json({"data_dir": str(folder), "num_files": rebuilt.num_files, "num_jobs": rebuilt.num_jobs})
        return
    show(f"{folder}: {rebuilt.num_files} files and {rebuilt.num_jobs} jobs")
    for problem in rebuilt.problems:
        note(problem)


@app.command("link")
def link(data_dir: DataDir = None, as_json: JsonOption = False) -> None:
    """Print a new link that signs a browser in to the console of the running server; it opens once."""
    from mistraltune.serve.sessions import CODE_SECONDS, link_to_running_server

    address = link_to_running_server(data_dir or default_data_dir())
    if as_json:
        print_json({"link": address, "valid_seconds": CODE_SECONDS})
        return
    show(address)


@app.command("openapi")
def openapi() -> None:
    """Print the API's OpenAPI document, as every server has it at /openapi.json."""
    from mistraltune.serve.app import describe_api

    print_json(describe_api())


def default_data_dir() -> Path:
    """Where the server keeps what it is given when nobody says where."""
    import platformdirs

    return Path(platformdirs.user_data_dir("mistraltune")) / "server"
