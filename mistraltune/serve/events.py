"""A job's events over a WebSocket: each once, in order, from wherever the client left off.

Each socket reads the store for itself at its own pace. Nothing is queued for a slow reader, so none slows a training.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from mistraltune.serve.records import (
    ENDED,
    ComparisonRecord,
    EvaluationRecord,
    Event,
    JobRecord,
    TrainingRecord,
)
from mistraltune.serve.refusals import Refusal, unknown
from mistraltune.serve.store import Store

PAGE_SIZE = 200
PAUSE_SECONDS = 0.2
SEND_SECONDS = 10.0
"""A reader that takes longer than this for one event is dropped."""

DONE, TOO_SLOW = 1000, 1008


PLACES: dict[type[JobRecord], str] = {
    TrainingRecord: "/v1/fine_tuning/jobs",
    EvaluationRecord: "/api/evaluations",
    ComparisonRecord: "/api/comparisons",
}
"""Where jobs of each kind are."""


class Sockets:
    """Counts open sockets.

    Args:
        limit: So many may be open at a time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.num_open = 0


def event_routes(store: Store, sockets: Sockets) -> APIRouter:
    """`.../{job_id}/events/ws`, for each kind of job where its other routes are."""
    routes = APIRouter()

    for kind, place in PLACES.items():
        routes.add_api_websocket_route(f"{place}/{{job_id}}/events/ws", follower(store, sockets, kind))
    return routes


def follower(
    store: Store, sockets: Sockets, kind: type[JobRecord]
) -> Callable[[WebSocket, str, int], Coroutine[Any, Any, None]]:
    """The handler that sends the events of jobs of a kind."""

    async def follow(socket: WebSocket, job_id: str, after: Annotated[int, Query(ge=0, le=2**62)] = 0) -> None:
        """Send the events behind number `after`, those to come too, until the job ends."""
        if await run_in_threadpool(store.find_job, job_id, kind) is None:
            raise unknown("job", job_id)
        if sockets.num_open >= sockets.limit:
            raise Refusal(429, f"{sockets.limit} WebSockets are open; close one", headers={"Retry-After": "10"})
        sockets.num_open += 1
        try:
            await socket.accept()
            await send_until_left(socket, store, job_id, after)
        finally:
            sockets.num_open -= 1

    return follow


async def send_until_left(socket: WebSocket, store: Store, job_id: str, after: int) -> None:
    """Send events until there are no more, the client leaves, or it stops reading."""
    sending = asyncio.create_task(send_events(socket, store, job_id, after))
    leaving = asyncio.create_task(wait_for_leave(socket))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            return
        code = await sending
        with suppress(RuntimeError, TimeoutError):
            async with asyncio.timeout(1):
                await socket.close(code)
    except (WebSocketDisconnect, RuntimeError):  # it left while something was sent
        return
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def send_events(socket: WebSocket, store: Store, job_id: str, after: int) -> int:
    """Send events as they come; returns the code to close with."""
    while True:
        job = await run_in_threadpool(store.find_job, job_id, JobRecord)  # before its events: none comes behind the end
        events = await run_in_threadpool(store.events, job_id, after=after, limit=PAGE_SIZE)
        for event in events:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await socket.send_json(describe(event))
            except TimeoutError:
                return TOO_SLOW
            after = event.seq
        if events:
            continue
        if job is None or job.status in ENDED:
            return DONE
        await asyncio.sleep(PAUSE_SECONDS)


async def wait_for_leave(socket: WebSocket) -> None:
    """Pass over whatever the client says, until it leaves."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def describe(event: Event) -> dict[str, Any]:
    """An event as it is sent."""
    return {"seq": event.seq, "created_at": event.created_at, "name": event.name, "data": event.data}
