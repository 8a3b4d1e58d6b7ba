"""`mistraltune quickstart`, its model being cached: the whole command's time and memory, and what it reached."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Row, Target, measure_in_turns, own_side, report, say


def main() -> None:
    """Measure, or run the quickstart once in an empty place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=["quickstart"])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.side:
        say(run_quickstart())
        return
    measured = measure_in_turns({"quickstart": own_side(__file__, "--side", "quickstart")}, rounds=arguments.rounds)
    rows = [
        Row("quickstart", unit, tuple(figures[key] / scale for figures in measured["quickstart"]))
        for key, unit, scale in (
            ("wall_s", "minutes", 60),
            ("peak_bytes", "GB at most", 1e9),
            ("base", "exact match of the base", 1),
            ("fine_tuned", "exact match after tuning", 1),
            ("train_s", "seconds of them in training", 1),
        )
    ]
    gain = min(figures["fine_tuned"] - figures["base"] for figures in measured["quickstart"])
    targets = [
        Target("minutes, the slowest", max(rows[0].values), at_most=4),
        Target("gain in exact match, the smallest", gain, at_least=0.4),
    ]
    report("quickstart", rows, targets)


def run_quickstart() -> dict[str, float]:
    """The command's own figures."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mistraltune", "quickstart", "--json", "--output-dir", folder]
        figures = json.loads(subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout)
        training = json.loads((Path(figures["run_dir"]) / "metrics.json").read_text(encoding="utf-8"))
    return {
        "base": figures["base"]["exact_match"],
        "fine_tuned": figures["fine_tuned"]["exact_match"],
        "train_s": training["train_seconds"],
    }


if __name__ == "__main__":
    main()
