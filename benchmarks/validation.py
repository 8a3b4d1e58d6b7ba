"""`mistraltune data validate` of large files on one core: megabytes a second and memory of the whole command.

One peer only parses each line with `json.loads`; the other, `datasets`, parses with Arrow and writes its cache. Neither
looks at what a row says.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measuring import MEBIBYTE, Figures, Row, Target, measure, measure_in_turns, own_side, report, say
from rows import write_rows

ROUND_BYTES = 256 * MEBIBYTE
LARGE_BYTES = 2048 * MEBIBYTE
ROUNDS = 3
ON_ONE_CORE = ["taskset", "--cpu-list", "0"]
VALIDATE = [*ON_ONE_CORE, sys.executable, "-m", "mistraltune", "data", "validate"]


def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_rows(Path(folder) / "rows.jsonl", num_bytes=ROUND_BYTES)
        sides = {
            "json.loads": [*ON_ONE_CORE, *own_side(__file__, "json", str(file))],
            "datasets": [*ON_ONE_CORE, *own_side(__file__, "datasets", str(file), folder)],
            "mistraltune data validate": [*VALIDATE, str(file)],
        }
        measured = measure_in_turns(sides, rounds=ROUNDS)
        large = measure([*VALIDATE, str(write_rows(Path(folder) / "large.jsonl", num_bytes=LARGE_BYTES))])
    rows = [
        *(megabytes_a_second(side, ROUND_BYTES, *each) for side, each in measured.items()),
        *(memory(side, *each) for side, each in measured.items()),
        megabytes_a_second("mistraltune data validate, 2 GiB", LARGE_BYTES, large),
        memory("mistraltune data validate, 2 GiB", large),
    ]
    *_, large_speed, large_memory = rows
    targets = [
        Target("2 GiB on one core, MB/s", large_speed.median, at_least=60),
        Target("2 GiB, peak memory in MiB", large_memory.median, at_most=200),
    ]
    report("validation", rows, targets, remarks=["256 MiB where nothing else is said; start of the program included."])


def megabytes_a_second(side: str, num_bytes: int, *measured: Figures) -> Row:
    """The speed of one side."""
    return Row(side, "MB/s", tuple(num_bytes / 1e6 / each["wall_s"] for each in measured))


def memory(side: str, *measured: Figures) -> Row:
    """What one side held at most."""
    return Row(side, "MiB", tuple(each["peak_bytes"] / MEBIBYTE for each in measured))


def parse_lines(path: Path) -> Figures:
    """The least that any check must do."""
    with path.open(encoding="utf-8") as file:
        return {"num_rows": sum(json.loads(line) is not None for line in file)}


def load_dataset(path: Path, cache: str) -> Figures:
    """What a script with `datasets` does; anew each time."""
    import datasets

    with tempfile.TemporaryDirectory(dir=cache) as folder:
        return {"num_rows": len(datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=folder))}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["json", file]:
            say(parse_lines(Path(file)))
        case ["datasets", file, cache]:
            say(load_dataset(Path(file), cache))
        case _:
            main()
