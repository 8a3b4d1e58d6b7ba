"""What travels with the package: configs and the quickstart's example, in a clone and in an installed wheel alike."""

from __future__ import annotations

import shutil
from pathlib import Path

from mistraltune.errors import ConfigError

PACKAGE = Path(__file__).parent
WHEEL = PACKAGE / "_shipped"
CLONE = PACKAGE.parent


def shipped_root() -> Path:
    """The folder that holds `configs/` and `examples/`: inside an installed wheel, else the clone."""
    return WHEEL if WHEEL.is_dir() else CLONE


def console_dir() -> Path | None:
    """The built console: inside an installed wheel, else the clone's; None where it was not built."""
    for folder in (WHEEL / "console", CLONE / "frontend" / "out"):
        if (folder / "index.html").is_file():
            return folder
    return None


def find_config(name: str) -> Path:
    """The YAML file behind `--config`/`--lora`: a path as it stands, else a shipped file by its name.

    Raises:
        ConfigError: Neither exists; the message lists the shipped names.
    """
    if (path := Path(name)).is_file():
        return path
    configs = shipped_root() / "configs"
    if "/" not in name and (shipped := configs / f"{name.removesuffix('.yaml')}.yaml").is_file():
        return shipped
    names = ", ".join(sorted(path.stem for path in configs.glob("*.yaml")))
    raise ConfigError(f"no such configuration: {name}", hint=f"give a YAML file or a shipped name: {names}")


def example_dir(name: str) -> Path:
    """The folder of a shipped example, read-only for its users."""
    return shipped_root() / "examples" / name


def copy_shipped(target: Path) -> list[Path]:
    """Write configs, the example and `.env.example` below `target`; existing files are left as they are.

    Returns:
        The files written, in order; empty when all of them were there already.
    """
    root = shipped_root()
    env_example = root / "env.example" if root == WHEEL else root / ".env.example"
    sources = {Path(".env.example"): env_example}
    for folder in ("configs", "examples/support_triage"):
        files = (path for path in sorted((root / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc")
        sources |= {path.relative_to(root): path for path in files}
    written = []
    for relative, source in sources.items():
        destination = target / relative
        if destination.exists():
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
        written.append(destination)
    return written
