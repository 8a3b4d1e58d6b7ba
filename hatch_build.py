"""Builds the web console into the wheel and the source distribution, where Node and npm are at hand.

What was built from the same sources before is taken as it is, so that a wheel made of a source distribution needs no
Node. A console that cannot be built is left out with a warning: the package works without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIP = "MISTRALTUNE_SKIP_CONSOLE"
MADE = ("node_modules", "out", ".next", "next-env.d.ts", "example")
"""What a build leaves below `frontend/`; `public/example` is a copy of the example, which is hashed itself."""

EXAMPLE = Path("examples") / "support_triage"
STAMP = "sources.txt"
"""In the built console: the hash of what it was built from."""

MIN_NODE = 20
BUILD_SECONDS = 900.0
INSTALL = ("ci", "--no-audit", "--no-fund", "--fetch-retries=1")


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built console where `mistraltune.shipped` looks for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the console's files to what is built."""
        if version == "editable" or os.environ.get(SKIP, "") not in ("", "0"):
            return
        root = Path(self.root)
        reason = ensure_built(root)
        if reason:
            self.app.display_warning(f"the web console is left out: {reason}")
            return
        target = "mistraltune/_shipped/console" if self.target_name == "wheel" else "frontend/out"
        build_data["force_include"][str(root / "frontend" / "out")] = target


def ensure_built(root: Path) -> str:
    """Build the console unless that was done; what keeps it from being built, empty where nothing does."""
    frontend = root / "frontend"
    if not (frontend / "package.json").is_file():
        return "its sources are not here"
    stamp = frontend / "out" / STAMP
    sources = hash_of(root)
    if stamp.is_file() and stamp.read_text().strip() == sources:
        return ""
    npm = shutil.which("npm")
    if npm is None or node_major() < MIN_NODE:
        return f"building it takes Node {MIN_NODE} or later and npm"
    for words in (INSTALL, ("run", "build")):
        try:
            subprocess.run([npm, *words], cwd=frontend, check=True, timeout=BUILD_SECONDS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as error:
            return f"npm {words[0]} failed ({error})"
    if not (frontend / "out" / "index.html").is_file():
        return "its build left no pages"
    stamp.write_text(sources + "\n")
    return ""


def hash_of(root: Path) -> str:
    """The hash of all that the console is built from, places included."""
    digest = hashlib.sha256()
    for path in sorted([*(root / "frontend").rglob("*"), *(root / EXAMPLE).glob("*.jsonl")]):
        place = path.relative_to(root)
        if path.is_file() and not set(place.parts) & set(MADE) and path.suffix != ".tsbuildinfo":
            content = path.read_bytes()
            digest.update(f"{place.as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def node_major() -> int:
    """The major version of Node; 0 where there is none."""
    try:
        told = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=True)
        return int(told.stdout.strip().removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
