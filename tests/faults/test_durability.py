"""R7: what a power cut could take is on disk before a name says that it is there; as the kernel saw the calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tallying import Tally
from trials import ENVIRONMENT, HERE, Whole

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

TRAIN = "from mistraltune.cli.app import main; main()"
PUBLISH = """
import sys
from pathlib import Path
import planted
from mistraltune.checkpoints import publish_checkpoint
if len(sys.argv) > 2:
    getattr(planted, sys.argv[2])()
with publish_checkpoint(Path(sys.argv[1]), 1) as staging:
    (staging / "weights").write_bytes(b"1")
"""
FSYNC = re.compile(r"fsync\(\d+<(.+)>\)")
RENAME = re.compile(r'rename(?:at2?)?\((?:AT_FDCWD[^,]*, )?"(.+?)", (?:AT_FDCWD[^,]*, )?"(.+?)"')


def traced(script: str, *arguments: str | Path, folder: Path) -> list[str]:
    """The fsync and rename calls of a Python process, in order."""
    log = folder / "calls"
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    trace = ["strace", "-f", "-y", "--seccomp-bpf", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(log)]
    ended = subprocess.run(
        [*trace, sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in ended.stderr and "not permitted" in ended.stderr:
        pytest.skip("this process may not trace others")
    assert ended.returncode == 0, ended.stderr
    return log.read_text().splitlines()


def what_a_power_cut_could_take(calls: list[str], checkpoint: Path) -> list[str]:
    """Files and folders of a published checkpoint that were not flushed when they had to be."""
    renames = [(number, match) for number, line in enumerate(calls) if (match := RENAME.search(line))]
    published = [(number, match) for number, match in renames if match[2].endswith(f"/{checkpoint.name}")]
    if not published:
        return [f"{checkpoint.name} was never renamed into place"]
    place, staging = published[-1][0], published[-1][1][1]
    before = {match[1] for line in calls[:place] if (match := FSYNC.search(line))}
    after = {match[1] for line in calls[place:] if (match := FSYNC.search(line))}
    # A file may be flushed under the name that it is written with, before it gets its own.
    before |= {match[2] for number, match in renames if number < place and match[1] in before}
    files = [file.name for file in checkpoint.iterdir()]
    problems = [f"{name} was not flushed" for name in files if f"{staging}/{name}" not in before]
    if staging not in before:
        problems.append("the folder was not flushed")
    if str(checkpoint.parent) not in after:
        problems.append("the folder above was not flushed")
    return problems


def test_every_file_of_a_checkpoint_is_on_disk_before_its_name_is(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    output = ("--output-dir", tmp_path / "outputs", "--set", "training.save_steps=3")
    calls = traced(TRAIN, *whole.training.arguments(*output), folder=tmp_path)
    checkpoints = sorted((tmp_path / "outputs" / "run" / "checkpoints").iterdir())
    problems = {checkpoint.name: what_a_power_cut_could_take(calls, checkpoint) for checkpoint in checkpoints}
    tally("R7", "strace: each file and the folder flushed before the rename, the folder above after it", problems)


def test_the_checker_sees_what_was_flushed_and_what_was_not(tmp_path: Path) -> None:
    calls = traced(PUBLISH, tmp_path / "sound", folder=tmp_path)
    assert what_a_power_cut_could_take(calls, tmp_path / "sound" / "step-1") == []
    calls = traced(PUBLISH, tmp_path / "planted", "no_fsync", folder=tmp_path)
    assert sorted(what_a_power_cut_could_take(calls, tmp_path / "planted" / "step-1")) == [
        "manifest.json was not flushed",
        "the folder above was not flushed",
        "the folder was not flushed",
        "weights was not flushed",
    ]
