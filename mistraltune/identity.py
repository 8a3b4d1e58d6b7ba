"""What decides a run's result, compared field by field."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from mistraltune.dotted import flatten, value_at
from mistraltune.errors import ConfigError


def differing_fields(known: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Dotted paths at which two identities differ."""
    paths = dict.fromkeys([*flatten(known), *flatten(wanted)])
    return [path for path in paths if value_at(known, path) != value_at(wanted, path)]


def is_named(field: str, names: Sequence[str]) -> bool:
    """Whether `names` holds the field or a section that it is in; `config.` may be left out."""
    return any(f"{field}.".startswith((f"{name}.", f"config.{name}.")) for name in names)


def refuse_unknown_fields(names: Sequence[str], fields: Sequence[str]) -> None:
    """Refuse a name that no field answers to.

    Raises:
        ConfigError: Names the nearest field.
    """
    for name in names:
        if not any(is_named(field, [name]) for field in fields):
            short = [field.removeprefix("config.") for field in fields]
            near = difflib.get_close_matches(name, short, n=1)
            raise ConfigError(
                f"--allow-changed {name}: a run has no such field",
                hint=f"did you mean {near[0]}?" if near else "an error about a changed run names the fields",
            )
