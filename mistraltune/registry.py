"""Names to things: backends and evaluators by entry point, models by the one string that names them everywhere."""

from __future__ import annotations

import difflib
import json
import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from mistraltune.abilities import ExportingBackend
from mistraltune.errors import ConfigError
from mistraltune.interfaces import Backend, Evaluator, Renderer
from mistraltune.results import QUICKSTART, ModelRef
from mistraltune.runs import RunDir, is_run_dir

BACKENDS = "mistraltune.backends"
EVALUATORS = "mistraltune.evaluators"


def get_backend(name: str) -> Backend:
    """The backend called `name`, built in or from a plugin.

    Raises:
        ConfigError: No installed package registers it.
    """
    backend: Backend = find_entry_point(BACKENDS, name, noun="backend").load()()
    return backend


def get_exporting_backend(name: str) -> ExportingBackend:
    """The backend called `name`, if its models can be exported.

    Raises:
        ConfigError: No installed package registers it, or its models cannot leave it.
    """
    backend = get_backend(name)
    if not hasattr(backend, "merge"):
        raise ConfigError(f"models of the backend {name} cannot be exported", hint="`local` ones can")
    return cast("ExportingBackend", backend)


def get_evaluator(name: str) -> Evaluator:
    """The evaluator called `name`, built in or from a plugin.

    Raises:
        ConfigError: No installed package registers it.
    """
    evaluator: Evaluator = find_entry_point(EVALUATORS, name, noun="evaluator").load()()
    return evaluator


def open_renderer(ref: ModelRef) -> Renderer:
    """The renderer of a model.

    Raises:
        ConfigError: Its rows are rendered out of sight, behind an API.
    """
    renderer = get_backend(ref.backend).renderer(ref)
    if renderer is None:
        raise ConfigError(
            f"rows for {ref} are rendered by its server",
            hint="--tokenizer names a tokenizer; --model a model whose files can be had",
        )
    return renderer


def backend_names() -> list[str]:
    """Names of all installed backends, without importing any of them."""
    return sorted({entry.name for entry in entry_points(group=BACKENDS)})


def find_entry_point(group: str, name: str, *, noun: str) -> EntryPoint:
    """The entry point called `name`; an error suggests the nearest name."""
    entries = {entry.name: entry for entry in entry_points(group=group)}
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=1)
    hint = f"did you mean {near[0]}?" if near else f"installed: {', '.join(sorted(entries))}"
    raise ConfigError(f"there is no {noun} called {name!r}", hint=hint)


def find_model(text: str, **fields: Any) -> ModelRef:
    """The model that a `--model` string names.

    Args:
        text: A run directory, an adapter directory, a model directory, a Hub id, `quickstart`,
            or `BACKEND:MODEL_ID[@ENDPOINT]`, such as `api:mistral-small-latest`, for models that another backend opens.
        fields: Further fields of the reference, such as `quantization`, for models that are no run.

    Raises:
        ConfigError: It names nothing that can be a model.
    """
    if not text.strip():
        raise ConfigError(
            "a model reference is empty", hint="name a run directory, a model directory, a Hub id or quickstart"
        )
    if text == QUICKSTART:  # as in training, whatever folder of that name stands here; that one is ./quickstart
        return ModelRef(model=text, **fields)
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - leaves an unknown ~user as it is
    if is_run_dir(path):
        return RunDir(path).model
    backend, separator, model_id = text.partition(":")
    if separator and not path.exists():
        if backend == "ft":  # as an API names what it has fine-tuned
            raise ConfigError(f"{text} is a model of an API", hint=f"name it api:{text}, or api:{text}@ENDPOINT")
        get_backend(backend)
        model, at, endpoint = model_id.rpartition("@") if "@" in model_id else (model_id, "", "")
        if not model or (at and not endpoint):
            raise ConfigError(f"{text} lacks a name", hint=f"name it {backend}:MODEL or {backend}:MODEL@ENDPOINT")
        return ModelRef(backend=backend, model=model, endpoint=endpoint or None, **fields)
    if (path / "adapter_config.json").is_file():
        return find_adapter(path, **fields)
    if path.is_absolute() or text.startswith((".", "~")) or path.exists():
        return find_model_dir(path, **fields)
    return ModelRef(model=text, **fields)


def find_adapter(path: Path, **fields: Any) -> ModelRef:
    """The model that a PEFT adapter directory stands for: its base, with the adapter on top."""
    try:
        config = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}/adapter_config.json is not JSON: {error}", hint="save the adapter again") from error
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{path}/adapter_config.json names no base model (base_model_name_or_path)")
    revision = config.get("revision")
    return ModelRef(model=base, adapter=str(path), revision=revision if isinstance(revision, str) else None, **fields)


def find_model_dir(path: Path, **fields: Any) -> ModelRef:
    """A model directory, or a clear word on what is missing there."""
    if not path.is_dir():
        raise ConfigError(f"no such model directory: {path}")
    if not (path / "config.json").is_file():
        raise ConfigError(
            f"{path} holds no model: config.json is missing", hint="name a run, adapter or model directory"
        )
    return ModelRef(model=str(path), **fields)
