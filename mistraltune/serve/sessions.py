"""How a browser signs in: a link that works once gives it a cookie, and nobody has to type a key.

The link's code stands in an address, so it is no key and is used up at once; the cookie is out of reach of scripts.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import cookie_parser

from mistraltune.errors import ConfigError
from mistraltune.publishing import publish_text
from mistraltune.serve.tickets import Tickets

CODE_SECONDS = 10 * 60
"""How long a link waits to be opened."""

SESSION_SECONDS = 14 * 24 * 60 * 60
"""How long a browser stays signed in."""

ADDRESS = "address"
"""A file of the data directory: where its server is, while there is one."""

SPENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MistralTune</title></head><body>
<h1>This link does not sign you in</h1>
<p>It was opened before, or is older than {minutes} minutes. On the machine of the server,
<code>mistraltune serve link --data-dir {data_dir}</code> prints a new one.</p>
</body></html>
"""


class Sessions:
    """Who may come in by a link, and who has.

    Args:
        data_dir: The server's data directory; whoever can write there can make a link.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.codes = Tickets(data_dir / "links", seconds=CODE_SECONDS, limit=20)
        self.browsers = Tickets(data_dir / "sessions", seconds=SESSION_SECONDS, limit=100)

    def is_signed_in(self, *, host: str, cookies: str) -> bool:
        """Whether the Cookie header that came to a Host has a valid session."""
        token = session_of(host=host, cookies=cookies)
        return token is not None and self.browsers.is_valid(token)

    def make_link(self, address: str) -> str:
        """A new link to the server at `address`."""
        return f"{address}/sign-in?code={self.codes.issue()}"

    def note_address(self, address: str) -> None:
        """Say where the server is, for `serve link`."""
        publish_text(self.data_dir / ADDRESS, address + "\n")

    def forget_address(self) -> None:
        """The server has stopped."""
        with suppress(OSError):
            (self.data_dir / ADDRESS).unlink(missing_ok=True)


def link_to_running_server(data_dir: Path) -> str:
    """A new link to the server that works on a data directory.

    Raises:
        ConfigError: There is none.
    """
    sessions = Sessions(data_dir)
    try:
        address = (data_dir / ADDRESS).read_text(encoding="utf-8").strip()
        parts = urlsplit(address)
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5).close()
    except (OSError, ValueError):
        raise ConfigError(
            f"no server works on {data_dir}", hint="start it with `mistraltune serve`, or name its --data-dir"
        ) from None
    return sessions.make_link(address)


def cookie_name(host: str) -> str:
    """The cookie's name at a Host: with the port, for browsers keep one set of cookies for all ports of a machine."""
    _, _, port = host.rpartition(":")
    return f"mistraltune-{port if port.isdecimal() else 80}"


def session_of(*, host: str, cookies: str) -> str | None:
    """The session's token in a Cookie header."""
    return cookie_parser(cookies).get(cookie_name(host))


def session_routes(sessions: Sessions) -> APIRouter:
    """`/sign-in` and `/sign-out`."""
    routes = APIRouter(tags=["server"])

    @routes.get("/sign-in", response_class=RedirectResponse, status_code=303)
    async def sign_in(request: Request, code: str = "") -> Response:
        """Open a link: sign this browser in, and go to the console."""
        if not await run_in_threadpool(sessions.codes.use_up, code):
            page = SPENT.format(minutes=CODE_SECONDS // 60, data_dir=escape(str(sessions.data_dir)))
            return HTMLResponse(page, status_code=401, headers={"cache-control": "no-store"})
        response = RedirectResponse("/", status_code=303, headers={"cache-control": "no-store"})
        response.set_cookie(
            cookie_name(request.headers["host"]),
            await run_in_threadpool(sessions.browsers.issue),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    @routes.post("/sign-out", status_code=204)
    async def sign_out(request: Request) -> Response:
        """Sign this browser out."""
        host = request.headers["host"]
        token = session_of(host=host, cookies=request.headers.get("cookie", ""))
        if token:
            await run_in_threadpool(sessions.browsers.use_up, token)
        response = Response(status_code=204)
        response.delete_cookie(cookie_name(host), httponly=True, samesite="strict")
        return response

    return routes
