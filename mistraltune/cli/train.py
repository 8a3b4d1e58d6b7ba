"""`mistraltune train ...`: one subcommand per backend, one straight line behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mistraltune import launched
from mistraltune.cli.completion import complete_config, complete_model
from mistraltune.cli.console import JsonOption, note
from mistraltune.cli.launching import (
    AccelerateConfig,
    Launcher,
    NumProcesses,
    count_devices,
    follow,
    leading,
    planning,
    read_launch,
    start,
)

if TYPE_CHECKING:
    from mistraltune.abilities import Launch

ConfigFile = Annotated[
    str | None,
    typer.Option("--config", help="YAML file, or a shipped one by name: base, cpu.", autocompletion=complete_config),
]
LoraFile = Annotated[
    str | None,
    typer.Option(
        "--lora",
        help="YAML merged after --config; shipped: lora_r8a16, lora_r16a32, lora_r32a64, lora_r16a32_experts.",
        autocompletion=complete_config,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, such as lora.r=8; repeatable."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Base model: quickstart, a directory, or a Hub id.", autocompletion=complete_model),
]
TrainFile = Annotated[str | None, typer.Option("--train-file", help="Training rows, JSONL.")]
ValFile = Annotated[str | None, typer.Option("--val-file", help="Rows for the validation loss, JSONL.")]
OutputDir = Annotated[
    str | None, typer.Option("--output-dir", help="Where run directories are made (default: outputs).")
]
RunId = Annotated[
    str | None, typer.Option("--run-id", help="Name of the run directory (default: a hash of what decides it).")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Insist that the run was begun before; continuing needs no option.")
]
AllowChanged = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-changed",
        metavar="FIELD",
        help="Continue an unfinished run though this field differs, such as training.learning_rate; repeatable.",
    ),
]
AllowOverlap = Annotated[
    bool,
    typer.Option("--allow-overlap", help="Train though validation rows are, nearly or exactly, in the training data."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check configuration and data, show tokens and steps; load no weights.")
]

PLANNED = ("data", "preview")
"""Events of what a dry run prints as its result."""


class BackendGroup(TyperGroup):
    """The built-in backends, and `train NAME` for every backend that a plugin brings."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Built-in commands first, then plugins."""
        from mistraltune.registry import backend_names

        built_in = super().list_commands(ctx)
        return [*built_in, *(name for name in backend_names() if name not in built_in)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a backend, made on demand for a plugin's."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        from mistraltune.registry import backend_names

        if cmd_name not in backend_names():
            return None
        plugin_app = typer.Typer(add_completion=False)
        plugin_app.command(name=cmd_name, help=f"Train with the {cmd_name} backend (a plugin).")(
            plugin_command(cmd_name)
        )
        return typer.main.get_command(plugin_app)


app = typer.Typer(cls=BackendGroup, no_args_is_help=True, help="Fine-tune a model.")


@app.callback()
def train() -> None:
    """Fine-tune a model, with the backend that the subcommand names."""


@app.command("local")
def local(
    config: ConfigFile = None,
    lora: LoraFile = None,
    overrides: Overrides = None,
    model: Model = None,
    train_file: TrainFile = None,
    val_file: ValFile = None,
    output_dir: OutputDir = None,
    run_id: RunId = None,
    resume: Resume = False,
    allow_changed: AllowChanged = None,
    allow_overlap: AllowOverlap = False,
    dry_run: DryRun = False,
    launcher: Launcher = None,
    num_processes: NumProcesses = None,
    accelerate_config: AccelerateConfig = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune on this machine by LoRA or QLoRA.

    The same command again continues an unfinished run and leaves a finished one untouched. Ctrl-C saves a checkpoint.
    """
    launch = read_launch(launcher, num_processes, accelerate_config)
    if launched.rank() > 0:
        follow()
        return
    with leading():
        run_backend(
            "local",
            files=[config, lora],
            overrides=overrides,
            options=general_options(model, train_file, val_file, output_dir, run_id),
            must_exist=resume,
            allow_changed=allow_changed,
            allow_overlap=allow_overlap,
            dry_run=dry_run,
            launch=launch,
            as_json=as_json,
        )


def plugin_command(backend: str) -> Callable[..., None]:
    """The command of a plugin's backend: the general options, its own section through --config and --set."""

    def command(
        config: ConfigFile = None,
        overrides: Overrides = None,
        model: Model = None,
        train_file: TrainFile = None,
        val_file: ValFile = None,
        output_dir: OutputDir = None,
        run_id: RunId = None,
        resume: Resume = False,
        allow_changed: AllowChanged = None,
        allow_overlap: AllowOverlap = False,
        dry_run: DryRun = False,
        as_json: JsonOption = False,
    ) -> None:
        run_backend(
            backend,
            files=[config],
            overrides=overrides,
            options=general_options(model, train_file, val_file, output_dir, run_id),
            must_exist=resume,
            allow_changed=allow_changed,
            allow_overlap=allow_overlap,
            dry_run=dry_run,
            as_json=as_json,
        )

    return command


def general_options(
    model: str | None, train_file: str | None, val_file: str | None, output_dir: str | None, run_id: str | None
) -> dict[str, Any]:
    """The options that every backend has, by the configuration keys that they set; None is not given."""
    return {
        "model": model,
        "data.train_file": train_file,
        "data.val_file": val_file,
        "output_dir": output_dir,
        "run_id": run_id,
    }


def run_backend(
    name: str,
    *,
    files: list[str | None],
    overrides: list[str] | None,
    options: dict[str, Any],
    must_exist: bool,
    allow_changed: list[str] | None,
    allow_overlap: bool,
    dry_run: bool,
    launch: Launch | None = None,
    as_json: bool,
) -> None:
    """Load the configuration, then plan or train with the backend called `name`, or have several processes do so."""
    if not as_json and not launched.is_launched():
        note(f"mistraltune train {name}: reading the configuration ...")
    from mistraltune.cli.progress import RunProgress
    from mistraltune.cli.signals import stop_on_signals
    from mistraltune.config import train_config_type
    from mistraltune.configuring import load_config
    from mistraltune.registry import get_backend
    from mistraltune.training import make_plan, train

    backend = get_backend(name)
    config = load_config(
        train_config_type(name, backend.options),
        files=[file for file in files if file is not None],
        overrides=overrides or [],
        options=options,
    ).config
    if launch and not launched.is_launched():
        if not dry_run:
            start(launch)
            return
        backend = planning(launch)
    if dry_run:
        tell_idle(options, must_exist=must_exist, allow_changed=allow_changed)
    num_devices = count_devices(launch)
    with stop_on_signals() as stop, RunProgress(as_json=as_json, leave_out=PLANNED if dry_run else ()) as progress:

        def on_event(event: dict[str, Any]) -> None:
            stop.hear(event)
            progress(event)

        if dry_run:
            plan = make_plan(backend, config, num_devices=num_devices, allow_overlap=allow_overlap, on_event=on_event)
        else:
            run = train(
                backend,
                config,
                num_devices=num_devices,
                must_exist=must_exist,
                allow_changed=allow_changed or (),
                allow_overlap=allow_overlap,
                on_event=on_event,
                should_stop=stop,
            )
    from mistraltune.cli.training_results import show_plan, show_run

    if dry_run:
        show_plan(plan, as_json=as_json)
    else:
        show_run(run, as_json=as_json)


def tell_idle(options: dict[str, Any], *, must_exist: bool, allow_changed: list[str] | None) -> None:
    """Name the given options that say nothing to a dry run, for they are about a run that goes on or a job."""
    given = {
        "--resume": must_exist,
        "--allow-changed": allow_changed,
        "--max-cost": options.get("api.max_cost") is not None,
        "--detach": options.get("api.detach"),
    }
    if idle := [name for name, value in given.items() if value]:
        note(f"without effect in a dry run: {', '.join(idle)}")
