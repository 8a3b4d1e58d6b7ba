"""Every command in README.md is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from mistraltune.cli.app import app

ROOT = Path(__file__).parents[1]
CONSOLE_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """The lines of all console blocks, `&&` taken apart."""
    blocks = CONSOLE_BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return [
        part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&") if part.strip()
    ]


def mistraltune_commands() -> list[str]:
    return [command for command in commands() if command.startswith("mistraltune ")]


def command_groups() -> dict[str, list[str]]:
    """Every command, and the commands under it."""
    groups = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {name: list(getattr(group, "commands", [])) for name, group in groups.items()}


@pytest.mark.parametrize("name", command_groups())
def test_the_readme_shows_every_command(name: str) -> None:
    assert name in {command.split()[1] for command in mistraltune_commands()}


@pytest.mark.parametrize("name", command_groups()["export"])
def test_the_readme_shows_every_export(name: str) -> None:
    assert ["export", name] in [command.split()[1:3] for command in mistraltune_commands()]


def test_the_readme_names_every_shipped_configuration() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [file.stem for file in (ROOT / "configs").glob("*.yaml") if f"`{file.stem}`" not in text] == []


@pytest.mark.parametrize("text", mistraltune_commands())
def test_readme_commands_parse(text: str) -> None:
    command = typer.main.get_command(app)
    _, *args = shlex.split(text)
    context = command.make_context("mistraltune", args)
    while hasattr(command, "resolve_command") and (rest := [*context._protected_args, *context.args]):
        _, command, args = command.resolve_command(context, rest)
        context = command.make_context(command.name, args, parent=context)


def test_the_first_screen_names_files_that_exist() -> None:
    text = "\n".join(commands())
    assert "python -m pip install -c constraints.txt ." in text
    assert "pipx install --pip-args='-c constraints.txt' ." in text
    assert "nox -s tests" in text
    assert (ROOT / "constraints.txt").is_file()
    assert (ROOT / "noxfile.py").is_file()


def test_links_in_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
