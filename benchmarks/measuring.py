"""Two programs measured against each other: in turns, each in a process of its own, in the same environment.

A benchmark script is both: started plainly it measures, started with the name of a side it does that side's work and
prints its figures as one line of JSON. What was measured goes to the screen and into `benchmarks/README.md`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

README = Path(__file__).parent / "README.md"
MEBIBYTE = 2**20
PACKAGES = ("mistraltune", "torch", "transformers", "trl", "peft", "bitsandbytes", "mistral-common")

Figures = dict[str, float]


def measure(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Figures:
    """What a program printed about itself as JSON on its last line, and `wall_s`, `cpu_s`, `peak_bytes` of its process.

    Raises:
        SystemExit: The program failed; its output is shown.
    """
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | dict(env or {}))
    with child:
        stdout, stderr = drain(child)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if child.returncode:
        sys.exit(f"{' '.join(command)}\nexit {child.returncode}\n{stdout[-4000:]}\n{stderr[-4000:]}")
    lines = stdout.strip().splitlines()
    printed: Figures = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    in_bytes = 1 if sys.platform == "darwin" else 1024
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * in_bytes,
        **printed,
    }


def drain(child: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Everything a child prints, read to the end without reaping it (`wait4` does that, and tells its memory)."""
    assert child.stdout
    assert child.stderr
    errors: list[bytes] = []
    reader = threading.Thread(target=lambda: errors.append(child.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    output = child.stdout.read()
    reader.join()
    return output.decode(errors="replace"), errors[0].decode(errors="replace")


def measure_in_turns(sides: Mapping[str, Sequence[str]], *, rounds: int) -> dict[str, list[Figures]]:
    """`rounds` measurements of each side, taken in turns, so that a slow minute of the machine hits all of them."""
    measured: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, command in sides.items():
            print(f"round {number} of {rounds}: {name}", file=sys.stderr, flush=True)
            measured[name].append(measure(command))
    return measured


def own_side(script: str, *arguments: str) -> list[str]:
    """The command that does one side of a benchmark script."""
    return [sys.executable, script, *arguments]


@dataclass(frozen=True)
class Row:
    """Figures of one side in one unit."""

    side: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def cells(self) -> list[str]:
        """The row of the table."""
        return [self.side, self.unit, *(f"{value:,.4g}" for value in (min(self.values), self.median, max(self.values)))]


@dataclass(frozen=True)
class Target:
    """A figure that is asked for.

    Attributes:
        what: Said in words.
        value: As measured.
        at_least: What it must reach, or
        at_most: what it must not exceed.
    """

    what: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def cells(self) -> list[str]:
        """The row of the table."""
        asked = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return [self.what, f"{self.value:,.3g}", asked, "yes" if self.is_met else "**no**"]


def report(name: str, rows: Sequence[Row], targets: Sequence[Target], *, remarks: Sequence[str] = ()) -> None:
    """Print the tables and put them into the README, in place of the last ones of this name."""
    parts = [[f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"]]
    if rows:
        parts.append(table(["side", "unit", "min", "median", "max"], (row.cells() for row in rows)))
    if targets:
        parts.append(table(["target", "measured", "asked", "met"], (target.cells() for target in targets)))
    if remarks:
        parts.append(list(remarks))
    text = "\n\n".join("\n".join(lines) for lines in parts)
    print(text)
    document = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(document):
        sys.exit(f"{README} has no place for {name}: {begin} ... {end}")
    README.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", document), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def machine() -> str:
    """What was measured on, in words."""
    model = next(
        (line.split(":", 1)[1].strip() for line in cpu_facts() if line.startswith("model name")), platform.machine()
    )
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {packages}"


def cpu_facts() -> list[str]:
    """Lines of /proc/cpuinfo, where there is one."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def say(figures: Mapping[str, Any]) -> None:
    """Print a side's figures where `measure` finds them."""
    print(json.dumps(dict(figures)), flush=True)
