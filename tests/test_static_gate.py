"""What no source of ours may hold: read from the syntax tree, so that no spelling of an import hides it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PICKLING_MODULES = {"pickle", "cPickle", "_pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
CODE_RUNNERS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"}
UNSAFE_YAML = {
    f"yaml.{name}"
    for name in (
        *("load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"),
        *("Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"),
    )
}
REQUIRED_LITERALS = {"shell": False, "trust_remote_code": False, "allow_pickle": False, "weights_only": True}
"""Keywords that may have one value alone, and that as a literal."""


def sources() -> list[Path]:
    return sorted([*(ROOT / "mistraltune").rglob("*.py"), ROOT / "noxfile.py", *(ROOT / "examples").rglob("*.py")])


def violations(source: str, *, may_print: bool = False) -> list[str]:
    """`line: rule` of each thing in a source that must not be there."""
    tree = ast.parse(source)
    names = imported_names(tree)
    found = []
    for node in ast.walk(tree):
        rules = (*node_violations(node, names), *(() if may_print else printing_violations(node, names)))
        found += [(node.lineno, rule) for rule in rules]
    return [f"{line}: {rule}" for line, rule in sorted(found)]


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Each name that an import binds, with what it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:  # `import a.b` binds `a`, `import a.b as c` binds what `a.b` is
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """What an expression such as `torch.load` names, imports under other names undone; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def node_violations(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (f"import {alias.name}" for alias in node.names if is_pickling(alias.name))
        case ast.ImportFrom() if is_pickling(node.module or ""):
            yield f"import {node.module}"
        case ast.Assert() if node.msg or not narrows_a_type(node.test):
            yield "assert"
        case ast.Call():
            yield from call_violations(node, names)
        case ast.Name() | ast.Attribute() if dotted(node, names) in UNSAFE_YAML:
            yield dotted(node, names)
        case _:
            pass


def printing_violations(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """What writes to stdout, which carries results, and those only commands have."""
    if isinstance(node, ast.Name | ast.Attribute) and dotted(node, names) == "sys.stdout":
        yield "sys.stdout"
    if isinstance(node, ast.Call) and dotted(node.func, names) == "print":
        files = [dotted(keyword.value, names) for keyword in node.keywords if keyword.arg == "file"]
        if files != ["sys.stderr"]:
            yield "print"


def is_pickling(module: str) -> bool:
    return module.partition(".")[0] in PICKLING_MODULES


def call_violations(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = dotted(node.func, names)
    if name in CODE_RUNNERS:
        yield name
    if name.endswith("import_module") and (module := first_text(node)) and is_pickling(module):
        yield f"import {module}"
    if name == "torch.load" and not any(keyword.arg == "weights_only" for keyword in node.keywords):
        yield "torch.load without weights_only=True"
    for keyword in node.keywords:
        if keyword.arg in REQUIRED_LITERALS and not is_literal(keyword.value, REQUIRED_LITERALS[keyword.arg]):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def first_text(node: ast.Call) -> str:
    """The first argument of a call, where it is a literal text."""
    return str(node.args[0].value) if node.args and isinstance(node.args[0], ast.Constant) else ""


def is_literal(node: ast.AST, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def narrows_a_type(test: ast.expr) -> bool:
    """Whether an assert only tells mypy a type: `isinstance(...)`, `... is not None`, or both joined by `and`."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(narrows_a_type, values))
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
        case ast.Compare(ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case _:
            return False


@pytest.mark.figure("S4", "source files: no pickle, eval, shell, remote code or formatted SQL")
@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_holds_what_runs_foreign_code_or_hides_an_error(path: Path) -> None:
    place = path.relative_to(ROOT)
    may_print = place.parts[:2] == ("mistraltune", "cli") or place.parts[0] != "mistraltune"
    assert violations(path.read_text(encoding="utf-8"), may_print=may_print) == []


def test_the_gate_reads_the_whole_package() -> None:
    read = {path.relative_to(ROOT).as_posix() for path in sources()}
    assert {"noxfile.py", "mistraltune/config.py", "mistraltune/backends/local/trainer.py"} <= read
    assert any(name.startswith("examples/") for name in read)


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import pickle", "import pickle"),
        ("import pickle as p", "import pickle"),
        ("from dill import loads", "import dill"),
        ("def load():\n    from joblib.externals import loky", "import joblib.externals"),
        ("import importlib\nimportlib.import_module('pickle')", "import pickle"),
        ("import torch\ntorch.load(path)", "torch.load without weights_only=True"),
        ("import torch as t\nt.load(path, map_location='cpu')", "torch.load without weights_only=True"),
        ("from torch import load as get\nget(path)", "torch.load without weights_only=True"),
        ("import torch\ntorch.load(path, weights_only=False)", "weights_only=False"),
        ("import torch\ntorch.load(path, weights_only=safe)", "weights_only=safe"),
        ("import yaml\nyaml.load(text, Loader=yaml.SafeLoader)", "yaml.load"),
        ("from yaml import unsafe_load\nunsafe_load(text)", "yaml.unsafe_load"),
        ("import yaml\nyaml.compose(text, yaml.UnsafeLoader)", "yaml.UnsafeLoader"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("__import__(name)", "__import__"),
        ("import os\nos.system(text)", "os.system"),
        ("from os import popen\npopen(text)", "os.popen"),
        ("import subprocess\nsubprocess.run(text, shell=True)", "shell=True"),
        ("import subprocess\nsubprocess.run(text, shell=wanted)", "shell=wanted"),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", "trust_remote_code=True"),
        ("AutoModel.from_pretrained(name, trust_remote_code=wanted)", "trust_remote_code=wanted"),
        ("import numpy as np\nnp.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("assert count > 0", "assert"),
        ("assert path.exists(), 'there is no such file'", "assert"),
        ("assert isinstance(value, dict), 'not a mapping'", "assert"),
        ("assert isinstance(value, int) or value", "assert"),
        ("print('result')", "print"),
        ("import sys\nprint('result', file=sys.stdout)", "print"),
        ("import sys\nsys.stdout.write('result')", "sys.stdout"),
        ("from sys import stdout as out\nout.write('result')", "sys.stdout"),
    ],
)
def test_the_gate_finds_what_is_planted(source: str, rule: str) -> None:
    line = source.count("\n") + 1
    assert f"{line}: {rule}" in violations(source)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        "import yaml\nyaml.safe_load(text)\nyaml.compose(text, Loader=yaml.SafeLoader)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "AutoModel.from_pretrained(name, trust_remote_code=False)",
        "assert isinstance(value, dict)",
        "assert first is not None and isinstance(second, int)",
        "import sys\nprint('a note', file=sys.stderr)",
        "import re\nmodel.eval()\nre.compile(pattern)",
        "'''eval(text), pickle, shell=True'''",
    ],
)
def test_the_gate_lets_pass_what_is_safe(source: str) -> None:
    assert violations(source) == []


def test_a_command_module_may_print() -> None:
    assert violations("import sys\nprint('result')\nsys.stdout.write('result')", may_print=True) == []
