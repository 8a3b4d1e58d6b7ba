"""A browser on a server's console, and what goes wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from relay import Relay
from serving import KEY, Serving

from mistraltune.serve.sessions import link_to_running_server

PICTURES = Path(__file__).parents[2] / "outputs" / "console"
"""Where pictures of the pages are left, to be looked at; `failed.png` shows where a visit ended too early."""


@dataclass
class Visit:
    """A signed-in browser, and what went wrong in it.

    Attributes:
        page: Its page.
        url: Where the console is for it.
        relay: The wire to the server.
        complaints: Errors of scripts and policies, and requests to anybody else.
    """

    page: Any
    url: str
    relay: Relay
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visiting(chromium: Any, server: Serving, *, signs_in: bool = True, **options: Any) -> Iterator[Visit]:
    """Yield a browser with a profile of its own on the server's console.

    Raises:
        AssertionError: At the end, where a script failed, a policy was broken or somebody else was asked.
    """
    relay = Relay(int(urlsplit(server.url).port or 0))
    context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.set_default_timeout(30_000)
    visit = Visit(context.new_page(), relay.url, relay)
    visit.page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
    visit.page.on("console", lambda message: note_message(visit, message))
    visit.page.on("request", lambda request: note_stranger(visit, request.url))
    try:
        if signs_in:
            visit.page.goto(relay.url + sign_in_path(server))
        yield visit
        assert visit.complaints == []
    except BaseException:
        visit.relay.mend()
        visit.page.screenshot(path=PICTURES / "failed.png", full_page=True)
        raise
    finally:
        context.close()
        relay.close()


def sign_in_path(server: Serving) -> str:
    """Path and code of a new link."""
    return link_to_running_server(server.data_dir).removeprefix(server.url)


def note_message(visit: Visit, message: Any) -> None:
    """Keep what the browser's console says of errors; that a request failed is shown by the page."""
    if message.type == "error" and not message.text.startswith(("Failed to load resource", "WebSocket connection to")):
        visit.complaints.append(f"console: {message.text}")


def note_stranger(visit: Visit, url: str) -> None:
    """Keep requests that go elsewhere, and those that carry the key."""
    parts = urlsplit(url)
    is_ours = parts.scheme in ("data", "blob") or f"{parts.scheme}://{parts.netloc}" == visit.url
    if not is_ours or KEY in url:
        visit.complaints.append(f"request: {url}")
