"""Request bodies: read whole, counted while they arrive, and strict JSON where they say that they are JSON."""

from __future__ import annotations

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistraltune.data.strict_json import LineError, loads
from mistraltune.serve.refusals import Refusal, problem
from mistraltune.serve.security import header_values
from mistraltune.settings import ServerSettings

_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE | re.ASCII)


class WholeBodies:
    """Hands each request on with its whole body, unless that is too long, too slow or broken.

    Uploads pass as they are: `receive_upload` counts those.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or is_upload(scope):
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                body = await read_whole(receive, max_bytes=self.settings.max_body_bytes, announced=announced(scope))
            refuse_loose_json(scope, body)
        except TimeoutError:
            await Refusal(408, "the body took too long to arrive").response()(scope, receive, send)
            return
        except Refusal as refusal:
            await refusal.response()(scope, receive, send)
            return
        if body is None:
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self.app(scope, replay, send)


def is_upload(scope: Scope) -> bool:
    """Whether a request uploads a file."""
    return bool(scope["method"] == "POST" and scope["path"] == "/v1/files")


def announced(scope: Scope) -> int:
    """The body's length by its header; 0 where it says none."""
    values = header_values(scope, b"content-length")
    return int(values[0]) if len(values) == 1 and values[0].isdecimal() else 0


async def read_whole(receive: Receive, *, max_bytes: int, announced: int) -> bytes | None:
    """The body; None where the client has gone.

    Raises:
        Refusal: 413, once more than `max_bytes` are announced or have come.
    """
    too_long = Refusal(413, f"the body is longer than {max_bytes:,} bytes")
    if announced > max_bytes:
        raise too_long
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise too_long
        if not message.get("more_body", False):
            return bytes(body)


def refuse_loose_json(scope: Scope, body: bytes | None) -> None:
    """Raise where a JSON body has duplicate keys, NaN, half surrogates or too many levels.

    Raises:
        Refusal: 422, with what is wrong and where.
    """
    is_json = any(_JSON.match(value) for value in header_values(scope, b"content-type"))
    if not body or not is_json:
        return
    try:
        loads(body)
    except LineError as error:
        details = [problem(f"json_{error.rule}", error.message)]
        raise Refusal(422, f"the body is no sound JSON: {error.message}", details=details) from error
