"""Values of settings and figures as text."""

from __future__ import annotations

from typing import Any


def shown(value: Any) -> str:
    """A value in a table's cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def spelled(value: Any) -> str:
    """A value as a configuration spells it: `null`, `true`, `2e-05`, `[q_proj, v_proj]`."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spelled, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
