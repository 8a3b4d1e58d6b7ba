"""`export push`: an adapter or a merged model on the Hub, with a card that says what it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from mistraltune.errors import ConfigError
from mistraltune.exporting.card_evaluations import card_evaluations
from mistraltune.exporting.model_card import QUICKSTART_BASE, Card, write_card
from mistraltune.exporting.records import public_name, read_record, source_identity
from mistraltune.registry import get_exporting_backend
from mistraltune.results import QUICKSTART, ModelRef
from mistraltune.runs import RunDir, is_run_dir
from mistraltune.secrets import masked

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class Push(NamedTuple):
    """What will be on the Hub.

    Attributes:
        backend: Name of the backend that publishes.
        repo: `OWNER/NAME`.
        files: By their name in the repository: a file of this machine, or content.
        card: The content of README.md, which is one of the files.
        note: What the card leaves out; empty where nothing.
    """

    backend: str
    repo: str
    files: dict[str, Path | bytes]
    card: str
    note: str


def plan_push(ref: ModelRef, repo: str, *, merged: Path | None) -> Push:
    """The files to publish of a finished run; nothing is sent.

    Args:
        ref: The run's model.
        repo: `OWNER/NAME` on the Hub.
        merged: The directory that `export merge` wrote of this run, to be published instead of the adapter.

    Raises:
        ConfigError: `ref` is no run, `repo` is no such name, or `merged` is of another run.
    """
    get_exporting_backend(ref.backend)
    if not ref.adapter or not is_run_dir(Path(ref.adapter)):
        raise ConfigError(f"{ref} is no run", hint="name a finished run: the card is made of what it recorded")
    if not REPO.fullmatch(repo):
        raise ConfigError(f"{repo!r} is no name of a Hub repository", hint="it looks like OWNER/NAME")
    run = RunDir(Path(ref.adapter))
    record = merged_record(ref, merged) if merged else None
    hashes = (run.metadata["identity"].get(f"{name}_sha256") for name in ("train", "val"))
    evaluations = card_evaluations(run.path / "evals", trained_on={digest for digest in hashes if digest})
    base = public_name(ref.model)
    base_on_hub = QUICKSTART_BASE if base == QUICKSTART else None if Path(ref.model).is_dir() else base
    card = write_card(
        Card(
            repo=repo,
            base=base,
            base_on_hub=base_on_hub,
            revision=ref.revision if base_on_hub == base else None,
            metadata=run.metadata,
            metrics=run.metrics,
            evaluations=evaluations,
            merged=record,
        )
    )
    card = masked(card)
    files: dict[str, Path | bytes] = merged_files(merged) if merged else adapter_files(run.path, base_on_hub or base)
    return Push(ref.backend, repo, files | {"README.md": card.encode()}, card, evaluations.note())


def push(planned: Push, *, private: bool) -> str:
    """Publish what was planned, as one commit; its address.

    Raises:
        ConfigError: There is no key, or the repository cannot be what was asked.
        ApiError: The Hub refuses.
        TemporaryError: It cannot be reached.
    """
    backend = get_exporting_backend(planned.backend)
    return backend.publish(planned.files, repo=planned.repo, private=private, message="Upload with MistralTune")


def merged_record(ref: ModelRef, merged: Path) -> dict[str, Any]:
    """The record of a merged model, once it is sure that it is of this run."""
    record = read_record(merged)
    if record is None or record["identity"].get("kind") != "merge":
        raise ConfigError(f"{merged} is no merged model", hint="`mistraltune export merge RUN OUT` writes one")
    if record["identity"]["source"].get("adapter") != source_identity(ref)["adapter"]:
        raise ConfigError(f"{merged} was merged from another adapter than {ref.adapter}")
    return record


def merged_files(merged: Path) -> dict[str, Path | bytes]:
    """All files of a merged model."""
    return {file.name: file for file in sorted(merged.iterdir()) if file.is_file() and file.name[0] != "."}


def adapter_files(run: Path, base: str) -> dict[str, Path | bytes]:
    """The adapter's files, its base named so that others find it too."""
    weights, config_file = (run / name for name in ADAPTER_FILES)
    config = json.loads(config_file.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
    return {weights.name: weights, config_file.name: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()}
