"""The whole straight line of a training run: check, plan, lock, train, record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mistraltune.config import TrainConfig
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.fitting import Fitted, fit
from mistraltune.data.measuring import Rules
from mistraltune.data.overlap import SharedRows, find_overlap
from mistraltune.data.reopening import Reopening
from mistraltune.errors import ConfigError, DataError, Stopped
from mistraltune.interfaces import Backend, Renderer, Trainer
from mistraltune.provenance import describe_origin, library_majors
from mistraltune.publishing import check_writable
from mistraltune.runs import Event, RunDir, refuse_foreign_dir
from mistraltune.secrets import masked

Listener = Callable[[Event], None]

ROWS_PER_PROGRESS = 1000
"""Rendered rows between two progress events; about half a second apart."""


@dataclass(frozen=True)
class Plan:
    """What a run will do, known before any weight is loaded.

    Attributes:
        config: The resolved configuration.
        path: The run directory.
        identity: What decides the result: configuration, data, base model, tokenizer.
        train: Rows that are trained on, those too long left out or cut as configured; where rows are rendered
            elsewhere, all of them.
        validation: Likewise, for the validation loss.
        overlap: Rows that both share, where there are validation rows; there are such rows only where they are allowed.
        num_devices: Devices that share each step, one a process.
        num_steps: Optimizer steps; None where only the place that renders the rows can count them.
        preview: What the trainer says of the run beforehand.
        trainer: Has not refused the configuration.
    """

    config: TrainConfig
    path: Path
    identity: dict[str, Any]
    train: Fitted | ConversationFile
    validation: Fitted | ConversationFile | None
    overlap: SharedRows | None
    num_devices: int
    num_steps: int | None
    preview: dict[str, Any]
    trainer: Trainer

    def summary(self) -> dict[str, Any]:
        """The plan as JSON-like figures, for `--dry-run` and the run's metadata."""
        return {
            "run_dir": str(self.path),
            "num_devices": self.num_devices,
            "num_steps": self.num_steps,
            "train": self.train.statistics(),
            "validation": self.validation.statistics() if self.validation else None,
            "overlap": self.overlap.counts() if self.overlap is not None else None,
            **self.preview,
        }


def train(  # noqa: PLR0913 - options by name
    backend: Backend,
    config: TrainConfig,
    *,
    num_devices: int = 1,
    must_exist: bool = False,
    allow_changed: Sequence[str] = (),
    allow_overlap: bool = False,
    on_event: Listener = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunDir:
    """The run of `config`: trained now, continued, or found finished and left untouched.

    It has not finished where its trainer lets the work go on without us.

    Args:
        backend: Does the training.
        config: Everything that decides the run.
        num_devices: Devices that share each step; where there are several, this process leads the others.
        must_exist: Insist that the run was begun before (`--resume`).
        allow_changed: Fields of the run's identity that may differ from those it was begun with.
        allow_overlap: Train though validation rows stand in the training data too; their number is recorded.
        on_event: Hears what happens, see `RunDir.emit`.
        should_stop: Asked after every step.

    Raises:
        ConfigError: Configuration, model or run directory cannot be used.
        DataError: A data file is refused; every finding is named.
        LockedError: Another process works on the run.
        Stopped: `should_stop` said so; a checkpoint is saved.
    """
    plan = make_plan(
        backend,
        config,
        num_devices=num_devices,
        must_be_free=True,
        allow_overlap=allow_overlap,
        on_event=on_event,
    )
    run = RunDir(plan.path, on_event=on_event, should_stop=should_stop)
    if must_exist and not run.metadata:
        raise ConfigError(f"there is no run to resume at {plan.path}", hint="leave out --resume to start it")
    with run.locked():
        run.begin(
            plan.identity, config=rerunnable(plan.config), facts=facts(backend, plan), allow_changed=allow_changed
        )
        if run.metadata["status"] == "finished":
            run.emit("note", text=f"{plan.path} has finished already; nothing to do")
            return run
        try:
            result = plan.trainer.train(plan.train, plan.validation or (), run)
        except Stopped:
            raise
        except BaseException as error:
            run.fail(masked(f"{type(error).__name__}: {error}"))
            raise
        if result:
            run.finish(result)
    return run


def make_plan(  # noqa: PLR0913 - options by name
    backend: Backend,
    config: TrainConfig,
    *,
    num_devices: int = 1,
    must_be_free: bool = False,
    allow_overlap: bool = False,
    on_event: Listener = lambda event: None,
) -> Plan:
    """Check output, data and model, render every row once where that is done here, and count the steps.

    Args:
        backend: Will do the training.
        config: Everything that decides the run.
        num_devices: Devices that share each step.
        must_be_free: Refuse a run that another process works on, before the rows are rendered.
        allow_overlap: Count rows that training and validation data share instead of refusing them.
        on_event: Hears what happens.

    Raises:
        ConfigError: The output cannot be written, or the model cannot be found.
        DataError: Findings in the data, rows too long, or rows shared, exactly or nearly, by train and validation.
        LockedError: Another process works on the run, which must be free.
    """
    base = backend.base(config)
    config = config.model_copy(update={"model": base.model})
    check_writable(Path(config.output_dir), option="--output-dir")
    on_event({"event": "phase", "phase": "data", "text": f"checking {config.data.train_file}"})
    train_file = ConversationFile.open(Path(config.data.train_file))
    val_file = ConversationFile.open(Path(config.data.val_file)) if config.data.val_file else None
    for warning in [*train_file.warnings, *(val_file.warnings if val_file else ())]:
        on_event({"event": "note", "text": str(warning)})
    overlap = find_overlap(train_file, val_file) if val_file else None
    if overlap:
        describe_overlap(overlap, is_allowed=allow_overlap, on_event=on_event)

    trainer = backend.trainer(config)
    renderer = backend.renderer(base)
    identity = {
        "backend": backend.name,
        "config": config.without_place() | {"data": config.data.model_dump(exclude={"train_file", "val_file"})},
        "train_sha256": train_file.sha256,
        "val_sha256": val_file.sha256 if val_file else None,
        "base_revision": backend.revision(base),
        "tokenizer": renderer.fingerprint if renderer else None,
    }
    path = Path(config.output_dir) / (config.run_id or default_run_id(config.model, identity))
    refuse_foreign_dir(path)
    if must_be_free:
        RunDir(path).refuse_held()

    train_rows: Fitted | ConversationFile = train_file
    val_rows: Fitted | ConversationFile | None = val_file
    if renderer:
        on_event({"event": "phase", "phase": "render", "text": f"tokenising for {config.model}"})
        reopening = Reopening(partial(backend.renderer, base), renderer.fingerprint)
        train_rows = fit_rows(train_file, renderer, config, reopening=reopening, on_event=on_event)
        val_rows = fit_rows(val_file, renderer, config, reopening=reopening, on_event=on_event) if val_file else None
    for name, rows in (("training", train_rows), ("validation", val_rows)):
        if rows is not None:
            on_event({"event": "data", "name": name, **rows.statistics()})
    preview = trainer.preview(train_rows, val_rows or ())
    if preview:
        on_event({"event": "preview", **preview})
    for warning in preview.get("warnings", ()):
        on_event({"event": "note", "text": f"warning: {warning}"})
    num_steps = config.training.num_steps(num_rows=len(train_rows), num_devices=num_devices)
    return Plan(
        config=config,
        path=path,
        # Not in the run's name: after an upgrade, or on fewer devices, the same command finds its run, and is told what
        # differs.
        identity=identity | ({"num_devices": num_devices, "libraries": library_majors()} if renderer else {}),
        train=train_rows,
        validation=val_rows,
        overlap=overlap,
        num_devices=num_devices,
        num_steps=num_steps if renderer else config.training.max_steps,
        preview=preview,
        trainer=trainer,
    )


def fit_rows(
    file: ConversationFile, renderer: Renderer, config: TrainConfig, *, reopening: Reopening, on_event: Listener
) -> Fitted:
    """The rows of `file` that can be trained on, each rendered once to find out; many are, by several processes.

    Raises:
        DataError: Rows are refused; each is named.
    """

    def tell(num_done: int) -> None:
        if num_done % ROWS_PER_PROGRESS == 0:
            on_event({"event": "progress", "done": num_done, "total": len(file)})

    rules = Rules(config.data.max_length, config.data.on_too_long, renderer.bos_id, renderer.end_ids)
    return fit(file, renderer.render, rules=rules, reopening=reopening, on_progress=tell)


def describe_overlap(overlap: SharedRows, *, is_allowed: bool, on_event: Listener) -> None:
    """Say which validation rows stand in the training data too: their loss would measure memory.

    Raises:
        DataError: That is not allowed.
    """
    found = overlap.describe("validation", "the training data")
    if not is_allowed:
        hint = "`mistraltune data split` puts duplicates on one side, with --near 0.9 near ones too; or --allow-overlap"
        raise DataError(found, hint=hint, details={"overlap": overlap.as_dict()})
    on_event({"event": "note", "text": f"{found}; allowed, and recorded"})


def default_run_id(model: str, identity: dict[str, Any]) -> str:
    """A readable name that the same configuration, data and base model always get."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{Path(model).name.lower()}-{digest[:10]}"


def rerunnable(config: TrainConfig) -> dict[str, Any]:
    """The configuration for the run's `config.yaml`, with paths that hold from any working directory."""
    values = config.model_dump(mode="json")
    for key in ("train_file", "val_file"):
        if values["data"][key]:
            values["data"][key] = str(Path(values["data"][key]).resolve())
    if values["training"]["max_steps"]:
        del values["training"]["epochs"]  # replaced by max_steps
    values["output_dir"] = str(Path(config.output_dir).resolve())
    return values


def facts(backend: Backend, plan: Plan) -> dict[str, Any]:
    """What the run's metadata says beside its identity."""
    return {"backend": backend.name, "seed": plan.config.training.seed, "plan": plan.summary(), **describe_origin()}
