"""The one entry to everything that is run on this project: `nox -s tests`, `nox -l` for the rest."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

ROOT = Path(__file__).parent
GROUPS = nox.project.load_toml("pyproject.toml")
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
BENCHMARKS = ("start", "validation", "token_statistics", "generation", "training", "quickstart", "gpu")
CLIENTS = {
    "mistralai-0.4.2": "mistralai==0.4.2",
    "mistralai-1.12.4": "mistralai==1.12.4",
    "mistralai-2.5.1": "mistralai==2.5.1",
    "mistralai-3.7.0": "mistralai==3.7.0",
    "openai": "openai==3.57.0",
    "schemathesis": "schemathesis>=4.20,<5",
    "llama.cpp": "xllamacpp==2026.10.11549",
}
"""Environments of `compat`, and what is in them."""

QUIET = {
    "HF_HUB_OFFLINE": "1",  # tests never look at the Hub
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",
}


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For tests that run side by side."""

WITHOUT_CONSOLE = {"MISTRALTUNE_SKIP_CONSOLE": "1"}
"""Spares every session that does not look at the console the minute that building it takes."""

WITH_CONSOLE = {"MISTRALTUNE_SKIP_CONSOLE": ""}

MAX_FIRST_LOAD = 160_000
"""Bytes of JavaScript, gzipped, that a page of the console may load at first."""


shared_session = partial(nox.session, venv_backend="none")
"""A session in the environment that `Installed` keeps."""


class Installed:
    """The project in an environment that sessions share, installed as its users do, with the tested versions.

    torch and what comes with it take most of a minute to install: once, not once for each session.

    Args:
        session: The session that needs it.
        groups: Dependency groups that it needs beside.
    """

    def __init__(self, session: nox.Session, *groups: str) -> None:
        self.session = session
        self.python = ROOT / ".nox" / "project" / "bin" / "python"
        self.path = {"PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"}
        if not self.python.exists():
            session.run_install(sys.executable, "-m", "venv", str(self.python.parents[1]), external=True)
        self.pip(*nox.project.dependency_groups(GROUPS, *groups), ".", env=WITHOUT_CONSOLE)

    def pip(self, *words: str, env: dict[str, str]) -> None:
        """Install, with the tested versions."""
        command = (str(self.python), "-m", "pip", "install", "--quiet", *CONSTRAINTS, *words)
        self.session.run_install(*command, env=env, external=True)

    def run(self, *words: str, env: dict[str, str] | None = None) -> None:
        """`python WORDS`, which finds the commands of the environment as well."""
        self.session.run(str(self.python), *words, env=self.path | (env or {}), external=True)


@shared_session
def tests(session: nox.Session) -> None:
    """All tests: the quick ones side by side, then those that train the quickstart model."""
    installed = Installed(session, "test")
    if session.posargs:
        installed.run("-m", "pytest", *session.posargs, env=QUIET)
        return
    quick = ("-m", "not e2e", "-n", "2", "--dist", "worksteal")
    installed.run("-m", "pytest", *quick, env=QUIET | ONE_THREAD)
    installed.run("-m", "pytest", "-m", "e2e", env=QUIET)


@shared_session
def e2e(session: nox.Session) -> None:
    """Only the tests that train, resume, evaluate and compare the quickstart model."""
    Installed(session, "test").run("-m", "pytest", "-m", "e2e", *session.posargs, env=QUIET)


@shared_session
def compat(session: nox.Session) -> None:
    """Software that others wrote: clients drive the server, llama.cpp reads GGUF files, trackers hear of a training.

    `-- fast` takes a model without sense; else the server trains and serves the quickstart model (about a quarter of an
    hour on two cores), and the answers of its GGUF files are compared. `-- tests/compat/test_llama_cpp.py -s` for one.
    """
    installed = Installed(session, "test", "trackers")
    clients = Path(session.create_tmp()).resolve() / "clients"
    for name, requirement in CLIENTS.items():
        python = clients / name / "bin" / "python"
        if not python.exists():
            session.run_install(sys.executable, "-m", "venv", "--without-pip", str(clients / name), external=True)
        into = (str(installed.python), "-m", "pip", "--python", str(python), "install", "--quiet", requirement)
        session.run_install(*into, external=True)
    env = QUIET | ONE_THREAD | {"MISTRALTUNE_CLIENTS": str(clients)}
    if "fast" in session.posargs:
        env["MISTRALTUNE_COMPAT_MODEL"] = "tiny"
    chosen = [argument for argument in session.posargs if argument != "fast"]
    installed.run("-m", "pytest", *(chosen or ["tests/compat", "tests/backends/local/test_trackers.py"]), env=env)


@shared_session
def faults(session: nox.Session) -> None:
    """Every kill, damage and full disk there is (about an hour); what held goes into tests/faults.md."""
    places = ["tests/faults", "tests/serve", "tests/test_static_gate.py"]
    env = QUIET | ONE_THREAD | {"MISTRALTUNE_FAULTS": "all"}
    Installed(session, "test").run("-m", "pytest", *(session.posargs or places), env=env)


@shared_session
def bench(session: nox.Session) -> None:
    """Each figure of benchmarks/README.md, measured anew (most of an hour); `nox -s bench -- training` for one."""
    installed = Installed(session, "bench")
    for name in session.posargs or BENCHMARKS:
        installed.run(f"benchmarks/{name}.py", env=QUIET | {"PIP_NO_INPUT": "1"})


@shared_session
def frontend(session: nox.Session) -> None:
    """The console: types made anew, style, types, logic, build and its size, then used in a real browser.

    Takes Node 20 or later, npm, and Chromium; pictures of every page are left in `outputs/console/`.
    """
    installed = Installed(session, "test", "browser")
    folder = ROOT / "frontend"
    made = [folder / "openapi.json", folder / "src" / "lib" / "api" / "schema.d.ts"]
    with session.chdir(folder):
        session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
        before = [path.read_bytes() for path in made]
        session.run("npm", "run", "types", env=installed.path, external=True)
        if before != [path.read_bytes() for path in made]:
            session.error("the console's types were stale: commit what `npm run types` has made of them")
        for script in ("lint", "typecheck", "test"):
            session.run("npm", "run", script, external=True)
    # Built as for those who install it: a console that cannot be built fails here, where an install only warns.
    installed.pip("--no-deps", "--force-reinstall", ".", env=WITH_CONSOLE)
    if not (folder / "out" / "index.html").is_file():
        session.error("the console was not built: `npm run build` in frontend/ says why")
    for page, size in sorted(first_loads(folder / "out").items(), key=lambda item: -item[1]):
        session.log(f"{page}: {size / 1000:.0f} kB of JavaScript at first")
        if size > MAX_FIRST_LOAD:
            session.error(f"{page} loads more than {MAX_FIRST_LOAD / 1000:.0f} kB")
    chromium = shutil.which("chromium")
    if chromium is None:
        session.error("the console's tests need Chromium: apt-get install chromium")
    env = QUIET | ONE_THREAD | {"MISTRALTUNE_CHROMIUM": chromium}
    installed.run("-m", "pytest", "tests/console", "-n", "2", "--dist", "loadfile", *session.posargs, env=env)


def first_loads(site: Path) -> dict[str, int]:
    """For each page of a built console, the gzipped bytes of all scripts that it names."""
    sizes = {}
    for page in site.rglob("index.html"):
        names = set(re.findall(r'<script[^>]* src="/([^"]+)"(?![^>]*nomodule)', page.read_text(), re.IGNORECASE))
        address = f"/{page.parent.relative_to(site).as_posix()}/".replace("/./", "/")
        sizes[address] = sum(len(gzip.compress((site / name).read_bytes())) for name in names)
    return sizes


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and the layers that imports must respect."""
    session.install(*CONSTRAINTS, *nox.project.dependency_groups(GROUPS, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@shared_session
def types(session: nox.Session) -> None:
    """mypy --strict on the package."""
    Installed(session, "types").run("-m", "mypy")


@nox.session
def build(session: nox.Session) -> None:
    """The wheel, made of the source distribution without Node and installed with pipx, does the quickstart."""
    session.install(*CONSTRAINTS, "build", "pipx")
    place = Path(session.create_tmp()).resolve()
    for leftover in place.iterdir():  # of an earlier run: the place must be empty
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    dist = place / "dist"
    session.run("python", "-m", "build", "--sdist", "--outdir", str(dist), ".", env=WITH_CONSOLE)
    (source,) = dist.glob("*.tar.gz")
    without_node = {**WITH_CONSOLE, "PATH": session.bin}
    session.run("python", "-m", "pip", "wheel", "--no-deps", "-w", str(dist), str(source), env=without_node)
    (wheel,) = dist.glob("*.whl")
    if "mistraltune/_shipped/console/index.html" not in ZipFile(wheel).namelist():
        session.error("the wheel is without the console; building it takes Node 20 or later and npm")
    env = {
        **QUIET,
        "PIPX_HOME": str(place / "pipx"),
        "PIPX_BIN_DIR": str(place / "bin"),
        "MISTRALTUNE_CACHE_DIR": str(place / "cache"),
    }
    session.run("pipx", "install", "--force", f"--pip-args=-c {ROOT / 'constraints.txt'}", str(wheel), env=env)
    command = os.fspath(place / "bin" / "mistraltune")
    with session.chdir(place):
        session.run(command, "init", "project", env=env, external=True)
        session.run(command, "config", "show", "--config", "base", env=env, external=True)
        printed = session.run(command, "quickstart", "--json", env=env, external=True, silent=True, stderr=None)
    figures = json.loads(str(printed))
    session.log(json.dumps(figures, indent=2))
    gain = figures["fine_tuned"]["exact_match"] - figures["base"]["exact_match"]
    if gain < 0.40:
        session.error(f"the quickstart gained {gain:.2f} exact match, not 0.40")
