"""A model behind an API: several prompts at a time, answers in the order of the prompts, tokens counted."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from mistralai.client import models as sdk
from mistralai.client.types import UNSET

from mistraltune.backends.api.answers import BadResponseError
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.connection import LONG, Patience
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.backends.api.retrying import OnWait, Retrier
from mistraltune.data.conversation import Conversation, ToolCall, message_dicts
from mistraltune.interfaces import Completion, Sampling
from mistraltune.results import ModelRef

PARALLEL = 8
"""Prompts asked at a time where nobody says otherwise."""

CUT = ("length", "model_length")
"""Reasons for which an answer ends that is not whole."""


class ApiChatModel:
    """The ChatModel of the api backend.

    Args:
        ref: The model.
        endpoint: Where it is.
        retry: How often to try again.
        patience: How long to wait for answers.

    Attributes:
        usage: Tokens that the API has counted so far, over all answers.

    Raises:
        ConfigError: The endpoint's key is missing.
    """

    def __init__(
        self, ref: ModelRef, endpoint: Endpoint, *, retry: Retrier | None = None, patience: Patience = LONG
    ) -> None:
        self.model = ref.model
        self.endpoint = endpoint
        self.client = ApiClient(endpoint, retry=retry, patience=patience)
        self.usage = {"prompt_tokens": 0, "completion_tokens": 0}
        self._counting = threading.Lock()

    @property
    def on_wait(self) -> OnWait:
        """Hears why it waits, where the API is busy."""
        return self.client.retry.on_wait

    @on_wait.setter
    def on_wait(self, listener: OnWait) -> None:
        self.client.retry.on_wait = listener

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        """One completion per prompt, in order; `sampling.batch_size` prompts are asked at a time.

        Raises:
            TemporaryError: The API was out of reach, or too busy, for long.
            ApiError: It refuses a prompt.
        """
        width = sampling.batch_size or PARALLEL
        asked: deque[Future[Completion]] = deque()
        for prompt in prompts:
            if len(asked) >= width:
                yield asked.popleft().result()
            asked.append(self.ask(prompt, sampling))
        while asked:
            yield asked.popleft().result()

    def ask(self, prompt: Conversation, sampling: Sampling) -> Future[Completion]:
        """The answer to one prompt, once it is there.

        Its thread is a daemon, which a pool's are not: an error ends the command, whatever else is being answered.
        """
        answer: Future[Completion] = Future()

        def work() -> None:
            try:
                answer.set_result(self.complete(prompt, sampling))
            except BaseException as error:  # raised where the answer is waited for
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return answer

    def complete(self, prompt: Conversation, sampling: Sampling) -> Completion:
        """The answer to one prompt."""
        answer = self.client.chat(self.request(prompt, sampling))
        self.count(answer.usage)
        if not answer.choices:
            raise BadResponseError(f"{self.endpoint.url} answers a prompt without a choice")
        choice = answer.choices[0]
        message = choice.message
        calls = tool_calls(message.tool_calls if message else None)
        return Completion(
            text=text_of(message.content if message else None),
            tool_calls=calls,
            num_tokens=answer.usage.completion_tokens or 0,
            finish_reason="length" if choice.finish_reason in CUT else "stop",
        )

    def stream(self, prompt: Conversation, sampling: Sampling) -> Iterator[str]:
        """The answer's text, piece by piece."""
        with self.client.chat_stream(self.request(prompt, sampling)) as chunks:
            for chunk in chunks:
                if chunk.usage:
                    self.count(chunk.usage)
                for choice in chunk.choices[:1]:
                    if piece := text_of(choice.delta.content):
                        yield piece

    def close(self) -> None:
        """Let go of the connections."""
        with suppress(RuntimeError):  # of a thread that is still being answered
            self.client.close()

    def count(self, usage: sdk.UsageInfo) -> None:
        """Add what one answer took."""
        with self._counting:
            self.usage["prompt_tokens"] += usage.prompt_tokens or 0
            self.usage["completion_tokens"] += usage.completion_tokens or 0

    def request(self, prompt: Conversation, sampling: Sampling) -> Mapping[str, Any]:
        """What the API is asked."""
        greedy = sampling.temperature == 0
        body: dict[str, Any] = {
            "model": self.model,
            "messages": message_dicts(prompt),
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": 1.0 if greedy else sampling.top_p,
        }
        if prompt.tools:
            body["tools"] = list(prompt.tools)
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if sampling.seed is not None and not greedy:
            body["random_seed"] = sampling.seed
        return body


def text_of(content: Any) -> str:
    """The text of an answer; of one in chunks, those that are text: thoughts are none."""
    if content is None or content == UNSET:
        return ""
    if isinstance(content, str):
        return content
    return "".join(chunk.text for chunk in content if isinstance(chunk, sdk.TextChunk))


def tool_calls(calls: Any) -> tuple[ToolCall, ...]:
    """The calls of an answer, arguments as JSON text."""
    if not calls or calls == UNSET:
        return ()
    return tuple(
        ToolCall(id=call.id or "", name=call.function.name, arguments=as_text(call.function.arguments))
        for call in calls
    )


def as_text(arguments: Any) -> str:
    """A call's arguments, which some servers send as an object."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
