"""The HTTP client of one endpoint: its key goes to its own address only, and no answer may be endless."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx2

from mistraltune import __version__
from mistraltune.backends.api.answers import BadResponseError, BusyError, refuse_failure
from mistraltune.backends.api.endpoints import Endpoint

MAX_BODY_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection.
        read: For the next bytes of an answer.
        whole: For a whole answer, once it begins.
    """

    connect: float = 10
    read: float = 60
    whole: float = 120


ORDINARY: Final = Patience()
LONG: Final = Patience(read=600, whole=3600)
"""For answers that a model has to think of."""


def open_http(endpoint: Endpoint, patience: Patience = ORDINARY) -> httpx2.Client:
    """A client for one endpoint; redirects are not followed, every failure raises (see `answers`).

    Raises:
        ConfigError: The endpoint's key is missing, or cannot be one.
    """
    key = endpoint.key()
    base = httpx2.URL(endpoint.url)

    def authorise(request: httpx2.Request) -> None:
        # Whatever a library put there: without a key it would take Mistral's from the environment.
        request.headers.pop("authorization", None)
        if (request.url.scheme, request.url.host, request.url.port) != (base.scheme, base.host, base.port):
            raise BadResponseError(f"{endpoint.url} would have a request sent elsewhere")
        request.headers["accept-encoding"] = "identity"
        if key:
            request.headers["authorization"] = f"Bearer {key}"

    def name_seed(request: httpx2.Request) -> None:
        # Mistral's client has its own name for it; OpenAI's servers (vLLM, SGLang, llama.cpp) would pass that over.
        if request.url.path.endswith("/chat/completions") and b'"random_seed"' in request.content:
            body = json.loads(request.content)
            body["seed"] = body.pop("random_seed")
            content = json.dumps(body).encode()
            request.headers["content-length"] = str(len(content))
            request.stream = httpx2.ByteStream(content)

    def bound(response: httpx2.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":  # which was not asked for, and may unpack to any size
            raise BadResponseError(f"{endpoint.url} answers in the encoding {encoding[:20]!r}")
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = BoundedStream(response.stream, endpoint, seconds=patience.whole)
        refuse_failure(endpoint, response)

    return httpx2.Client(
        base_url=endpoint.url,
        headers={"user-agent": f"mistraltune/{__version__}"},
        timeout=httpx2.Timeout(patience.read, connect=patience.connect, pool=None),
        follow_redirects=False,
        trust_env=not endpoint.is_loopback,
        event_hooks={"request": [authorise, *([] if endpoint.is_mistral else [name_seed])], "response": [bound]},
    )


class BoundedStream(httpx2.SyncByteStream):
    """An answer's body that ends by an error where it is too long, or takes too long as a whole.

    Args:
        stream: The body.
        endpoint: Whose it is.
        seconds: How long it may take, from now.
    """

    def __init__(self, stream: httpx2.SyncByteStream, endpoint: Endpoint, *, seconds: float) -> None:
        self._stream = stream
        self._endpoint = endpoint
        self._deadline = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        num_bytes = 0
        for chunk in self._stream:
            num_bytes += len(chunk)
            if num_bytes > MAX_BODY_BYTES:
                raise BadResponseError(f"{self._endpoint.url} answers with more than {MAX_BODY_BYTES:,} bytes")
            if time.monotonic() > self._deadline:
                raise BusyError(f"{self._endpoint.url} takes too long to answer")
            yield chunk

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()
