"""Every call to a Mistral-compatible API: files, models and chat by Mistral's own client, jobs by five calls of ours.

Mistral's client dropped the job routes after 2.5.1. Both go through one HTTP client and one map of errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, TypeVar
from urllib.parse import quote

from mistralai.client import Mistral
from mistralai.client import models as sdk
from mistralai.client.utils.eventstreaming import EventStream
from mistralai.client.utils.logger import NoOpLogger

from mistraltune.backends.api.answers import JOB_ROUTES, read, understanding
from mistraltune.backends.api.connection import LONG, ORDINARY, Patience, open_http
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.backends.api.retrying import Retrier
from mistraltune.backends.api.wire import Job, JobPage, Listed, ModelCard, ModelPage, RemoteFile

T = TypeVar("T")
L = TypeVar("L", bound=Listed)

PAGE_SIZE = 100
MAX_PAGES = 100
"""Of any list: ten thousand entries."""

NO_KEY = "none"
"""What Mistral's client is told where an endpoint has no key: without any, it would take Mistral's own; never sent."""


class ApiClient:
    """An API. Reading calls are tried again by themselves; calls that change something are made once.

    Args:
        endpoint: Where it is.
        retry: How often to try again.
        patience: How long to wait for answers.

    Raises:
        ConfigError: The endpoint's key is missing, or cannot be one.
    """

    def __init__(self, endpoint: Endpoint, *, retry: Retrier | None = None, patience: Patience = ORDINARY) -> None:
        self.endpoint = endpoint
        self.retry = retry or Retrier()
        self._patience = patience
        self._http = open_http(endpoint, patience)
        self._sdk = Mistral(api_key=NO_KEY, server_url=endpoint.url, client=self._http, debug_logger=NoOpLogger())

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # Files

    def find_files(self, name: str) -> list[RemoteFile]:
        """The uploaded files of exactly that name, the oldest first."""
        found = self._pages(lambda page: self._list_files(page, name))
        return [file for file in reversed(found) if file.filename == name]

    def _list_files(self, page: int, search: str) -> list[RemoteFile]:
        listed = self._sdk.files.list(
            page=page, page_size=PAGE_SIZE, search=search, purpose="fine-tune", timeout_ms=self._timeout
        )
        return [RemoteFile(id=file.id, filename=file.filename, num_bytes=file.size_bytes) for file in listed.data]

    def upload(self, name: str, content: IO[bytes]) -> RemoteFile:
        """Upload rows, read from `content` as they go out. One try: whether it happened, `find_files` knows."""
        with understanding(self.endpoint):
            file = self._sdk.files.upload(
                file=sdk.File(file_name=name, content=content),
                purpose="fine-tune",
                timeout_ms=int(LONG.read * 1000),
            )
        return RemoteFile(id=file.id, filename=file.filename, num_bytes=file.size_bytes)

    # Jobs

    def create_job(self, body: Mapping[str, Any]) -> Job:
        """Make a job. One try: whether it happened, `jobs` knows."""
        return self._job("POST", JOB_ROUTES, json=dict(body))

    def job(self, job_id: str) -> Job:
        """One job, with its events and checkpoints."""
        return self.retry(lambda: self.look(job_id))

    def look(self, job_id: str) -> Job:
        """As `job`, by one try."""
        return self._job("GET", f"{JOB_ROUTES}/{quote(job_id, safe='')}")

    def start_job(self, job_id: str) -> Job:
        """Let a job that was checked run. One try."""
        return self._job("POST", f"{JOB_ROUTES}/{quote(job_id, safe='')}/start")

    def cancel_job(self, job_id: str) -> Job:
        """Stop a job; again and again is as once."""
        return self.retry(lambda: self._job("POST", f"{JOB_ROUTES}/{quote(job_id, safe='')}/cancel"))

    def jobs(self, *, limit: int | None = None, **filters: str | None) -> list[Job]:
        """The jobs that the filters let through, the newest first.

        Args:
            limit: At most so many.
            filters: `status`, `suffix`, `model` and `created_after`, as the API takes them.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        return self._pages(lambda page: self._list_jobs(page, given), limit=limit)

    def _list_jobs(self, page: int, filters: Mapping[str, str]) -> list[Job]:
        answer = self._http.get(JOB_ROUTES, params={"page": page, "page_size": PAGE_SIZE, **filters})
        return list(read(self.endpoint, answer, JobPage).data)

    def _job(self, method: str, path: str, **options: Any) -> Job:
        with understanding(self.endpoint):
            return read(self.endpoint, self._http.request(method, path, **options), Job)

    # Models

    def models(self) -> list[ModelCard]:
        """The models that this key can ask.

        Read by ourselves: servers other than Mistral's leave out what Mistral's client insists on.
        """

        def look() -> list[ModelCard]:
            with understanding(self.endpoint):
                return list(read(self.endpoint, self._http.get("/v1/models"), ModelPage).data)

        return self.retry(look)

    def delete_model(self, model_id: str) -> None:
        """Have a fine-tuned model served no longer. One try."""
        with understanding(self.endpoint):
            self._sdk.models.delete(model_id=model_id, timeout_ms=self._timeout)

    # Chat

    def chat(self, body: Mapping[str, Any]) -> sdk.ChatCompletionResponse:
        """A model's answer; tried again by itself, as nothing remains of a try.

        Args:
            body: `model`, `messages` and options, by the names of `Mistral.chat.complete`.
        """

        def ask() -> sdk.ChatCompletionResponse:
            with understanding(self.endpoint):
                return self._sdk.chat.complete(**body, timeout_ms=self._timeout)

        return self.retry(ask)

    @contextmanager
    def chat_stream(self, body: Mapping[str, Any]) -> Iterator[Iterator[sdk.CompletionChunk]]:
        """Yield the pieces of an answer as they come; only its beginning is tried again."""

        def begin() -> EventStream[sdk.CompletionEvent]:
            with understanding(self.endpoint):
                return self._sdk.chat.stream(**body, timeout_ms=self._timeout)

        with self.retry(begin) as events, understanding(self.endpoint):
            yield (event.data for event in events)

    # Lists

    def _pages(self, look: Callable[[int], Sequence[L]], *, limit: int | None = None) -> list[L]:
        """The entries of all pages: until one is not full, or repeats what came before."""
        found: dict[str, L] = {}
        for page in range(MAX_PAGES):
            entries = self.retry(partial(self._understood, look, page))
            num_before = len(found)
            found |= {entry.id: entry for entry in entries if entry.id not in found}
            is_last = len(entries) < PAGE_SIZE or len(found) == num_before
            if is_last or (limit is not None and len(found) >= limit):
                break
        return list(found.values())[:limit]

    def _understood(self, look: Callable[[int], T], page: int) -> T:
        with understanding(self.endpoint):
            return look(page)

    @property
    def _timeout(self) -> int:
        return int(self._patience.read * 1000)
