"""Models that answer: one worker thread and one queue for each loaded base, adapters in turns."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import cast

from mistraltune.data.conversation import Conversation
from mistraltune.errors import MistralTuneError
from mistraltune.interfaces import Completion, Sampling, SharedBase, SharingBackend
from mistraltune.registry import get_backend
from mistraltune.results import ModelRef
from mistraltune.serve.refusals import Refusal

BATCH_SIZE = 8
"""At most so many greedy prompts of one model are answered together."""

log = logging.getLogger("mistraltune.serve")


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


class Worker:
    """Loads one base and answers with it, one batch at a time, until it is told to leave.

    Args:
        ref: The base.
        on_exit: Called at the very end, when nothing of the model is in memory.
    """

    def __init__(self, ref: ModelRef, on_exit: Callable[[Worker], None]) -> None:
        self.ref = ref
        self._on_exit = on_exit
        self._questions: deque[Question] = deque()
        self._changed = threading.Condition()
        self._is_leaving = False
        self._thread = threading.Thread(target=self._work, name=f"chat {ref.model}", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Put a question at the end of the queue.

        Raises:
            Refusal: 503, the model is leaving.
        """
        with self._changed:
            if self._is_leaving:
                raise busy()
            self._questions.append(question)
            self._changed.notify()

    def leave(self) -> None:
        """Finish the present batch, refuse what waits, and free the memory."""
        with self._changed:
            self._is_leaving = True
            waiting = list(self._questions)
            self._questions.clear()
            self._changed.notify()
        for question in waiting:
            question.tell(busy())

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _work(self) -> None:
        base: SharedBase | None = None
        try:
            while batch := self._next_batch():
                try:
                    base = base or cast("SharingBackend", get_backend(self.ref.backend)).shared_base(self.ref)
                    self._answer(base, batch)
                except Exception as error:
                    self._fail(batch, error)
        finally:
            if base:
                base.close()
            self.leave()
            self._on_exit(self)

    def _next_batch(self) -> list[Question]:
        """The first question and those behind it that go with it; empty when it is time to leave."""
        with self._changed:
            while not self._questions and not self._is_leaving:
                self._changed.wait()
            if self._is_leaving:
                return []
            first = self._questions.popleft()
            batch = [first, *(other for other in self._questions if first.goes_with(other))][:BATCH_SIZE]
            for other in batch[1:]:
                self._questions.remove(other)
        return [question for question in batch if not question.is_abandoned.is_set()] or self._next_batch()

    def _answer(self, base: SharedBase, batch: list[Question]) -> None:
        model = base.answering_as(batch[0].adapter)
        if batch[0].is_streamed:
            self._stream(base, batch[0])
            return
        completions = model.generate([question.prompt for question in batch], batch[0].sampling)
        for question, completion in zip(batch, completions, strict=True):
            question.tell(Answer(completion, len(base.renderer.prompt(question.prompt))))

    def _stream(self, base: SharedBase, question: Question) -> None:
        num_prompt_tokens = len(base.renderer.prompt(question.prompt))
        stream = base.answering_as(question.adapter).stream(question.prompt, question.sampling)
        whole = ""
        with closing(cast("Generator[str, None, Completion | None]", stream)) as pieces:
            while not question.is_abandoned.is_set():
                try:
                    piece = next(pieces)
                except StopIteration as end:
                    question.tell(Answer(end.value or Completion(whole, 0, "stop"), num_prompt_tokens))
                    return
                whole += piece
                question.tell(piece)

    def _fail(self, batch: list[Question], error: Exception) -> None:
        if len(batch) > 1:  # one prompt may be too long: the others are answered alone
            for question in batch:
                question.is_alone = True
            with self._changed:
                self._questions.extendleft(reversed(batch))
            return
        if not isinstance(error, MistralTuneError):
            log.exception("the model %s failed", self.ref)
            error = Refusal(500, "the model failed; the server's log says why")
        batch[0].tell(error)


class Engine:
    """The workers of a server; shares the device with its trainers.

    Args:
        keep_loaded: Whether models stay in memory while trainings run.
        max_questions: So many may be open at a time.
    """

    def __init__(self, *, keep_loaded: bool = False, max_questions: int = 64) -> None:
        self.keep_loaded = keep_loaded
        self.max_questions = max_questions
        self._workers: dict[str, Worker] = {}
        self._num_open = 0
        self._is_lent = False
        self._lock = threading.Lock()

    async def answer(self, ref: ModelRef, prompt: Conversation, sampling: Sampling) -> Answer:
        """The whole answer.

        Raises:
            MistralTuneError: The model refuses the prompt.
            Refusal: 429 too many wait, 503 a training has the device.
        """
        async for part in self.stream(ref, prompt, sampling, in_pieces=False):
            if isinstance(part, Answer):
                return part
        raise busy()

    async def stream(
        self, ref: ModelRef, prompt: Conversation, sampling: Sampling, *, in_pieces: bool = True
    ) -> AsyncGenerator[str | Answer, None]:
        """Pieces of text as they are written, then the whole answer; errors as of `answer`."""
        question = Question(prompt, sampling, ref.adapter, is_streamed=in_pieces)
        self._open(ref, question)
        try:
            async for part in question.parts():
                yield part
        finally:
            question.is_abandoned.set()
            self._num_open -= 1

    def make_room(self) -> bool:
        """Let go of loaded models; whether that is done."""
        if self.keep_loaded:
            return True
        with self._lock:
            self._is_lent = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.leave()
        return not workers

    def give_back(self) -> None:
        """Models may be loaded again."""
        self._is_lent = False

    def close(self) -> None:
        """Finish what is being answered, for a few seconds, and free everything."""
        with self._lock:
            self._is_lent = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.leave()
        for worker in workers:
            worker.join(2)

    @property
    def num_open(self) -> int:
        """Questions that are answered or wait."""
        return self._num_open

    @property
    def num_loaded(self) -> int:
        """Bases in memory, or on their way there."""
        return len(self._workers)

    def _open(self, ref: ModelRef, question: Question) -> None:
        base = ref.model_copy(update={"adapter": None})
        name = base.model_dump_json()
        with self._lock:
            if self._is_lent:
                raise busy()
            if self._num_open >= self.max_questions:
                raise Refusal(429, f"{self._num_open} requests wait for an answer", headers={"Retry-After": "5"})
            if name not in self._workers:
                self._workers[name] = Worker(base, on_exit=lambda worker: self._forget(name))
            self._workers[name].ask(question)
            self._num_open += 1

    def _forget(self, name: str) -> None:
        with self._lock:
            self._workers.pop(name, None)


def busy() -> Refusal:
    """A training has the device."""
    return Refusal(503, "a training has the device; answers come when it has ended", headers={"Retry-After": "30"})
