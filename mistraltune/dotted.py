"""Nested values and the dotted paths of their leaves: `training.learning_rate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted paths of all leaves; a list is one leaf."""
    paths = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        paths += flatten(value, f"{path}.") if isinstance(value, Mapping) and value else [path]
    return paths


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values from dotted paths."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *sections, leaf = path.split(".")
        target = nested
        for section in sections:
            target = target.setdefault(section, {})
        target[leaf] = value
    return nested


def value_at(values: dict[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    current: Any = values
    for part in path.split("."):
        current = current.get(part) if isinstance(current, dict) else None
    return current
