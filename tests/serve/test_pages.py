"""The console's files as the server gives them out: public, cached by what they are, and nothing else beside them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import KEY
from starlette.testclient import TestClient

from mistraltune.serve import app as app_module
from mistraltune.serve.app import create_app, open_server
from mistraltune.serve.pages import policy_for
from mistraltune.settings import ServerSettings

SCRIPT = 'self.__next_f=self.__next_f||[];if(1<2&&"</b>"){"é"}'
HOME = f'<!doctype html><script src="/_next/static/chunks/a-1.js"></script><script>{SCRIPT}</script><p>home'


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A console as Next.js exports one."""
    root = tmp_path / "site" / "out"
    files = {
        "index.html": HOME,
        "jobs/index.html": "<p>jobs<script>1</script>",
        "jobs/index.txt": "payload",
        "404.html": "<p>not found",
        "_next/static/chunks/a-1.js": "1",
        "icon.svg": "<svg/>",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (tmp_path / "site" / "secret.txt").write_text("secret")
    (root / "leak.txt").symlink_to(tmp_path / "site" / "secret.txt")
    return root


@pytest.fixture
def root(built: Path) -> Path | None:
    return built


@pytest.fixture
def browser(tmp_path: Path, root: Path | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(app_module, "console_dir", lambda: root)
    server = open_server(tmp_path / "data", ServerSettings(), {})
    yield TestClient(create_app(server, key=KEY), base_url="http://localhost:8000", follow_redirects=False)
    server.store.close()


@pytest.mark.parametrize(
    ("path", "kind", "words", "caching"),
    [
        ("/", "text/html; charset=utf-8", "home", "no-cache"),
        ("/jobs/", "text/html; charset=utf-8", "jobs", "no-cache"),
        ("/jobs/?id=3", "text/html; charset=utf-8", "jobs", "no-cache"),
        ("/jobs/index.txt?_rsc=1", "text/plain; charset=utf-8", "payload", "no-cache"),
        ("/icon.svg", "image/svg+xml", "<svg/>", "no-cache"),
        ("/_next/static/chunks/a-1.js", "text/javascript; charset=utf-8", "1", "immutable"),
    ],
)
def test_what_was_built_is_given_to_anybody(
    browser: TestClient, path: str, kind: str, words: str, caching: str
) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert words in answer.text
    assert caching in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = browser.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(answer.content)))


def test_a_page_without_its_slash_is_sent_on_with_its_query(browser: TestClient) -> None:
    answer = browser.get("/jobs?id=3")
    assert (answer.status_code, answer.headers["location"]) == (308, "/jobs/?id=3")


STRANGE = """
/nowhere /jobs/nowhere/ /leak.txt /../secret.txt /%2e%2e/secret.txt /jobs/..%2f../secret.txt //jobs/ /jobs//
/..%5csecret.txt /%00 //evil.com //evil.com/ /index.html /jobs/index.html /_next/ /_next
"""


@pytest.mark.parametrize("path", STRANGE.split())
def test_there_is_nothing_else(browser: TestClient, path: str) -> None:
    answer = browser.get(f"http://localhost:8000{path}")
    assert answer.status_code == 404
    assert "not found" in answer.text


def test_pages_are_only_read(browser: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert browser.request(method, "/").status_code == 405


def test_the_policy_names_each_script_of_the_page_and_lets_no_other_run(browser: TestClient) -> None:
    (policy,) = browser.get("/").headers.get_list("content-security-policy")
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert rules["script-src"] == f"'self' 'sha256-{digest}'"
    assert rules["default-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["object-src"] == "'none'"
    assert "http:" not in policy
    assert "https:" not in policy
    assert digest not in browser.get("/jobs/").headers["content-security-policy"]


def test_a_script_that_stands_twice_is_named_once() -> None:
    twice = policy_for("<script>1</script><script>1</script><script>2</script>")
    assert twice.count("sha256-") == 2


class TestWithoutAConsole:
    @pytest.fixture
    def root(self) -> None:
        return None

    def test_the_start_page_says_how_to_add_it(self, browser: TestClient) -> None:
        answer = browser.get("/")
        assert answer.status_code == 200
        assert "Node 20" in answer.text
        assert "<script" not in answer.text
        assert browser.get("/jobs/").status_code == 404
