"""Figure S1: no key, another name of a host, or a foreign page: no route answers, and nothing changes."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from serving import KEY, rows
from starlette.routing import Route
from starlette.testclient import TestClient, WebSocketDenialResponse

from mistraltune.serve.app import Server, create_app, open_server
from mistraltune.serve.catalogue import make_catalogue
from mistraltune.serve.security import OPEN_PATHS, is_api
from mistraltune.settings import ServerSettings

BEARER = {"Authorization": f"Bearer {KEY}"}
OUR_HOSTS = ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8000", "tuner.example:8000"]
FOREIGN_HOSTS = [
    *("evil.com", "127.0.0.1.nip.io", "", "127.0.0.1@evil.com", "evil.com#127.0.0.1", "localhost.evil.com", "[::2]"),
    *("127.0.0.1:x", "127.0.0.1, evil.com", "::1", "[::1", "localhost:", "127.0.0.1:8000:1"),
]
FOREIGN_ORIGINS = [
    *(
        "null",
        "http://evil.com",
        "http://localhost:3000",
        "http://localhost.evil.com",
        "http://localhost:8000.evil.com",
    ),
    *(
        "file://",
        "http://localhost:80001",
        "ftp://localhost:8000",
        "",
        "http://localhost:8000/",
        "HTTP://localhost:8000",
    ),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    opened = open_server(tmp_path / "data", ServerSettings(), make_catalogue())
    yield opened
    opened.store.close()


@pytest.fixture
def app(server: Server) -> FastAPI:
    return create_app(server, key=KEY, hosts=["tuner.example"])


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Without a lifespan: no supervisor runs, so that nothing changes by itself."""
    return TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)


def http_routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path, ids filled in."""
    return [
        (method, fill_in(str(context.path)))
        for context in iter_route_contexts(app.routes)
        if not isinstance(context.original_route, APIWebSocketRoute)
        for method in context.methods or ()
    ]


def fill_in(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "x", path)


def socket_routes(app: FastAPI) -> list[str]:
    return [
        fill_in(str(context.path))
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIWebSocketRoute)
    ]


def state_of(server: Server) -> Any:
    """All rows, and a hash of all files but the store's own."""
    with sqlite3.connect(server.store.path) as connection:
        rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("files", "jobs", "events")]
    digest = hashlib.sha256()
    for path in sorted(server.store.data_dir.rglob("*")):
        if path.is_file() and not path.name.startswith("server.db"):
            digest.update(str(path).encode() + path.read_bytes())
    return rows, digest.hexdigest()


def requests_to(path: str) -> list[dict[str, Any]]:
    """What a foreign page could send there."""
    return [
        {"json": {"model": "quickstart", "training_files": ["x"], "messages": []}},
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
        {"files": {"file": ("x.jsonl", rows())}, "data": {"purpose": "fine-tune"}},
    ]


def test_the_routes_are_the_ones_that_we_know(app: FastAPI) -> None:
    assert len(http_routes(app)) >= 20
    assert socket_routes(app) == [
        "/v1/fine_tuning/jobs/x/events/ws",
        "/api/evaluations/x/events/ws",
        "/api/comparisons/x/events/ws",
    ]
    assert {("POST", "/v1/files"), ("POST", "/v1/chat/completions"), ("DELETE", "/v1/models/x")} <= set(
        http_routes(app)
    )


@pytest.mark.figure("S1", "no key, or a wrong one, on every route: 401, nothing changes")
def test_no_route_answers_without_the_key(app: FastAPI, client: TestClient, server: Server) -> None:
    before = state_of(server)
    wrong: list[dict[str, str]] = [
        *(
            {"Authorization": value}
            for value in ("", KEY, f"bearer {KEY}", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer ")
        ),
        {},
        {"X-Api-Key": KEY},
        {"Cookie": f"key={KEY}"},
        {"Cookie": f"mistraltune-8000={KEY}"},
    ]
    for method, path in http_routes(app):
        if path in OPEN_PATHS:
            continue
        for headers in wrong:
            for address in (path, f"{path}?key={KEY}&token={KEY}&api_key={KEY}"):
                answer = client.request(method, address, headers=headers)
                assert answer.status_code == 401, (method, address, headers)
                assert KEY not in answer.text
    assert state_of(server) == before


def test_every_route_lies_where_the_guard_looks(app: FastAPI) -> None:
    for path in [*(path for _, path in http_routes(app)), *socket_routes(app)]:
        assert is_api(path), path


def test_only_the_health_check_and_signing_in_are_open(client: TestClient) -> None:
    assert OPEN_PATHS == ("/healthz", "/sign-in")
    assert client.get("/healthz").json() == {"status": "ok"}
    for path in ("/docs", "/openapi.json", "/metrics", "/healthz/", "/sign-in/", "/v1/nowhere", "/v1/%2e%2e/healthz"):
        assert client.get(path).status_code == 401, path


@pytest.mark.figure("S1", "a foreign Host on every route: 400, nothing changes")
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_no_route_answers_to_another_hosts_name(app: FastAPI, client: TestClient, server: Server, host: str) -> None:
    before = state_of(server)
    for method, path in http_routes(app):
        for request in requests_to(path):
            headers = {**BEARER, **request.get("headers", {}), "Host": host}
            assert client.request(method, path, **{**request, "headers": headers}).status_code == 400
    assert state_of(server) == before


@pytest.mark.figure("S1", "a foreign Origin on every route: 403, nothing changes")
@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_no_route_answers_to_a_foreign_page(app: FastAPI, client: TestClient, server: Server, origin: str) -> None:
    before = state_of(server)
    for method, path in http_routes(app):
        for request in requests_to(path):
            headers = {**BEARER, **request.get("headers", {}), "Origin": origin}
            assert client.request(method, path, **{**request, "headers": headers}).status_code == 403
    assert state_of(server) == before


@pytest.mark.figure("S5", "every answer forbids foreign scripts, frames and guesses at its type")
@pytest.mark.parametrize("host", OUR_HOSTS)
def test_our_own_names_are_answered(client: TestClient, host: str) -> None:
    for origin in (None, f"http://{host}"):
        headers = {**BEARER, "Host": host, **({"Origin": origin} if origin else {})}
        answer = client.get("/v1/models", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_two_hosts_are_none(client: TestClient) -> None:
    headers = [*BEARER.items(), ("Host", "localhost"), ("Host", "evil.com")]
    assert client.get("/v1/models", headers=headers).status_code == 400


@pytest.mark.figure("S1", "a stranger on every WebSocket: refused before it opens")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {**BEARER, "Host": "evil.com"},
        {**BEARER, "Host": "127.0.0.1.nip.io"},
        *({**BEARER, "Origin": origin} for origin in FOREIGN_ORIGINS),
    ],
)
def test_no_websocket_opens_for_a_stranger(app: FastAPI, client: TestClient, headers: dict[str, str]) -> None:
    for path in socket_routes(app):
        for address in (path, f"{path}?token={KEY}"):
            with (
                pytest.raises(WebSocketDenialResponse) as refusal,
                client.websocket_connect(address, headers={"Host": "localhost:8000", **headers}),
            ):
                pass
            assert refusal.value.status_code in (400, 401, 403)  # by the guard, not for want of such a job
            assert refusal.value.json()["message"]


@pytest.fixture
def cookie(server: Server) -> dict[str, str]:
    return {"Cookie": f"mistraltune-8000={server.sessions.browsers.issue()}"}


def test_a_cookie_reads_everything_that_the_key_reads(client: TestClient, cookie: dict[str, str]) -> None:
    for path in ("/v1/models", "/v1/files", "/docs", "/openapi.json", "/metrics", "/v1/fine_tuning/jobs"):
        assert client.get(path, headers=cookie).status_code == 200, path
    assert client.get("/v1/models", headers={**cookie, "Authorization": "Bearer wrong"}).status_code == 401


def test_a_cookie_alone_changes_nothing(
    app: FastAPI, client: TestClient, server: Server, cookie: dict[str, str]
) -> None:
    before = state_of(server)
    ours = {"Origin": "http://localhost:8000"}
    for method, path in http_routes(app):
        if method in ("GET", "HEAD"):
            continue
        for request in requests_to(path):
            for proof in ({}, ours, {"X-MistralTune-Console": "1"}):
                headers = {**cookie, **request.get("headers", {}), **proof}
                assert client.request(method, path, **{**request, "headers": headers}).status_code == 403
    assert state_of(server) == before
    headers = {**cookie, **ours, "X-MistralTune-Console": "1"}
    upload = {"files": {"file": ("x.jsonl", rows())}, "data": {"purpose": "fine-tune"}}
    assert client.post("/v1/files", headers=headers, **upload).status_code == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_cookie_opens_nothing_for_a_foreign_page(client: TestClient, cookie: dict[str, str], origin: str) -> None:
    headers = {**cookie, "Origin": origin, "X-MistralTune-Console": "1"}
    assert client.get("/v1/models", headers=headers).status_code == 403
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert client.get("/v1/models", headers=cookie).status_code == 200


def test_a_websocket_with_a_cookie_says_which_page_it_comes_from(
    client: TestClient, server: Server, cookie: dict[str, str]
) -> None:
    path = "/v1/fine_tuning/jobs/x/events/ws"
    cookie = {**cookie, "Host": "localhost:8000"}  # the test client names another host in WebSockets
    for headers in (cookie, {**cookie, "Origin": "null"}):
        with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(path, headers=headers):
            pass
        assert "page" in refusal.value.json()["message"]
    ours = {**cookie, "Origin": "http://localhost:8000"}
    with pytest.raises(WebSocketDenialResponse) as refusal, client.websocket_connect(path, headers=ours):
        pass
    assert refusal.value.status_code == 404  # let in, and told that there is no such job


@pytest.mark.figure("S1", "odd methods: 401 without the key, 405 with it")
def test_no_method_is_forgotten(client: TestClient) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "BREW"):
        assert client.request(method, "/v1/files").status_code == 401, method
        assert client.request(method, "/v1/files", headers=BEARER).status_code == 405, method


def test_there_is_no_kind_of_route_that_these_tests_pass_over(app: FastAPI) -> None:
    kinds = {type(context.original_route) for context in iter_route_contexts(app.routes)}
    assert kinds == {Route, APIRoute, APIWebSocketRoute}
