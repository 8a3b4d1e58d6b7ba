"""Files of lines that are made from other files: never in place, never over something else by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mistraltune.data.lines import display_name
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import is_disk_error, publish_file

LineSource = Callable[[], Iterable[bytes]]
"""Gives the lines of a file, line ends included, as often as it is asked."""


def write_files(outputs: Mapping[Path, LineSource], *, sources: Iterable[Path], replace: bool = False) -> list[Path]:
    """Write each file that does not hold its lines already; say which were written.

    Nothing is written unless all can be. Each file appears whole or not at all.

    Args:
        outputs: What each file shall hold.
        sources: Files that the lines come from.
        replace: Whether files that hold something else may be replaced.

    Raises:
        ConfigError: An output is a folder or a source, lies below a file, or holds something else and `replace` is
            False, or nobody may write it.
        TemporaryError: The disk is full or failing.
    """
    for path in outputs:
        refuse_unfit(path, sources)
    stale = [path for path, lines in outputs.items() if not holds(path, lines())]
    for path in stale:
        if path.exists() and not replace:
            raise ConfigError(f"{display_name(path)} exists and holds something else", hint="--force replaces it")
    for path in stale:
        try:
            with publish_file(path) as file:
                file.writelines(outputs[path]())
        except OSError as error:
            told = f"{display_name(path)} could not be written: {error.strerror}"
            if is_disk_error(error):
                raise TemporaryError(told) from error
            raise ConfigError(told, hint="name another file") from error
    return stale


def refuse_unfit(path: Path, sources: Iterable[Path]) -> None:
    """Raise where an output is a folder, lies below a file, or is one of its sources by whatever name."""
    folder = next((folder for folder in path.parents if folder.exists()), None)
    if folder and not folder.is_dir():
        raise ConfigError(f"{display_name(folder)} is a file, not a folder", hint="name another folder")
    if path.is_dir():
        raise ConfigError(f"{display_name(path)} is a folder", hint="name a file")
    if path.exists() and any(source.exists() and path.samefile(source) for source in sources):
        raise ConfigError(f"{display_name(path)} would overwrite its own source", hint="write to another file")


def holds(path: Path, lines: Iterable[bytes]) -> bool:
    """Whether a file holds exactly these lines."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return all(file.read(len(line)) == line for line in lines) and not file.read(1)
