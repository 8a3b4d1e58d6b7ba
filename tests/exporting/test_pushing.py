"""Publishing: what a real HTTP server on loopback receives, and what a card says and never says."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mistraltune.exporting.card_evaluations import CardEvaluations
from mistraltune.exporting.merging import merge_run
from mistraltune.exporting.model_card import Card, write_card
from mistraltune.exporting.prompts import Prompts
from mistraltune.registry import find_model
from mistraltune.results import EvalReport, Interval, ModelRef

TOKEN = "hf_" + "q7Zk" * 9


class Hub(ThreadingHTTPServer):
    """The routes of the Hub that an upload takes: repository, preupload, LFS, commit.

    Attributes:
        repos: Whether each repository is private.
        files: Content by repository and name.
        requests_seen: Method and path of every request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.repos: dict[str, bool] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.requests_seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def begin(self) -> bool:
        self.server.requests_seen.append(f"{self.command} {self.path}")
        allowed = self.path.startswith("/objects/") or self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if not allowed:
            self.body()
            self.reply({"error": "Invalid credentials"}, 401)
        return allowed

    def do_GET(self) -> None:
        if self.begin():
            repo = self.path.removeprefix("/api/models/")
            self.reply({"id": repo, "private": self.server.repos[repo], "sha": "0" * 40})

    def do_PUT(self) -> None:
        if self.begin():
            content = self.body()
            digest = self.path.removeprefix("/objects/")
            assert hashlib.sha256(content).hexdigest() == digest
            self.server.objects[digest] = content
            self.reply({})

    def do_POST(self) -> None:
        if not self.begin():
            return
        if self.path == "/api/repos/create":
            asked = json.loads(self.body())
            repo = f"{asked['organization']}/{asked['name']}"
            if repo in self.server.repos:
                self.reply({"error": "You already created this repo", "url": f"{self.server.url}/{repo}"}, 409)
                return
            self.server.repos[repo] = asked.get("visibility") == "private"
            self.reply({"url": f"{self.server.url}/{repo}"})
        elif self.path == "/api/validate-yaml":
            assert json.loads(self.body())["content"].startswith("---\n")
            self.reply({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(self.body())["files"]]
            modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in names}
            self.reply({"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]})
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            asked = json.loads(self.body())["objects"]
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/objects/{one['oid']}"}}} for one in asked
            ]
            self.reply({"transfer": "basic", "objects": objects})
        else:
            repo = self.path.removeprefix("/api/models/").removesuffix("/commit/main")
            for entry in map(json.loads, self.body().splitlines()):
                value = entry["value"]
                if entry["key"] == "file":
                    self.server.files[repo, value["path"]] = base64.b64decode(value["content"])
                if entry["key"] == "lfsFile":
                    self.server.files[repo, value["path"]] = self.server.objects[value["oid"]]
            self.reply({"commitUrl": f"{self.server.url}/{repo}/commit/abc", "commitOid": "abc"})


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def push(mistraltune: Any, hub: Hub, run: Path) -> Any:
    """`push("me/repo", ...)`: what the command says when it publishes the run on the loopback Hub."""
    env = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}

    def call(repo: str, *options: str | Path, token: str = TOKEN) -> Any:
        done = mistraltune("export", "push", run, repo, *options, **env, HF_TOKEN=token)
        assert TOKEN not in done.stdout + done.stderr
        return done

    return call


def test_adapter_and_card_arrive_whole_and_name_no_place_of_this_machine(
    push: Any, hub: Hub, run: Path, tiny_model: Path
) -> None:
    done = push("me/tickets", "--private", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["url"] == f"{hub.url}/me/tickets/commit/abc"
    assert hub.repos == {"me/tickets": True}
    sent = {name: content for (_, name), content in hub.files.items()}
    assert sent.keys() == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert sent["adapter_model.safetensors"] == (run / "adapter_model.safetensors").read_bytes()
    assert json.loads(sent["adapter_config.json"])["base_model_name_or_path"] == tiny_model.name
    texts = sent["README.md"] + sent["adapter_config.json"]
    for place in (tiny_model.parent, run, Path.cwd(), Path.home()):
        assert str(place).encode() not in texts
    again = push("me/tickets", "--private")
    assert again.returncode == 0, again.stderr
    assert f"published: {hub.url}/me/tickets/commit/abc" in again.stdout


def test_a_public_repository_is_not_taken_for_a_private_one(push: Any, hub: Hub) -> None:
    hub.repos["me/open"] = False
    done = push("me/open", "--private")
    assert done.returncode == 2
    assert "me/open is public already" in done.stderr
    assert not hub.files


def test_a_merged_model_is_published_with_its_record(push: Any, hub: Hub, run: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merge_run(
        find_model(str(run)),
        merged,
        dtype="bfloat16",
        prompts=Prompts((), "none", 1),
        watch=lambda text, done, total: None,
    )
    assert push("me/whole", "--merged", merged).returncode == 0
    sent = {name for _, name in hub.files}
    assert sent == {path.name for path in merged.iterdir()} | {"README.md"}
    assert b"library_name: transformers" in hub.files["me/whole", "README.md"]
    (run / "adapter_config.json").unlink()
    (run / "adapter_config.json").write_text((merged / "config.json").read_text())
    done = push("me/whole", "--merged", merged)
    assert done.returncode == 2
    assert "was merged from another adapter" in done.stderr


def test_a_key_that_the_hub_refuses_ends_with_the_code_of_an_api(push: Any, hub: Hub) -> None:
    done = push("me/tickets", token=TOKEN[::-1].replace("_fh", "") + "wrong")
    assert done.returncode == 4
    assert "the Hub refuses me/tickets (401)" in done.stderr
    assert not hub.files


def test_without_a_key_nothing_is_sent(push: Any, hub: Hub) -> None:
    done = push("me/tickets", token="")
    assert done.returncode == 2
    assert "set HF_TOKEN" in done.stderr
    assert hub.requests_seen == []


def test_a_hub_that_is_away_may_be_asked_again(push: Any, hub: Hub) -> None:
    hub.shutdown()
    hub.server_close()
    done = push("me/tickets")
    assert done.returncode == 5
    assert "cannot reach the Hub" in done.stderr


def test_a_dry_run_prints_the_card_and_asks_nobody(push: Any, hub: Hub) -> None:
    done = push("me/tickets", "--dry-run", token="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("---\nlibrary_name: peft\n")
    assert "would publish to me/tickets: README.md, adapter_config.json, adapter_model.safetensors" in done.stderr
    assert hub.requests_seen == []


@pytest.mark.parametrize("repo", ["tickets", "me/../x", "https://huggingface.co/me/x", "me/x y"])
def test_a_name_that_is_no_repository_is_refused(push: Any, hub: Hub, repo: str) -> None:
    done = push(repo, "--dry-run")
    assert done.returncode == 2
    assert "is no name of a Hub repository" in done.stderr


def report(**metrics: float) -> EvalReport:
    return EvalReport(
        model=ModelRef(model="m"),
        evaluator="text",
        eval_file="/home/someone/test.jsonl",
        eval_sha256="ab" * 32,
        num_examples=1200,
        metrics=metrics,
        intervals={"exact_match": Interval(low=0.41, high=0.55)},
        sampling={},
    )


def card(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "repo": "me/tickets",
        "base": "org/base",
        "base_on_hub": "org/base",
        "revision": "c0ffee",
        "metadata": {"identity": {"config": {"lora": {"r": 16, "dropout": None}}}, "versions": {"peft": "0.21"}},
        "metrics": {"train_loss": 0.5, "val_loss": None},
        "evaluations": CardEvaluations([], {}),
        "merged": None,
    }
    return write_card(Card(**fields | changes))


def test_figures_stand_with_their_intervals_and_without_the_files_place() -> None:
    text = card(evaluations=CardEvaluations([report(exact_match=0.48)], {}))
    assert "| Exact match | 48.0% | 41.0% to 55.0% |" in text
    assert f"1,200 rows of `test.jsonl`, SHA-256 `{'ab' * 32}`" in text
    assert "/home/someone" not in text


def test_the_base_is_pinned_in_the_code_that_loads_it() -> None:
    text = card()
    assert 'AutoModelForCausalLM.from_pretrained("org/base", revision="c0ffee")' in text
    assert "base_model: org/base\nbase_model_relation: adapter\n" in text
    assert "lora.r: 16\n" in text
    assert "dropout" not in text


def test_a_merged_model_says_what_it_was_compared_with() -> None:
    found = {"num_prompts": 20, "num_same_answers": 19, "compared_with": "the adapter on the 16-bit base"}
    found |= {"quantization": "none", "token_agreement": 0.97}
    text = card(merged={"identity": {"kind": "merge", "dtype": "bfloat16"}, "agreement": [found]})
    assert "Of 20 greedy answers, 19 are those of the adapter on the 16-bit base (this checks the export: " in text
    assert "base_model_relation: finetune" in text
    assert "mistraltune chat --model me/tickets" in text
