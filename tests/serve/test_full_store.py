"""Figure J10, at the routes: where the store cannot be written, a request gets 503 and leaves nothing of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from failing import FailingConnection
from serving import KEY, rows
from starlette.testclient import TestClient

from mistraltune.results import ModelRef
from mistraltune.serve.app import Server, create_app, open_server
from mistraltune.serve.records import JobRecord
from mistraltune.settings import ServerSettings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    opened = open_server(tmp_path / "data", ServerSettings(), {"quickstart": ModelRef(model="quickstart")})
    yield opened
    opened.store.close()


@pytest.fixture
def client(server: Server) -> TestClient:
    app = create_app(server, key=KEY)
    return TestClient(
        app, base_url="http://localhost", headers={"Authorization": f"Bearer {KEY}"}, raise_server_exceptions=False
    )


def content(server: Server) -> Any:
    jobs, files = server.store.jobs(JobRecord), server.store.files()
    return jobs, files, sorted(server.store.data_dir.glob("jobs/*")), sorted(server.store.data_dir.glob("files/*"))


def upload(client: TestClient, word: str) -> Any:
    return client.post("/v1/files", files={"file": ("x.jsonl", rows(2, word=word))})


@pytest.mark.figure("J10", "a request whose store fails at each statement: 503, no half job")
@pytest.mark.parametrize("kind", ["upload", "create", "evaluate", "cancel"])
def test_a_request_that_cannot_be_stored_gets_503_and_leaves_nothing(
    server: Server, client: TestClient, kind: str
) -> None:
    file_id = upload(client, "first").json()["id"]
    job = {"model": "quickstart", "training_files": [file_id], "hyperparameters": {"training_steps": 1}}
    first = client.post("/v1/fine_tuning/jobs", json=job).json()["id"]
    other = {**job, "suffix": "other"}
    ask = {
        "upload": lambda: upload(client, "second"),
        "create": lambda: client.post("/v1/fine_tuning/jobs", json=other),
        "evaluate": lambda: client.post("/api/evaluations", json={"model": "quickstart", "file_id": file_id}),
        "cancel": lambda: client.post(f"/v1/fine_tuning/jobs/{first}/cancel"),
    }[kind]
    before, real, num_refused = content(server), server.store._connection, 0
    for fail_at in range(1, 40):
        server.store._connection = FailingConnection(real, fail_at)  # type: ignore[assignment]
        answer = ask()
        server.store._connection = real
        if answer.status_code == 200:
            break
        num_refused += 1
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert content(server) == before or kind == "cancel"
        if kind == "cancel" and content(server) != before:
            break  # it was stored; what failed was reading it for the answer
    assert num_refused >= 3
    assert content(server) != before
