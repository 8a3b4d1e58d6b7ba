"""A job followed to its end: each event and each figure told once, however often the line is cut."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from mistraltune.backends.api.answers import RefusedError, plain
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.retrying import Clock, wait
from mistraltune.backends.api.wire import KNOWN, VALIDATED, Event, Job
from mistraltune.errors import RemoteJobError, Stopped

SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 90.0
SHARE = 0.05
"""Of the time watched so far, which passes before the next look: little for short jobs, more for long ones."""

WATCH_PATIENCE = 1800.0
"""Seconds that an API may be out of reach before a watch ends; the job goes on."""

NOT_FOUND = 404


class Tell(Protocol):
    """`RunDir.emit`, or what does the same without a run."""

    def __call__(self, event: str, **fields: Any) -> None:
        """Tell of an event."""
        ...


class Pacer:
    """Pauses between looks at a job.

    Args:
        clock: Time.
        seed: Of the jitter.
    """

    def __init__(self, clock: Clock, *, seed: int | None = None) -> None:
        self.clock = clock
        self._began = clock.monotonic()
        self._random = random.Random(seed)  # noqa: S311 - jitter

    def pause(self, should_stop: Callable[[], bool]) -> None:
        """Wait until it is time for the next look.

        Raises:
            Stopped: `should_stop` said so meanwhile.
        """
        watched = self.clock.monotonic() - self._began
        seconds = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, SHARE * watched)) * self._random.uniform(0.95, 1.05)
        wait(seconds, self.clock, should_stop)


class Watch:
    """Follows one job.

    Args:
        client: The API.
        job_id: The job.
        tell: Hears of events and figures, as `RunDir.emit` does.
        told: Figures that were told before: pairs of `step` or `validation` and the step.
    """

    def __init__(self, client: ApiClient, job_id: str, *, tell: Tell, told: Iterable[tuple[str, int]] = ()) -> None:
        self.client = client
        self.job_id = job_id
        self.tell = tell
        self._told = set(told)
        self._told_events: Counter[str] = Counter()
        self._status: str | None = None
        self._is_unstarted = False
        self._reached = 0
        self._is_told_to_start = False

    def follow(self, should_stop: Callable[[], bool]) -> Job:
        """The job at its end.

        Raises:
            Stopped: `should_stop` said so; the job goes on.
            RemoteJobError: The API knows the job no longer.
            TemporaryError: The API could not be reached for long; the job goes on.
        """
        try:
            return self._follow(should_stop)
        except Stopped:
            stop = not_started if self._is_unstarted else detached
            raise stop(self.client, self.job_id) from None

    def _follow(self, should_stop: Callable[[], bool]) -> Job:
        pacer = Pacer(self.client.retry.clock)
        job = look_at(self.client, self.job_id)
        self._reached = max(job.last_step, self._last_step)  # what was done before is no measure of the speed
        self.tell("begin", step=self._reached, num_steps=job.num_steps)
        while True:
            self.tell_news(job)
            if job.has_ended:
                self.tell("end", step=self._last_step)
                return job
            pacer.pause(should_stop)
            job = look_at(self.client, self.job_id)

    @property
    def _last_step(self) -> int:
        return max((step for _, step in self._told), default=0)

    def tell_news(self, job: Job) -> None:
        """Tell what was not told yet, in the order in which it happened."""
        self._is_unstarted = job.is_unstarted
        seen: Counter[str] = Counter()
        news = []
        for event in job.told_events():
            key = event.model_dump_json()
            seen[key] += 1
            if seen[key] > self._told_events[key]:
                news.append(event)
        self._told_events |= seen
        told = [status_of(event) for event in news if status_of(event)]
        if told:  # in whatever order an API puts events of one second
            self._status = job.status if job.status in told else told[-1]
        for line in describe_events(news):
            self.tell("note", text=line)
        if job.status != self._status:
            self.tell("note", text=f"job {job.id}: {plain(str(job.status))}")
            self._status = job.status
            if job.status not in KNOWN:
                self.tell("note", text="warning: that status is not known here; watching on")
        if job.status == VALIDATED and not self._is_told_to_start:
            self._is_told_to_start = True
            at = f"--endpoint {self.client.endpoint.name}"
            self.tell("note", text=f"it trains once it is started: `mistraltune jobs start {job.id} {at}`")
        self.tell_figures(job)

    def tell_figures(self, job: Job) -> None:
        """Tell the losses of steps that are new."""
        if job.last_step > self._reached:  # once a look: the steps between were not made at this moment
            self._reached = job.last_step
            self.tell("tick", step=self._reached)
        for checkpoint in job.steps():
            step, figures = checkpoint.step_number, checkpoint.metrics
            if figures.train_loss is not None and self._is_new("step", step):
                self.tell("step", step=step, loss=figures.train_loss)
            if figures.valid_loss is not None and self._is_new("validation", step):
                self.tell("validation", step=step, val_loss=figures.valid_loss)

    def _is_new(self, kind: str, step: int) -> bool:
        if (kind, step) in self._told:
            return False
        self._told.add((kind, step))
        return True


def look_at(client: ApiClient, job_id: str) -> Job:
    """A job that was there before.

    Raises:
        RemoteJobError: The API knows it no longer.
        TemporaryError: It was out of reach for long.
    """
    try:
        return client.retry.with_patience(WATCH_PATIENCE)(lambda: client.look(job_id))
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        raise RemoteJobError(
            f"job {job_id} is gone: {error.message}",
            hint="its files may have expired; another --run-id uploads them again and makes another job",
        ) from error


def detached(client: ApiClient, job_id: str) -> Stopped:
    """What ends a watch on request: the job goes on."""
    return Stopped(
        f"detached; job {job_id} goes on at {client.endpoint.name}",
        hint=f"`mistraltune jobs watch {job_id} --endpoint {client.endpoint.name}` watches it again",
    )


def not_started(client: ApiClient, job_id: str) -> Stopped:
    """What ends a watch, or a wait for the check of the data, on request: the job rests until it is started."""
    return Stopped(
        f"stopped; job {job_id} at {client.endpoint.name} is not started yet",
        hint=f"`mistraltune jobs start {job_id} --endpoint {client.endpoint.name}` starts it, once its data is checked",
    )


def status_of(event: Event) -> str | None:
    """The status that an event tells of."""
    status = (event.data or {}).get("status")
    return status if isinstance(status, str) else None


def describe_events(events: Sequence[Event]) -> Iterator[str]:
    """A line for each event: when, what, and its data: a text alone as it is, all else as it came."""
    for event in events:
        what = status_of(event) or ""
        rest = {name: value for name, value in (event.data or {}).items() if not (name == "status" and what)}
        text = f"{event.name} {what}".strip() if event.name != "status-updated" or not what else what
        said = rest["text"] if rest.keys() == {"text"} else json.dumps(rest, ensure_ascii=False) if rest else ""
        yield plain(f"{time_of(event)} {text}" + (f": {said}" if said else ""))


def time_of(event: Event) -> str:
    """When an event happened, in UTC."""
    try:
        return f"{datetime.fromtimestamp(event.created_at, UTC):%H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return "--:--:--"
