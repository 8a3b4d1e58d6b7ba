"""`mistraltune train api`: fine-tune by a Mistral-compatible API."""

from __future__ import annotations

from typing import Annotated

import typer

from mistraltune.cli.console import JsonOption
from mistraltune.cli.train import (
    AllowChanged,
    AllowOverlap,
    OutputDir,
    Overrides,
    Resume,
    RunId,
    TrainFile,
    ValFile,
    general_options,
    run_backend,
)

ConfigFile = Annotated[str, typer.Option("--config", help="YAML file, or a shipped one by name.")]
Model = Annotated[str | None, typer.Option("--model", help="Public name of a base model, such as open-mistral-7b.")]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", help="mistral, local, or a name in your endpoints.yaml (default: mistral).")
]
TrainingSteps = Annotated[int | None, typer.Option("--training-steps", min=1, help="Optimizer steps.")]
Epochs = Annotated[float | None, typer.Option("--epochs", help="Passes over the rows, instead of steps.")]
LearningRate = Annotated[float | None, typer.Option("--learning-rate", help="Peak learning rate.")]
WeightDecay = Annotated[float | None, typer.Option("--weight-decay", help="AdamW weight decay.")]
WarmupFraction = Annotated[
    float | None, typer.Option("--warmup-fraction", help="Share of the steps in which the learning rate rises.")
]
SeqLen = Annotated[int | None, typer.Option("--seq-len", help="Longest sequence in tokens (default: the API's).")]
Suffix = Annotated[str | None, typer.Option("--suffix", help="Part of the new model's name, up to 11 characters.")]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", help="Start no job that costs more, in the API's currency.")
]
Detach = Annotated[bool, typer.Option("--detach", help="End once the job is started; the same command watches it.")]
IgnoreLimits = Annotated[
    bool, typer.Option("--ignore-limits", help="Upload files larger than Mistral's API is known to take.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check configuration and data, show what would be sent; send nothing.")
]


def api(
    config: ConfigFile = "api",
    overrides: Overrides = None,
    model: Model = None,
    train_file: TrainFile = None,
    val_file: ValFile = None,
    endpoint: Endpoint = None,
    training_steps: TrainingSteps = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    weight_decay: WeightDecay = None,
    warmup_fraction: WarmupFraction = None,
    seq_len: SeqLen = None,
    suffix: Suffix = None,
    max_cost: MaxCost = None,
    output_dir: OutputDir = None,
    run_id: RunId = None,
    resume: Resume = False,
    allow_changed: AllowChanged = None,
    allow_overlap: AllowOverlap = False,
    dry_run: DryRun = False,
    detach: Detach = False,
    ignore_limits: IgnoreLimits = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune by an API that speaks Mistral's protocol: Mistral's own, or `mistraltune serve`.

    One job comes of it, whatever fails on the way: the same command again finds it and goes on. Ctrl-C detaches.

    Keys come from the environment: MISTRAL_API_KEY, MISTRALTUNE_SERVER_KEY, or what your endpoints.yaml names.
    """
    run_backend(
        "api",
        files=[config],
        overrides=overrides,
        options=general_options(model, train_file, val_file, output_dir, run_id)
        | {
            "training.max_steps": training_steps,
            "training.epochs": epochs,
            "training.learning_rate": learning_rate,
            "training.weight_decay": weight_decay,
            "training.warmup_fraction": warmup_fraction,
            "api.endpoint": endpoint,
            "api.seq_len": seq_len,
            "api.suffix": suffix,
            "api.max_cost": max_cost,
            "api.detach": detach or None,
            "api.ignore_limits": ignore_limits or None,
        },
        must_exist=resume,
        allow_changed=allow_changed,
        allow_overlap=allow_overlap,
        dry_run=dry_run,
        as_json=as_json,
    )
