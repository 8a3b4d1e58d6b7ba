"""Values that a shell completes: shipped configurations, and runs. Cheap, for it is asked at every press of Tab."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

RUN_FILE = "training_metadata.yaml"
"""What makes a folder a run; `run_metadata.METADATA`, which takes longer to import."""


def complete_config(incomplete: str) -> list[str]:
    """Shipped configurations by name, then YAML files."""
    from mistraltune.shipped import shipped_root

    names = [path.stem for path in (shipped_root() / "configs").glob("*.yaml")]
    return [name for name in sorted(names) if name.startswith(incomplete)] + [
        path for path in paths(incomplete) if path.endswith((".yaml", ".yml", os.sep))
    ]


def complete_run(incomplete: str) -> list[str]:
    """Run directories, and folders on the way to some."""
    return [path for path in paths(incomplete) if path.endswith(os.sep) or is_run(path)]


def complete_model(incomplete: str) -> list[str]:
    """As `complete_run`, and the quickstart model."""
    return [name for name in ("quickstart",) if name.startswith(incomplete)] + complete_run(incomplete)


def complete_run_name(incomplete: str) -> list[str]:
    """Names of runs in the usual output directory, then run directories."""
    names = [path.rpartition(os.sep)[2] for path in paths(f"outputs{os.sep}{incomplete}") if is_run(path)]
    return names + complete_run(incomplete)


def is_run(path: str) -> bool:
    """Whether a folder is a run."""
    return (Path(path) / RUN_FILE).is_file()


def paths(incomplete: str) -> Iterator[str]:
    """What a path may go on to; a folder that is no run ends with a slash, so that one can go on.

    Where there is one such folder alone, what is in it: bash would put a space after the slash.
    """
    folder, _, start = incomplete.rpartition(os.sep)
    place = Path(folder or (os.sep if incomplete.startswith(os.sep) else ".")).expanduser()
    try:
        entries = sorted(entry.name for entry in os.scandir(place))
    except OSError:
        return
    found = []
    for name in entries:
        if name.startswith(start) and (start or not name.startswith(".")):
            path = f"{folder}{os.sep}{name}" if incomplete.count(os.sep) else name
            found.append(path if not (place / name).is_dir() or is_run(path) else f"{path}{os.sep}")
    inside = list(paths(found[0])) if len(found) == 1 and found[0].endswith(os.sep) else []
    yield from inside or found
