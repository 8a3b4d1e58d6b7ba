"""What an exported directory says of itself, and what may stand where one shall be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistraltune import __version__
from mistraltune.errors import ConfigError
from mistraltune.identity import differing_fields
from mistraltune.publishing import adapter_sha256, check_writable
from mistraltune.registry import get_backend
from mistraltune.results import ModelRef
from mistraltune.runs import is_run_dir

RECORD = "mistraltune_export.json"
"""Says what an exported directory was made of and how it was checked. It goes along when the directory is published,
so that it holds no path of this machine."""

FORMAT_VERSION = 1


def source_identity(ref: ModelRef) -> dict[str, Any]:
    """What decides the weights of an export, without the places where it lies.

    `model` is `quickstart`, a Hub id, or the name of a directory; `adapter` maps each file to its hash.
    """
    identity: dict[str, Any] = {
        "model": public_name(ref.model),
        "revision": get_backend(ref.backend).revision(ref.base),
    }
    if ref.adapter:
        folder = Path(ref.adapter)
        identity["adapter"] = adapter_sha256(folder)
        identity["run_id"] = folder.resolve().name if is_run_dir(folder) else None
    return identity


def public_name(model: str) -> str:
    """A model's name without the place where it lies on this machine."""
    path = Path(model).expanduser()
    return path.resolve().name if path.is_absolute() or path.is_dir() else model


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of an exported directory; None where there is none.

    Raises:
        ConfigError: It is damaged, or a newer MistralTune wrote it.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        version = record["format_version"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / RECORD} is damaged: {error}", hint="delete the directory, or name another"
        ) from error
    if version > FORMAT_VERSION:
        raise ConfigError(f"{folder} was made by a newer MistralTune", hint="upgrade MistralTune to read it")
    return dict(record)


def find_export(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The record of this very export where it lies in `folder` already; None where nothing lies there.

    Raises:
        ConfigError: Something else lies there, or nothing can be written there.
    """
    hint = "name another directory, or delete this one"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file", hint="name a directory")
    record = read_record(folder)
    if record is None:
        if folder.is_dir() and any(folder.iterdir()):
            held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:3])
            raise ConfigError(f"{folder} is no export, but holds {held}", hint=hint)
        check_writable(folder.parent, option="directory")
        return None
    differing = differing_fields(record.get("identity", {}), identity)
    if differing:
        raise ConfigError(f"{folder} holds another export; different: {', '.join(differing)}", hint=hint)
    return record


def new_record(identity: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A record of an export that was just made."""
    return {"format_version": FORMAT_VERSION, "mistraltune": __version__, "identity": identity, **facts}
