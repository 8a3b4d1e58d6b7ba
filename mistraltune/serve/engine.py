"""Models that answer: a worker for each base that is asked for, while no training has the device."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator

from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef
from mistraltune.serve.questions import Answer, Question, busy
from mistraltune.serve.refusals import Refusal
from mistraltune.serve.workers import Worker


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
        name = ref.base.model_dump_json()
        with self._lock:
            if self._is_lent:
                raise busy()
            if self._num_open >= self.max_questions:
                raise Refusal(429, f"{self._num_open} requests wait for an answer", headers={"Retry-After": "5"})
            if name not in self._workers:
                self._workers[name] = Worker(ref.base, on_exit=lambda worker: self._forget(name))
            self._workers[name].ask(question)
            self._num_open += 1

    def _forget(self, name: str) -> None:
        with self._lock:
            self._workers.pop(name, None)
