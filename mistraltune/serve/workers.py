"""One thread for each base in memory, which answers with it and its adapters, one batch at a time."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import cast

from mistraltune.abilities import SharedBase, SharingBackend
from mistraltune.errors import MistralTuneError
from mistraltune.interfaces import Completion
from mistraltune.registry import get_backend
from mistraltune.results import ModelRef
from mistraltune.serve.questions import Answer, Question, busy
from mistraltune.serve.refusals import Refusal

BATCH_SIZE = 8
"""At most so many greedy prompts of one model are answered together."""

log = logging.getLogger("mistraltune.serve")


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
