"""Connections whose requests must begin promptly: uvicorn waits for the end of a request's headers without end."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def protocol_with_limit(head_seconds: float) -> type[asyncio.Protocol]:
    """The protocol of connections that get `head_seconds` for everything before a request's body."""

    class PromptProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:  # the headers are not complete
                self._expect_head()
            else:
                self._forget_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_head()
            super().connection_lost(exc)

        def _expect_head(self) -> None:
            self._deadline = self._deadline or self.loop.call_later(head_seconds, self._give_up)

        def _forget_head(self) -> None:
            if self._deadline:
                self._deadline.cancel()
            self._deadline = None

        def _give_up(self) -> None:
            self.transport.write(TIMED_OUT)
            self.transport.close()

    return PromptProtocol
