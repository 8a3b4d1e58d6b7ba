"""Figure S2: names, ids, addresses and artifacts that mean harm open nothing, reach nobody and change nothing."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, Serving, rows, serving
from starlette.testclient import TestClient

from mistraltune.serve.app import Server, create_app, open_server
from mistraltune.serve.catalogue import make_catalogue
from mistraltune.serve.records import JobRecord
from mistraltune.settings import ServerSettings

CLIMBS = ("../", "..\\", "%2e%2e%2f", "%252e%252e%252f", "....//", "..%c0%af", "..%5c", "..;/")
TARGETS = ("etc/passwd", "server.db", "x")
NAMES = [
    *(climb * depth + target for climb, target, depth in product(CLIMBS, TARGETS[:2], (1, 6))),
    *("/etc/passwd", "C:\\x", "\\\\host\\share", "file:///etc/passwd", "//etc", "~root/.ssh/id_rsa", "/dev/null"),
    *("a\0.jsonl", "CON", "NUL", ".env", "", ".", "..", "-rf", "x" * 4000, "x" * 255, "\u202etxt.exe", "\U0001f4a3"),
    *("<img src=x onerror=alert(1)>", "' OR 1=1 --", ";rm -rf /", "$(id)", "`id`", "|id", "*", "%00", "日本.jsonl"),
]
SQL = [
    *("'", '"', "''", "' OR '1'='1", "1 OR 1=1", "1; DROP TABLE files", "1);DROP TABLE jobs;--", "' --", "'/*", "*/"),
    *("' UNION SELECT document FROM jobs --", "x' AND SLEEP(5) --", "0x27", "char(39)", "%27", "\\'", "%", "_", "a%b"),
    *("' || (SELECT 1) || '", "null", "NaN", "-1", str(2**63), "1e999", "٣", "ATTACH 'x' AS y"),
    *("PRAGMA user_version=9", "');INSERT INTO files VALUES ('x',1,'x','x','{}');--", "x';UPDATE jobs SET id='x';--"),
]
ADDRESSES = [
    *("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/", "http://localhost/", "http://[::1]/"),
    *("http://0x7f000001/", "http://2130706433/", "http://0/", "https://evil.example/", "ftp://evil.example/x"),
    *("file:///etc/passwd", "file://localhost/etc/passwd", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1/"),
    *("\\\\evil.example\\share", "//evil.example/x", "s3://bucket/key", "hf://evil/model", "git+ssh://evil.example/x"),
    *("/etc/passwd", "/proc/self/environ"),
]
COUNTS = (60, 30, 20)


class Listener:
    """Hears what this process opens and whom it calls, while it listens; an audit hook cannot be taken away."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = str(data_dir)
        self.is_listening = False
        self.heard: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_listening:
            return
        if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec"):
            self.heard.append(f"{event} {arguments[1:3]}")
        if event == "open" and isinstance(arguments[0], str):
            path, flags = str(Path(arguments[0]).absolute()), arguments[2] or 0
            is_write = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if path.startswith(("/etc/passwd", "/proc/self/environ")) or (
                is_write and not path.startswith(self.data_dir)
            ):
                self.heard.append(f"open {path}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    opened = open_server(tmp_path_factory.mktemp("hostile") / "data", ServerSettings(), make_catalogue())
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def listener(server: Server) -> Listener:
    return Listener(server.store.data_dir)


@pytest.fixture
def client(server: Server, listener: Listener) -> Iterator[TestClient]:
    """Without a lifespan: no supervisor runs, so that what is heard is the requests' doing."""
    app = create_app(server, key=KEY)
    headers = {"Authorization": f"Bearer {KEY}"}
    asking = TestClient(app, base_url="http://localhost:8000", headers=headers, raise_server_exceptions=False)
    asking.get("/v1/models")
    listener.heard.clear()
    listener.is_listening = True
    yield asking
    listener.is_listening = False
    assert listener.heard == []


def rows_of(server: Server) -> Any:
    return server.store.files(), server.store.jobs(JobRecord), sorted(server.store.data_dir.rglob("*"))


def test_there_are_as_many_as_the_figure_asks_for() -> None:
    assert tuple(len(set(kind)) for kind in (NAMES, SQL, ADDRESSES)) == COUNTS


@pytest.mark.figure("S2", "a file's name that means harm: kept as text under an id of ours, or refused")
@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_is_only_a_text(server: Server, client: TestClient, name: str) -> None:
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    content = rows(1, word=repr(name))
    kind = {"content-type": "multipart/form-data; boundary=edge"}
    answer = client.post("/v1/files", content=head + content + b"\r\n--edge--\r\n", headers=kind)
    assert answer.status_code in (200, 400, 422), answer.text
    known = {record.id for record in server.store.files()}
    assert {path.name for path in (server.store.data_dir / "files").iterdir()} == known
    if answer.status_code == 200:
        got = client.get(f"/v1/files/{answer.json()['id']}/content")
        assert got.content == content
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment;")
        assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.figure("S2", "an id or a filter that is SQL: nothing is found, nothing changes")
@pytest.mark.parametrize("text", SQL)
def test_sql_is_only_a_text(server: Server, client: TestClient, text: str) -> None:
    before = rows_of(server)
    for kind in ("/v1/files", "/v1/models", "/v1/fine_tuning/jobs", "/api/evaluations", "/api/comparisons"):
        address = client.build_request("GET", kind).url.copy_with(path=f"{kind}/{text}")
        assert client.get(address).status_code == 404
        assert client.delete(address).status_code in (404, 405)
    for place, field in (
        ("/v1/files", "search"),
        ("/v1/files", "purpose"),
        ("/v1/fine_tuning/jobs", "model"),
        ("/v1/fine_tuning/jobs", "suffix"),
        ("/v1/fine_tuning/jobs", "status"),
        ("/v1/fine_tuning/jobs", "wandb_project"),
        ("/v1/fine_tuning/jobs", "created_after"),
        ("/api/evaluations", "page"),
    ):
        answer = client.get(place, params={field: text})
        assert answer.status_code in (200, 422), (place, field)
        if field in ("model", "suffix", "status") and answer.status_code == 200:
            assert answer.json()["data"] == []
    assert rows_of(server) == before


@pytest.mark.figure("S2", "an address or a path in place of a name: refused, nobody called, nothing opened")
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_is_ever_visited(server: Server, client: TestClient, address: str) -> None:
    before = rows_of(server)
    question = [{"role": "user", "content": "x"}]
    for place, body in (
        ("/v1/fine_tuning/jobs", {"model": address, "training_files": ["x"]}),
        ("/v1/fine_tuning/jobs", {"model": "quickstart", "training_files": [address]}),
        ("/v1/fine_tuning/jobs", {"model": "quickstart", "training_files": ["x"], "validation_files": [address]}),
        ("/v1/fine_tuning/jobs?dry_run=true", {"model": address, "training_files": ["x"]}),
        ("/v1/fine_tuning/jobs", {"model": "quickstart", "training_files": ["x"], "repositories": [{"name": address}]}),
        ("/v1/chat/completions", {"model": address, "messages": question}),
        ("/api/evaluations", {"model": address, "file_id": "x"}),
        ("/api/evaluations", {"model": "quickstart", "file_id": address}),
        ("/api/evaluations", {"model": "quickstart", "file_id": "x", "evaluator": address}),
        ("/api/comparisons", {"base_model": "quickstart", "fine_tuned_model": address, "prompts": ["x"]}),
        ("/api/comparisons", {"base_model": address, "fine_tuned_model": "quickstart", "prompts": ["x"]}),
    ):
        answer = client.post(place, json=body)
        assert answer.status_code in (404, 422), (place, body, answer.text)
    assert rows_of(server) == before


# Artifacts: files of a run that something else has put there


class Trap:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (Path.touch, (self.canary,))


def set_trap(run: Path, kind: str, canary: Path) -> None:
    """Put something into a run directory that would do harm where it is trusted."""
    pickled = pickle.dumps(Trap(canary))
    yaml = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.PosixPath ['{canary}']]\n"
    if kind == "pickle named safetensors":
        (run / "adapter_model.safetensors").write_bytes(pickled)
    if kind == "pickle instead of safetensors":
        (run / "adapter_model.safetensors").unlink()
        (run / "adapter_model.bin").write_bytes(pickled)
    if kind == "safetensors of 2**63 bytes":
        (run / "adapter_model.safetensors").write_bytes((2**63).to_bytes(8, "little") + b"{}")
    if kind == "metadata in YAML with a tag":
        (run / "training_metadata.yaml").write_text(yaml)


TRAPS = (
    "pickle named safetensors",
    "pickle instead of safetensors",
    "safetensors of 2**63 bytes",
    "metadata in YAML with a tag",
)


@pytest.fixture(scope="module")
def tuned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, str, Path]]:
    """A server, the name of a model that was trained there, and the model's run directory."""
    folder = tmp_path_factory.mktemp("traps")
    with serving(folder / "data", "--model", f"open-mistral-7b={tiny_model}") as running:
        job = running.create(training_files=[running.upload(rows())], hyperparameters={"training_steps": 1})
        name = running.wait_for(job["id"])["fine_tuned_model"]
        yield running, name, running.data_dir / "jobs" / job["id"] / "run"


@pytest.mark.figure("S2", "a booby-trapped artifact in a run directory: refused, nothing of it runs")
@pytest.mark.parametrize("kind", TRAPS)
def test_what_lies_in_a_run_directory_is_never_run(tuned: tuple[Serving, str, Path], tmp_path: Path, kind: str) -> None:
    running, name, run = tuned
    canary = tmp_path / "canary"
    kept = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    set_trap(run, kind, canary)
    asked = {"model": name, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    try:
        answer = running.http.post("/v1/chat/completions", json=asked)
    finally:
        (run / "adapter_model.bin").unlink(missing_ok=True)
        for path, content in kept.items():
            path.write_bytes(content)
    assert answer.status_code in (422, 500), answer.text
    assert not canary.exists()
    assert running.ok("GET", "/healthz")


def test_the_traps_would_spring_where_they_are_trusted(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()
