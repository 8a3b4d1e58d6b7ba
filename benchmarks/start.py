"""How soon the command line answers: CPU seconds of whole commands, and the first line that training prints."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import Row, Target, measure_in_turns, own_side, report, say

OURS = (sys.executable, "-m", "mistraltune")


def main() -> None:
    """Measure the commands in turns; `--side first-line` starts a training and stops it at its first line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=["first-line"])
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.side:
        say({"first_line_s": time_first_line(arguments.rows)})
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(Path(folder))
        sides = {
            "mistraltune --help": [*OURS, "--help"],
            "trl sft --help": [str(Path(sys.executable).with_name("trl")), "sft", "--help"],
            "mistraltune data validate, 400 rows": [*OURS, "data", "validate", str(rows)],
            "mistraltune train local": own_side(__file__, "--side", "first-line", "--rows", str(rows)),
        }
        measured = measure_in_turns(sides, rounds=arguments.rounds)
    shown = {}
    for side, runs in measured.items():
        key, unit = ("first_line_s", "s to the first line") if "train" in side else ("cpu_s", "s of CPU")
        shown[side] = Row(side, unit, tuple(figures[key] for figures in runs))
    asked = {"mistraltune --help": 0.25, "mistraltune data validate, 400 rows": 0.45, "mistraltune train local": 0.5}
    targets = [Target(side, shown[side].median, at_most=limit) for side, limit in asked.items()]
    report("start", list(shown.values()), targets)


def write_rows(folder: Path) -> Path:
    """A small file."""
    path = folder / "rows.jsonl"
    rows = ({"instruction": f"Say the number {n}.", "output": f"It is {n}."} for n in range(400))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def time_first_line(rows: Path) -> float:
    """Seconds from the start of `train local` to the first line it prints."""
    command = [*OURS, "train", "local", "--config", "cpu", "--train-file", str(rows)]
    command += ["--output-dir", str(rows.parent / "outputs")]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        assert child.stderr
        child.stderr.readline()
        seconds = time.perf_counter() - started
        child.terminate()
        child.stderr.read()
    return seconds


if __name__ == "__main__":
    main()
