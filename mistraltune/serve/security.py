"""Who may speak to the server: checked before any handler runs, for HTTP and WebSockets alike."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistraltune.serve.refusals import Refusal

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
OPEN_PATHS = ("/healthz",)
"""What is answered without a key."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
"""What a browser is told with every answer that says nothing else of it."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


class Guard:
    """Refuses whoever names another host, comes from a foreign page, or has not the key.

    A web page can make a browser send requests to this machine: under a name that resolves to it (hence Host), from
    another origin (hence Origin), but not with the key.

    Args:
        app: What is guarded.
        key: What clients send as `Authorization: Bearer KEY`.
        hosts: Names that the server answers to, in lower case; the loopback names are always among them.
    """

    def __init__(self, app: ASGIApp, *, key: str, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.hosts = {*LOOPBACK, *(name.lower() for name in hosts)}
        self._authorization = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                names = {name.lower() for name, _ in said}
                message = {**message, "headers": [*said, *(each for each in HEADERS if each[0] not in names)]}
            await send(message)

        refusal = self.refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        elif scope["type"] == "http":
            await refusal.response()(scope, receive, send_with_headers)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why this request is not answered; None where it is."""
        hosts = header_values(scope, b"host")
        if len(hosts) != 1 or not self.is_ours(hosts[0]):
            return Refusal(400, "the Host header names no host of this server; --allowed-host NAME adds one")
        origins = header_values(scope, b"origin")
        if origins and origins not in ([f"http://{hosts[0]}"], [f"https://{hosts[0]}"]):
            return Refusal(403, "requests from pages of another origin are refused")
        if scope["path"] in OPEN_PATHS or self.has_key(scope):
            return None
        return Refusal(
            401, "the key is missing or wrong; send Authorization: Bearer KEY", headers={"WWW-Authenticate": "Bearer"}
        )

    def is_ours(self, host: str) -> bool:
        """Whether a Host header, port or none, names this server."""
        match = _HOST.fullmatch(host)
        return match is not None and match[1].lower() in self.hosts

    def has_key(self, scope: Scope) -> bool:
        """Whether the one Authorization header carries the key; a key in the URL is never looked at."""
        values = header_values(scope, b"authorization")
        return len(values) == 1 and hmac.compare_digest(values[0].encode("latin-1"), self._authorization)


def header_values(scope: Scope, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
