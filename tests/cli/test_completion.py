"""What a shell completes, asked as bash asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "mistraltune"
HEAVY = ("torch", "transformers", "pydantic", "omegaconf", "rich")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two runs below `outputs`, a folder on the way, and a configuration."""
    for name in ("tickets-a", "tickets-b"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "training_metadata.yaml").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def complete(words: str, cwd: Path) -> list[str]:
    """What bash would offer after `mistraltune WORDS`."""
    asked = {"COMP_WORDS": f"mistraltune {words}", "COMP_CWORD": str(len(words.split(" ")))}
    env = {**os.environ, **asked, "_MISTRALTUNE_COMPLETE": "complete_bash"}
    done = subprocess.run([COMMAND], cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("runs co", ["compare"]),
        ("runs show tick", ["tickets-a", "tickets-b"]),
        ("runs show outputs/tickets-b", ["outputs/tickets-b"]),
        ("runs compare tickets-a outputs/tickets-b", ["outputs/tickets-b"]),
        ("export merge o", ["other/", "outputs/"]),
        ("export gguf q", ["quickstart"]),
        ("eval --model outputs/", ["outputs/tickets-a", "outputs/tickets-b"]),
        ("train local --config cp", ["cpu"]),
        ("train local --config mi", ["mine.yaml"]),
        ("config show --lora lora_r8", ["lora_r8a16"]),
        ("train local --config no", []),
    ],
)
def test_runs_and_configurations_are_offered(project: Path, words: str, offered: list[str]) -> None:
    assert complete(words, project) == offered


def test_the_script_that_a_shell_loads_is_printed() -> None:
    done = subprocess.run(
        [COMMAND, "--show-completion", "bash"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "_MISTRALTUNE_COMPLETE=complete_bash" in done.stdout
    assert done.stdout.rstrip().endswith(" mistraltune")


def test_completing_imports_nothing_heavy(project: Path) -> None:
    code = f"""
import sys
from mistraltune.cli.completion import complete_config, complete_model, complete_run_name
assert complete_config('cp') == ['cpu'] and complete_run_name('tickets-a') == ['tickets-a'] and complete_model('q')
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
