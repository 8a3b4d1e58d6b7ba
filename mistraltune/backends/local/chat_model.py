"""A local model that answers: base and adapter in memory, batched or streamed, rendered as in training."""

from __future__ import annotations

import gc
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mistraltune.backends.local.decoding import Capacity, Prompt, can_decode, decode
from mistraltune.backends.local.loading import (
    load_adapter,
    load_base,
    load_gguf,
    load_renderer,
    pick_dtype,
    quiet_libraries,
)
from mistraltune.backends.local.stop_texts import find_stop, num_held, num_tokens_to_stop
from mistraltune.data.conversation import Conversation
from mistraltune.errors import DataError
from mistraltune.interfaces import Completion, Renderer, Sampling
from mistraltune.results import ModelRef

DEFAULT_CAPACITY = Capacity(num_rows=128, num_tokens=32_768)
"""Of a batch when nobody says otherwise; halved whenever it does not fit in memory."""

UNFINISHED = "\ufffd"
"""What decoding shows for the first bytes of a character whose last bytes are still to come."""


class LocalChatModel:
    """The ChatModel of the local backend.

    Args:
        ref: Base model, quantised as `ref` says, with the adapter of `ref` where it has one.
    """

    def __init__(self, ref: ModelRef) -> None:
        quiet_libraries()
        model = load_base(ref, dtype=pick_dtype("auto"))
        if ref.adapter:
            model = load_adapter(model, ref.adapter)
        self._hold(model, load_renderer(ref))

    @classmethod
    def of_gguf(cls, file: Path, renderer: Renderer) -> LocalChatModel:
        """The model of a GGUF file, asked as `renderer` says."""
        quiet_libraries()
        opened = cls.__new__(cls)
        opened._hold(load_gguf(file, dtype=pick_dtype("auto")), renderer)
        return opened

    def _hold(self, model: Any, renderer: Renderer) -> None:
        self.renderer = renderer
        self.model: Any = model.eval()
        self.max_length: int = getattr(model.config.get_text_config(), "max_position_embeddings", 0)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        """One completion per prompt, in order, each as soon as it and those before it are done.

        Raises:
            DataError: A prompt and its answer would exceed the model's context.
        """
        waiting = [
            Prompt(index, self.checked_prompt(prompt, sampling), sampling.max_new_tokens)
            for index, prompt in enumerate(prompts)
        ]
        done: dict[int, Completion] = {}
        next_up = 0
        for prompt, answer in self.answers(waiting, sampling):
            done[prompt.index] = self.completion(answer, sampling)
            while next_up in done:
                yield done.pop(next_up)
                next_up += 1

    def answers(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Prompt, list[int]]]:
        """Each prompt with its answer's tokens, in any order; batches shrink until they fit in the device's memory."""
        capacity = Capacity(sampling.batch_size) if sampling.batch_size else DEFAULT_CAPACITY
        waiting = {prompt.index: prompt for prompt in prompts}
        while waiting:
            try:
                for prompt, answer in self.decode(list(waiting.values()), sampling, capacity):
                    del waiting[prompt.index]
                    yield prompt, answer
            except torch.cuda.OutOfMemoryError:
                if capacity.num_rows == 1:
                    raise
                capacity = capacity.halved()
            if waiting:
                torch.cuda.empty_cache()  # here, because the error still holds what did not fit

    def decode(
        self, prompts: Sequence[Prompt], sampling: Sampling, capacity: Capacity
    ) -> Iterator[tuple[Prompt, list[int]]]:
        """Each prompt with its answer's tokens, by the loop that suits the model."""
        if can_decode(self.model):
            return decode(
                self.model,
                prompts,
                sampling,
                stop_ids=self.stop_ids,
                capacity=capacity,
                is_stopped=lambda answer: self.is_stopped(answer, sampling),
            )
        return self.decode_in_fixed_batches(prompts, sampling, capacity)

    def stream(self, prompt: Conversation, sampling: Sampling) -> Generator[str, None, Completion]:
        """The answer's text, piece by piece, as it is generated; returns the whole answer."""
        token_ids = self.checked_prompt(prompt, sampling)
        pieces = TokenQueue(num_prompt_tokens=len(token_ids))
        worker = threading.Thread(target=self._generate_into, args=(pieces, token_ids, sampling), daemon=True)
        worker.start()
        answered: list[int] = []
        shown = ""
        try:
            for token in pieces:
                answered.append(token)
                text, _ = self.renderer.parse(answered)
                if find_stop(text, sampling.stop) is not None:
                    break
                sure = text[: len(text) - num_held(text, sampling.stop)]
                if len(sure) > len(shown) and not text.endswith(UNFINISHED):
                    yield sure[len(shown) :]
                    shown = sure
        finally:
            pieces.stopped.set()
            worker.join()
        if pieces.error:
            raise pieces.error
        completion = self.completion(answered, sampling)
        if len(completion.text) > len(shown):
            yield completion.text[len(shown) :]
        return completion

    def close(self) -> None:
        """Free the model's memory."""
        self.model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def checked_prompt(self, prompt: Conversation, sampling: Sampling) -> list[int]:
        """The prompt's tokens, if they leave room for the answer."""
        token_ids = self.renderer.prompt(prompt)
        wanted = len(token_ids) + sampling.max_new_tokens
        if self.max_length and wanted > self.max_length:
            place = f"{prompt.source}: " if prompt.source else ""
            raise DataError(
                f"{place}a prompt of {len(token_ids)} tokens and an answer of up to {sampling.max_new_tokens} exceed "
                f"the model's context of {self.max_length}",
                hint="shorten the prompt or lower --max-new-tokens",
            )
        return token_ids

    def decode_in_fixed_batches(
        self, prompts: Sequence[Prompt], sampling: Sampling, capacity: Capacity
    ) -> Iterator[tuple[Prompt, list[int]]]:
        """As `decode`, by transformers' own loop, which knows every kind of model and waits for a batch's last row."""
        waiting = sorted(prompts, key=lambda prompt: -len(prompt.token_ids))
        while waiting:
            num_rows = capacity.rows_of(waiting[0].longest)
            batch, waiting = waiting[:num_rows], waiting[num_rows:]
            yield from zip(batch, self.generate_batch([prompt.token_ids for prompt in batch], sampling), strict=True)

    def generate_batch(self, prompts: list[list[int]], sampling: Sampling) -> list[list[int]]:
        """Answers of prompts that are generated together, padded on the left; with what follows their end."""
        width = max(map(len, prompts))
        pad = self.pad_id
        input_ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=input_ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                **self.generation_options(sampling),
            )
        answers: list[list[int]] = output[:, width:].tolist()
        return answers

    def is_stopped(self, answer: list[int], sampling: Sampling) -> bool:
        """Whether one of the texts that end an answer is in it."""
        return bool(sampling.stop) and find_stop(self.renderer.parse(answer)[0], sampling.stop) is not None

    def completion(self, token_ids: list[int], sampling: Sampling) -> Completion:
        """What the generated tokens say, up to the first that ends the turn, or to a text that ends it."""
        end = next((i for i, token in enumerate(token_ids) if token in self.stop_ids), None)
        answer = token_ids if end is None else token_ids[: end + 1]

        def text_of(num_tokens: int) -> str:
            return self.renderer.parse(answer[:num_tokens])[0]

        num_tokens = num_tokens_to_stop(len(answer), text_of, sampling.stop) if sampling.stop else None
        if num_tokens is not None:
            text = text_of(num_tokens)
            return Completion(
                text=text[: find_stop(text, sampling.stop)],
                num_tokens=num_tokens,
                finish_reason="stop",
                token_ids=tuple(answer[:num_tokens]),
            )
        text, tool_calls = self.renderer.parse(answer)
        return Completion(
            text=text,
            tool_calls=tool_calls,
            num_tokens=len(answer),
            finish_reason="length" if end is None else "stop",
            token_ids=tuple(answer),
        )

    @property
    def stop_ids(self) -> set[int]:
        """Tokens that end an answer: the renderer's end of turn, and whatever the model's own settings add."""
        own = self.model.generation_config.eos_token_id
        return {*self.renderer.end_ids, *(own if isinstance(own, list) else [] if own is None else [own])}

    @property
    def pad_id(self) -> int:
        """A token to fill with; the attention mask hides it."""
        return min(self.stop_ids)

    def generation_options(self, sampling: Sampling) -> dict[str, Any]:
        """`sampling` in transformers' words; nothing is taken over from a model's own generation settings."""
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        greedy = sampling.temperature == 0
        return {
            "max_new_tokens": sampling.max_new_tokens,
            "do_sample": not greedy,
            "temperature": None if greedy else sampling.temperature,
            "top_p": None if greedy else sampling.top_p,
            "top_k": None if greedy else 0,
            "repetition_penalty": 1.0,
            "eos_token_id": sorted(self.stop_ids),
            "pad_token_id": self.pad_id,
        }

    def _generate_into(self, pieces: TokenQueue, token_ids: list[int], sampling: Sampling) -> None:
        from transformers import StoppingCriteriaList

        try:
            with torch.inference_mode():
                self.model.generate(
                    input_ids=torch.tensor([token_ids], device=self.model.device),
                    attention_mask=torch.ones(1, len(token_ids), dtype=torch.int64, device=self.model.device),
                    streamer=pieces,
                    stopping_criteria=StoppingCriteriaList([lambda *_: pieces.stopped.is_set()]),
                    **self.generation_options(sampling),
                )
        except Exception as error:  # handed to the reading thread, which raises it
            pieces.error = error
            pieces.end()


class TokenQueue:
    """A transformers streamer that hands generated tokens to another thread.

    Attributes:
        stopped: Set by the reader when it wants no more.
        error: What ended the generation early, if anything did.
    """

    def __init__(self, *, num_prompt_tokens: int) -> None:
        self.stopped = threading.Event()
        self.error: Exception | None = None
        self._skip = num_prompt_tokens
        self._tokens: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def put(self, value: torch.Tensor) -> None:
        """Called by `generate` with the prompt first, then with each new token."""
        tokens = value.flatten().tolist()
        skipped = min(self._skip, len(tokens))
        self._skip -= skipped
        for token in tokens[skipped:]:
            self._tokens.put(token)

    def end(self) -> None:
        """Called by `generate` at the end."""
        self._tokens.put(None)

    def __iter__(self) -> Iterator[int]:
        """The generated tokens, as they come."""
        while (token := self._tokens.get()) is not None:
            yield token
