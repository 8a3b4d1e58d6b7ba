"""Signing a browser in: a link that opens once, a cookie that scripts do not see, and a way out."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import KEY, Serving, serving, wait_until
from starlette.testclient import TestClient

from mistraltune.errors import ConfigError
from mistraltune.serve.app import Server, create_app, open_server
from mistraltune.serve.sessions import CODE_SECONDS, SESSION_SECONDS, link_to_running_server
from mistraltune.serve.tickets import Tickets
from mistraltune.settings import ServerSettings

HOST = "localhost:8000"
CONSOLE = {"Origin": f"http://{HOST}", "X-MistralTune-Console": "1"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    opened = open_server(tmp_path / "data", ServerSettings(), {})
    yield opened
    opened.store.close()


@pytest.fixture
def browser(server: Server) -> TestClient:
    """Keeps cookies; stays where it is sent from, so that a redirect can be looked at."""
    return TestClient(create_app(server, key=KEY), base_url=f"http://{HOST}", follow_redirects=False)


def test_a_link_signs_in_once(server: Server, browser: TestClient) -> None:
    link = server.sessions.make_link(f"http://{HOST}")
    assert KEY not in link
    assert browser.get("/v1/models").status_code == 401
    answer = browser.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", f"max-age={SESSION_SECONDS}"} == attributes
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert browser.get("/v1/models").status_code == 200
    browser.cookies.clear()
    again = browser.get(link)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert "mistraltune serve link" in again.text


@pytest.mark.parametrize("code", ["", "x", "../sessions/x", "%00", "a" * 5000, "é"])
def test_a_made_up_code_does_not(browser: TestClient, code: str) -> None:
    answer = browser.get(f"/sign-in?code={code}")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_link_and_a_session_end_by_themselves(server: Server, browser: TestClient) -> None:
    link = server.sessions.make_link(f"http://{HOST}")
    make_older(server.sessions.codes, CODE_SECONDS + 1)
    assert browser.get(link).status_code == 401
    browser.get(server.sessions.make_link(f"http://{HOST}"))
    assert browser.get("/v1/models").status_code == 200
    make_older(server.sessions.browsers, SESSION_SECONDS + 1)
    assert browser.get("/v1/models").status_code == 401


def make_older(tickets: Tickets, seconds: float) -> None:
    for path in tickets.folder.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_signing_out_ends_the_session_and_no_other(server: Server, browser: TestClient) -> None:
    browser.get(server.sessions.make_link(f"http://{HOST}"))
    stolen = dict(browser.cookies)
    other = server.sessions.browsers.issue()
    assert browser.post("/sign-out", headers=CONSOLE).status_code == 204
    assert not browser.cookies
    for token, status in ((*stolen.values(), 401), (other, 200)):
        assert browser.get("/v1/models", headers={"Cookie": f"mistraltune-8000={token}"}).status_code == status


def test_a_session_is_one_servers_though_browsers_mix_up_ports(server: Server, browser: TestClient) -> None:
    token = server.sessions.browsers.issue()
    assert browser.get("/v1/models", headers={"Cookie": f"mistraltune-9000={token}"}).status_code == 401
    headers = {"Cookie": f"mistraltune-9000=x; mistraltune-8000={token}"}
    assert browser.get("/v1/models", headers=headers).status_code == 200


def test_nothing_on_the_disk_signs_anybody_in(server: Server, browser: TestClient) -> None:
    link = server.sessions.make_link(f"http://{HOST}")
    browser.get(link)
    server.sessions.make_link(f"http://{HOST}")
    (session,) = browser.cookies.values()
    for path in server.store.data_dir.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert session.encode() not in str(path).encode() + content
    for tickets in (server.sessions.codes, server.sessions.browsers):
        assert stat.S_IMODE(tickets.folder.stat().st_mode) == 0o700
        for path in tickets.folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            headers = {"Cookie": f"mistraltune-8000={path.name}"}
            browser.cookies.clear()
            assert browser.get("/v1/models", headers=headers).status_code == 401


def test_tickets_are_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path / "tickets", seconds=60, limit=3)
    tokens = []
    for age in range(5, 0, -1):
        tokens.append(tickets.issue())
        (newest,) = set(tickets.folder.iterdir()) - {path for path, _ in known_ages(tickets)}
        os.utime(newest, (time.time() - age,) * 2)
    assert [tickets.is_valid(token) for token in tokens] == [False, False, True, True, True]
    assert tickets.use_up(tokens[-1])
    assert not tickets.use_up(tokens[-1])


def known_ages(tickets: Tickets) -> list[tuple[Path, float]]:
    """The tickets whose age was set: those of this second were not."""
    ages = [(path, time.time() - path.stat().st_mtime) for path in tickets.folder.iterdir()]
    return [(path, age) for path, age in ages if age > 0.9]


def test_the_start_line_and_the_command_give_links_to_the_running_server(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.tmp && mv {opened}.tmp {opened}\n')
    browser.chmod(0o700)
    with serving(tmp_path / "data", "--open", env={"BROWSER": f"{browser} %s"}) as running:
        match = re.search(r"console: (http://\S+/sign-in\?code=\S+)", running.log.read_text())
        assert match is not None
        wait_until(opened.exists, seconds=60)
        assert opened.read_text().strip() == match[1]
        for link in (match[1], link_to_running_server(tmp_path / "data")):
            assert link.startswith(running.url)
            answer = running.http.get(link, headers={"Authorization": ""})
            assert answer.status_code == 303
            assert is_in(running, answer.headers["set-cookie"])
    with pytest.raises(ConfigError, match="no server works on"):
        link_to_running_server(tmp_path / "data")
    with serving(tmp_path / "data") as running:  # sessions outlive the server, as jobs do
        assert is_in(running, re.sub(r"mistraltune-\d+", cookie_of(running), answer.headers["set-cookie"]))


def cookie_of(running: Serving) -> str:
    return f"mistraltune-{running.url.rpartition(':')[2]}"


def is_in(running: Serving, set_cookie: str) -> bool:
    request = running.http.build_request("GET", "/v1/models", headers={"Cookie": set_cookie.partition(";")[0]})
    del request.headers["Authorization"]
    return running.http.send(request).status_code == 200
