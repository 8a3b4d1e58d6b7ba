"""Who may speak to the server: checked before any handler runs, for HTTP and WebSockets alike."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistraltune.serve.refusals import Refusal
from mistraltune.serve.sessions import Sessions

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
API = frozenset({"v1", "api", "docs", "openapi.json", "metrics", "healthz", "sign-in", "sign-out"})
"""First parts of the API's paths; at all others stand the console's pages, the same for everybody."""

OPEN_PATHS = ("/healthz", "/sign-in")
"""What of the API is answered without a key."""

CONSOLE_HEADER = b"x-mistraltune-console"
"""What the console sends with every request that changes something: no form and no other page can."""

SAFE_METHODS = ("GET", "HEAD")

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""What a browser is told with every answer that does not say otherwise itself."""

UNKNOWN = Refusal(
    401,
    "the key is missing or wrong; send Authorization: Bearer KEY, or sign in by the link of `mistraltune serve link`",
    headers={"WWW-Authenticate": "Bearer"},
)

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


def is_api(path: str) -> bool:
    """Whether a path is the API's."""
    return path.startswith("/") and path[1:].partition("/")[0] in API


class Guard:
    """Refuses whoever names another host, comes from a foreign page, or has neither the key nor a session.

    A web page can make a browser send requests to this machine: under a name that resolves to it (hence Host), from
    another origin (hence Origin), but not with the key. The cookie of a session comes by itself, so what changes
    something, and a WebSocket, must then say that it comes from a page of this server.

    Args:
        app: What is guarded.
        key: What clients send as `Authorization: Bearer KEY`.
        sessions: The browsers that have signed in.
        hosts: Names that the server answers to, in lower case; the loopback names are always among them.
    """

    def __init__(self, app: ASGIApp, *, key: str, sessions: Sessions, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.sessions = sessions
        self.hosts = {*LOOPBACK, *(name.lower() for name in hosts)}
        self._authorization = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = list(message.get("headers", ()))
                names = {name.lower() for name, _ in headers}
                message = {**message, "headers": headers + [each for each in HEADERS if each[0] not in names]}
            await send(message)

        refusal = self.refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await refusal.answer(scope, receive, send_with_headers)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why this request is not answered; None where it is."""
        hosts = header_values(scope, b"host")
        if len(hosts) != 1 or not self.is_ours(hosts[0]):
            return Refusal(400, "the Host header names no host of this server; --allowed-host NAME adds one")
        origins = header_values(scope, b"origin")
        if origins and origins not in ([f"http://{hosts[0]}"], [f"https://{hosts[0]}"]):
            return Refusal(403, "requests from pages of another origin are refused")
        if scope["type"] == "http" and (scope["path"] in OPEN_PATHS or not is_api(scope["path"])):
            return None
        if header_values(scope, b"authorization"):
            return None if self.has_key(scope) else UNKNOWN
        cookies = "; ".join(header_values(scope, b"cookie"))
        if not self.sessions.is_signed_in(host=hosts[0], cookies=cookies):
            return UNKNOWN
        return lacking_proof(scope) if needs_proof(scope) else None

    def is_ours(self, host: str) -> bool:
        """Whether a Host header, port or none, names this server."""
        match = _HOST.fullmatch(host)
        return match is not None and match[1].lower() in self.hosts

    def has_key(self, scope: Scope) -> bool:
        """Whether the one Authorization header carries the key; a key in the URL is never looked at."""
        values = header_values(scope, b"authorization")
        return len(values) == 1 and hmac.compare_digest(values[0].encode("latin-1"), self._authorization)


def needs_proof(scope: Scope) -> bool:
    """Whether a cookie alone is not enough."""
    return scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS


def lacking_proof(scope: Scope) -> Refusal | None:
    """What is missing to show that a request with a cookie comes from the console; its Origin, if any, is ours."""
    if not header_values(scope, b"origin"):
        return Refusal(403, "a browser's request that changes something has to say which page it comes from")
    if scope["type"] == "http" and not header_values(scope, CONSOLE_HEADER):
        return Refusal(403, f"a request with a cookie that changes something needs {CONSOLE_HEADER.decode()}: 1")
    return None


def header_values(scope: Scope, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
