"""Requests that are done once however often they come: `Idempotency-Key`, for whatever makes a job.

A reply is kept under its key for a day. Where the server dies between making a job and keeping the reply, the same
request meets the open job as a conflict, and so makes no second one either.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import suppress
from weakref import WeakValueDictionary

from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistraltune.serve.refusals import Refusal
from mistraltune.serve.security import header_values
from mistraltune.serve.store import KeptReply, Store

PLACES = ("/v1/fine_tuning/jobs", "/api/evaluations", "/api/comparisons")
"""Where a POST makes something; the same upload is the same file anyway."""

MAX_KEY_LENGTH = 255


class Once:
    """Answers a request that repeats an earlier one's key with the earlier reply.

    Args:
        app: What does the work.
        store: Keeps replies.
    """

    def __init__(self, app: ASGIApp, *, store: Store) -> None:
        self.app = app
        self.store = store
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do it, or tell again what came of it."""
        is_ours = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in PLACES
        keys = header_values(scope, b"idempotency-key") if is_ours else []
        if not keys:
            await self.app(scope, receive, send)
            return
        key = keys[0].strip()
        if len(keys) > 1 or not 0 < len(key) <= MAX_KEY_LENGTH:
            refusal = Refusal(422, f"an Idempotency-Key is one text of up to {MAX_KEY_LENGTH} characters")
            await refusal.response()(scope, receive, send)
            return
        body = await receive()  # whole: see WholeBodies
        request = f"{scope['path']}?{scope['query_string'].decode('latin-1')}\n".encode() + body.get("body", b"")
        async with self._turns.setdefault(key, asyncio.Lock()):  # a repetition waits for the reply to the first
            response = await self._answer(key, hashlib.sha256(request).hexdigest(), scope, body)
        await response(scope, receive, send)

    async def _answer(self, key: str, digest: str, scope: Scope, body: Message) -> Response:
        known = await run_in_threadpool(self.store.find_reply, key)
        if known and known.request_sha256 != digest:
            return Refusal(422, "this Idempotency-Key was used for another request; make a new one").response()
        if known:
            return Response(known.body, media_type="application/json", headers={"idempotent-replayed": "true"})
        response = await self._ask(scope, body)
        if response.status_code == 200:
            with suppress(sqlite3.OperationalError):  # the disk is full: what was made is no less made
                await run_in_threadpool(self.store.keep_reply, key, KeptReply(digest, bytes(response.body)))
        return response

    async def _ask(self, scope: Scope, body: Message) -> Response:
        """The application's whole answer."""
        response = Response()
        content = bytearray()
        pending = [body]

        async def replay() -> Message:
            return pending.pop() if pending else {"type": "http.disconnect"}  # a job is made whoever has left

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status_code = message["status"]
                response.raw_headers = list(message.get("headers", ()))
            else:
                content.extend(message.get("body", b""))

        await self.app(scope, replay, collect)
        response.body = bytes(content)
        return response
