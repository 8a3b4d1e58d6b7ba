"""What a run was made with: versions, commit, machine; recorded so that a figure can be explained later."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mistraltune import __version__

LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "mistral-common")


def describe_origin() -> dict[str, Any]:
    """Versions, git commit and machine of this process, JSON-like."""
    return {"versions": versions(), "git_commit": git_commit(), "machine": machine()}


def versions() -> dict[str, str]:
    """Versions of MistralTune, Python and the libraries that decide a result."""
    found = {"mistraltune": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def library_majors() -> dict[str, str]:
    """Major versions of the libraries that decide a result; another one may compute something else."""
    found = versions()
    return {name: found[name].partition(".")[0] for name in LIBRARIES if name in found}


def git_commit() -> str | None:
    """Commit of the working directory, marked when files differ from it; None outside a repository."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return outcome.stdout.strip() or None


def machine() -> dict[str, Any]:
    """The platform and the CPU threads at hand."""
    return {"platform": platform.platform(), "processor": platform.machine(), "num_cpus": os.cpu_count()}
