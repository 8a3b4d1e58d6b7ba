"""The build hook: what it takes as built, what it leaves out and why; whole builds are `nox -s build`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a console of one page, whose `npm run build` copies it; MISTRALTUNE_SKIP_CONSOLE is not set."""
    monkeypatch.delenv("MISTRALTUNE_SKIP_CONSOLE", raising=False)
    frontend = tmp_path / "clone" / "frontend"
    (frontend / "src").mkdir(parents=True)
    (frontend / "package.json").write_text("{}")
    (frontend / "src" / "index.html").write_text("home")
    tools = tmp_path / "tools"
    tools.mkdir()
    write_tool(tools / "node", "echo v20.1.0")
    write_tool(tools / "npm", 'echo "$1" >> ../npm.log; [ "$1" = ci ] || { mkdir -p out; cp src/index.html out; }')
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path / "clone"


def write_tool(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def build(hook: ModuleType, root: Path, *, version: str = "standard", target: str = "wheel") -> tuple[Any, list[str]]:
    """What is added to a build, and what is warned of."""
    warnings: list[str] = []
    maker = SimpleNamespace(root=str(root), target_name=target, app=SimpleNamespace(display_warning=warnings.append))
    build_data: dict[str, Any] = {"force_include": {}}
    hook.ConsoleHook.initialize(maker, version, build_data)
    return build_data["force_include"], warnings


def test_the_console_goes_where_the_server_looks_for_it(hook: ModuleType, clone: Path) -> None:
    out = str(clone / "frontend" / "out")
    assert build(hook, clone) == ({out: "mistraltune/_shipped/console"}, [])
    assert build(hook, clone, target="sdist") == ({out: "frontend/out"}, [])
    assert (clone / "npm.log").read_text().split() == ["ci", "run"]  # once


def test_a_source_distribution_needs_no_node(
    hook: ModuleType, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(hook, clone, target="sdist")
    (clone / "frontend" / "node_modules").mkdir()
    unpacked = tmp_path / "unpacked"
    shutil.copytree(clone, unpacked, ignore=shutil.ignore_patterns("node_modules"))
    monkeypatch.setenv("PATH", "/nowhere")
    included, warnings = build(hook, unpacked)
    assert list(included.values()) == ["mistraltune/_shipped/console"]
    assert warnings == []


def test_other_sources_are_built_anew(hook: ModuleType, clone: Path) -> None:
    build(hook, clone)
    (clone / "frontend" / "src" / "index.html").write_text("another home")
    build(hook, clone)
    assert (clone / "frontend" / "out" / "index.html").read_text() == "another home"


def test_without_node_there_is_a_warning_and_no_console(
    hook: ModuleType, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tool(tmp_path / "tools" / "node", "echo v18.0.0")
    included, warnings = build(hook, clone)
    assert included == {}
    assert "Node 20" in warnings[0]
    monkeypatch.setenv("PATH", "/nowhere")
    assert build(hook, clone)[0] == {}


@pytest.mark.parametrize("script", ["exit 1", "true"])
def test_a_build_that_fails_does_not_fail_the_install(
    hook: ModuleType, clone: Path, tmp_path: Path, script: str
) -> None:
    write_tool(tmp_path / "tools" / "npm", script)
    included, warnings = build(hook, clone)
    assert included == {}
    assert "left out" in warnings[0]


def test_it_is_not_built_for_a_clone_in_use_or_where_nobody_wants_it(
    hook: ModuleType, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(hook, clone, version="editable") == ({}, [])
    monkeypatch.setenv("MISTRALTUNE_SKIP_CONSOLE", "1")
    assert build(hook, clone) == ({}, [])
    assert not (clone / "npm.log").exists()
