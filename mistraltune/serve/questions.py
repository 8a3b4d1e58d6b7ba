"""A prompt on its way to a loaded model, and what comes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import Completion, Sampling
from mistraltune.serve.refusals import Refusal


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        completion: What the model said.
        num_prompt_tokens: What it read.
    """

    completion: Completion
    num_prompt_tokens: int


Part = str | Answer | Exception
"""What comes out of a worker: pieces of text, then the whole answer; or what went wrong."""


@dataclass(eq=False)
class Question:
    """A prompt on its way through a worker.

    Attributes:
        prompt: What to answer.
        sampling: How.
        adapter: With which adapter.
        is_streamed: Whether pieces are wanted before the whole.
        is_alone: Whether a batch with it has failed.
        is_abandoned: Set when nobody waits any more.
    """

    prompt: Conversation
    sampling: Sampling
    adapter: str | None
    is_streamed: bool = False
    is_alone: bool = False
    is_abandoned: threading.Event = field(default_factory=threading.Event)
    _parts: asyncio.Queue[Part] = field(default_factory=asyncio.Queue)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def tell(self, part: Part) -> None:
        """Hand a part to whoever waits; called by the worker."""
        with suppress(RuntimeError):  # the server has stopped
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)

    async def parts(self) -> AsyncIterator[str | Answer]:
        """The parts, the whole answer last.

        Raises:
            MistralTuneError: The model refuses the prompt.
            Refusal: The model had to leave.
        """
        try:
            while True:
                part = await self._parts.get()
                if isinstance(part, Exception):
                    raise part
                yield part
                if isinstance(part, Answer):
                    return
        finally:
            self.is_abandoned.set()

    def goes_with(self, other: Question) -> bool:
        """Whether both can be answered in one batch, with the same words as alone."""
        return (
            not (self.is_streamed or other.is_streamed or self.is_alone or other.is_alone)
            and self.adapter == other.adapter
            and self.sampling == other.sampling
            and self.sampling.temperature == 0
        )


def busy() -> Refusal:
    """A training has the device."""
    return Refusal(503, "a training has the device; answers come when it has ended", headers={"Retry-After": "30"})
