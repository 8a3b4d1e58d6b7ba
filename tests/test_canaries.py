"""Figure A2: no command, whatever it ends with, writes a secret of its environment anywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from clocks import RealTime
from faulty_api import faulty_api, write_endpoints
from remote_jobs import Call, Fault, FaultyApi

CANARIES = {
    "LAB_API_KEY": "canary*Lab=71c2be90",
    "MISTRAL_API_KEY": "canary/Mistral+4f9a1c77",
    "HF_TOKEN": "hf_canaryHubToken5b2e8d03QwErTyUiOp",
    "WANDB_API_KEY": "c0ffee00c0ffee11c0ffee22c0ffee33c0ffee44",
    "PROXY_PASSWORD": "canary&Proxy9e6d",
}
PROXY = f"http://someone:{quote(CANARIES['PROXY_PASSWORD'])}@127.0.0.1:9"  # the discard port: nobody listens
ENV = {
    **{name: value for name, value in CANARIES.items() if name != "PROXY_PASSWORD"},
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), PROXY),
    "NO_PROXY": "",
    "no_proxy": "",
}


def forms(secret: str) -> set[bytes]:
    """A secret as it is, URL-encoded, JSON-escaped, and in base64 at each of the three places it can start at."""
    plain = secret.encode()
    found = {plain, json.dumps(secret)[1:-1].encode(), quote(plain, safe="").encode(), quote_plus(plain).encode()}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(shift) + plain)
            found.add(whole[(0, 2, 3)[shift] : len(whole) - 4])  # without what its neighbours share
    return found


def leaks(content: bytes) -> list[str]:
    """Names of the canaries that stand in `content`, in whatever form."""
    return [name for name, secret in CANARIES.items() if any(form in content for form in forms(secret))]


LISTENER = """
import json, os, sys

def write(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        with open(os.environ["CHILDREN_LOG"], "a") as log:
            log.write(repr(arguments[:2]) + "\\n")

sys.addaudithook(write)
"""

LEAKY_PLUGIN = '''
import os
from pydantic import BaseModel
from mistraltune.backends.local import LocalBackend

class NoOptions(BaseModel):
    """Nothing to set."""

class LeakyTrainer:
    def preview(self, train, validation):
        return {}

    def train(self, train, validation, run):
        secrets = [os.environ[name] for name in ("MISTRAL_API_KEY", "HF_TOKEN", "WANDB_API_KEY", "HTTPS_PROXY")]
        raise RuntimeError("401 for " + " and ".join(secrets))

class LeakyBackend(LocalBackend):
    name = "leaky"
    options = NoOptions

    def trainer(self, config):
        return LeakyTrainer()
'''


@dataclass(frozen=True)
class Place:
    """Where commands run with the canaries in their environment.

    Attributes:
        folder: The working directory; everything in it is looked at.
        site: Python modules that the commands see: a listener to what they start, and a plugin that tells secrets.
        config: Their configuration folder, with an endpoint `lab` that refuses all and repeats the key that it got.
    """

    folder: Path
    site: Path
    config: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        path = os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])])
        own = {
            "PYTHONPATH": path,
            "CHILDREN_LOG": str(self.folder / "children.log"),
            "MISTRALTUNE_CACHE_DIR": str(self.folder / "cache"),
            "HF_HOME": str(self.folder / "hub"),
            "HF_HUB_OFFLINE": "0",
            "MISTRALTUNE_CONFIG_DIR": str(self.config),
            "COLUMNS": "500",
            "NO_COLOR": "1",
        }
        command = [sys.executable, "-m", "mistraltune", *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.folder, env={**os.environ, **own, **ENV}, capture_output=True, timeout=240, check=False
        )

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of every file below the working directory."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(self.folder)), str(path).encode() + path.read_bytes()


def repeat_the_key(call: Call) -> Fault:
    """A refusal that tells the caller's key, as it is and in base64."""
    key = call.key.removeprefix("Bearer ")
    told = f"the key {key} ({base64.b64encode(key.encode()).decode()}) may not do that"
    return Fault("status", 403, body=json.dumps({"message": told}).encode(), headers={"x-request-id": key})


@pytest.fixture(scope="module")
def leaky_api() -> Iterator[FaultyApi]:
    with faulty_api(RealTime()) as api:
        api.schedule = repeat_the_key
        yield api


@pytest.fixture(scope="module")
def working_api() -> Iterator[FaultyApi]:
    with faulty_api(RealTime()) as api:
        api.is_quick = True
        yield api


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, leaky_api: FaultyApi, working_api: FaultyApi
) -> Place:
    folder, site = tmp_path_factory.mktemp("canaries"), tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(LISTENER)
    (site / "leaky.py").write_text(LEAKY_PLUGIN)
    metadata = site / "leaky-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[mistraltune.backends]\nleaky = leaky:LeakyBackend\n")
    (folder / "model").symlink_to(tiny_model)
    rows = [{"instruction": f"question {number}", "output": f"answer {number}"} for number in range(12)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "bad.jsonl").write_text('{"instruction": 1}\n')
    (folder / "broken.yaml").write_text("model: [\n")
    secret_file = "".join(f"{name.lower()}: '{value}'\n" for name, value in CANARIES.items())
    (site / "secrets.yaml").write_text(secret_file)
    (site / "secrets.jsonl").write_text(json.dumps({"instruction": CANARIES["HF_TOKEN"]}) + "\n")
    urls = {"lab": leaky_api.url, "works": working_api.url, "gone": "http://127.0.0.1:9"}
    config = write_endpoints(tmp_path_factory.mktemp("config"), **urls)
    return Place(folder, site, config)


TRAIN = ("--model", "model", "--train-file", "rows.jsonl", "--run-id", "run")

COMMANDS: dict[str, int] = {
    "--help": 0,
    "--version": 0,
    "nonsense": 2,
    "config show --config base": 0,
    "config schema": 0,
    "config show --config broken.yaml": 2,
    "config show --config SITE/secrets.yaml": 2,
    "init project": 0,
    "data validate rows.jsonl": 0,
    "data validate rows.jsonl --tokenizer v3 --json": 0,
    "data validate bad.jsonl": 3,
    "data validate absent.jsonl": 2,
    "data convert rows.jsonl messages.jsonl": 0,
    "data split rows.jsonl --out-dir parts": 0,
    "data show rows.jsonl --row 1 --tokenizer v3": 0,
    "data show rows.jsonl --row 1 --model someone/no-such-model": 5,
    "train local --model model --train-file rows.jsonl --dry-run": 0,
    "train local --model someone/no-such-model --train-file rows.jsonl --json": 5,
    "train local --model model --train-file bad.jsonl": 3,
    "train local --set nonsense": 2,
    "runs list": 0,
    "runs show absent": 2,
    "eval --model someone/no-such-model --eval-file rows.jsonl": 5,
    "compare --base-model model --fine-tuned-model absent/model --eval-file rows.jsonl": 5,
    "generate --model ./absent hello": 2,
    "train api --train-file rows.jsonl --dry-run": 0,
    "train api --train-file bad.jsonl": 3,
    "train api --train-file rows.jsonl --endpoint absent": 2,
    "train api --train-file rows.jsonl --endpoint lab --run-id refused --json": 4,
    "jobs list --endpoint lab": 4,
    "jobs list --endpoint gone": 5,
    "jobs show job-0 --endpoint lab --json": 4,
    "jobs watch job-0 --endpoint lab": 4,
    "jobs models --endpoint lab": 4,
    "generate --model api:m@lab hello": 4,
    "eval --model api:m@lab --eval-file rows.jsonl": 4,
    "quickstart": 5,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_tells_a_secret_however_it_ends(place: Place, command: str) -> None:
    done = place.run(*command.replace("SITE", str(place.site)).split())
    assert done.returncode == COMMANDS[command], done.stderr.decode()
    assert leaks(done.stdout + done.stderr) == []


def test_no_file_and_no_child_of_a_training_an_evaluation_and_an_answer_holds_a_secret(place: Place) -> None:
    for command in (
        ("train", "local", *TRAIN, "--set", "training.max_steps=2", "--set", "training.save_steps=1", "--json"),
        ("eval", "--model", "outputs/run", "--eval-file", "rows.jsonl", "--limit", "2", "--allow-overlap", "--json"),
        ("runs", "show", "outputs/run"),
        ("train", "api", "--train-file", "rows.jsonl", "--endpoint", "works", "--run-id", "by-api", "--json"),
    ):
        done = place.run(*command)
        assert done.returncode == 0, done.stderr.decode()
        assert leaks(done.stdout + done.stderr) == []
    written = dict(place.written())
    assert {"outputs/run/adapter_model.safetensors", "outputs/run/training_metadata.yaml"} <= set(written)
    assert any(name.startswith("outputs/run/checkpoints/") for name in written)
    assert any(name.startswith("outputs/run/evals/") for name in written)
    assert {"outputs/by-api/state.json", "outputs/by-api/metrics.json"} <= set(written)
    assert [name for name, content in written.items() if leaks(content)] == []
    assert b"git" in written["children.log"]  # a child that every run starts: the listener works


def test_a_bug_that_tells_secrets_is_told_without_them(place: Place) -> None:
    command = ("train", "leaky", "--model", "model", "--train-file", "rows.jsonl", "--run-id", "leaky", "--json")
    done = place.run(*command)
    assert done.returncode == 1
    assert b"RuntimeError: 401 for *** and *** and *** and http://***@127.0.0.1:9" in done.stderr
    assert json.loads(done.stdout)["error"]["message"].startswith("RuntimeError: 401 for *** and ")
    assert leaks(done.stdout + done.stderr) == []
    metadata = (place.folder / "outputs" / "leaky" / "training_metadata.yaml").read_bytes()
    assert b"401 for ***" in metadata
    assert leaks(metadata) == []


# The checker itself


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize(
    "disguise",
    [
        lambda secret: secret,
        lambda secret: f"http://someone:{quote(secret, safe='')}@host",
        lambda secret: json.dumps({"key": secret}),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.b64encode(f"someone:{secret}".encode()).decode(),
        lambda secret: base64.b64encode(f"Bearer {secret} ".encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(f"x{secret}".encode()).decode(),
    ],
    ids=["plain", "in a URL", "in JSON", "base64", "a basic login", "a bearer", "URL-safe base64"],
)
def test_the_checker_finds_a_planted_leak(name: str, disguise: Callable[[str], str]) -> None:
    assert name in leaks(b"before " + disguise(CANARIES[name]).encode() + b" after")


def test_the_checker_finds_nothing_where_nothing_is() -> None:
    assert leaks(b"an ordinary line, http://127.0.0.1:9, *** and a token") == []
