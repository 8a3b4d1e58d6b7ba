"""A local model that answers: base and adapter in memory, batched or streamed, rendered as in training."""

from __future__ import annotations

import gc
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch

from mistraltune.backends.local.loading import load_base, load_renderer, pick_dtype, quiet_libraries
from mistraltune.data.conversation import Conversation
from mistraltune.errors import DataError
from mistraltune.interfaces import Completion, Sampling
from mistraltune.results import ModelRef

DEFAULT_BATCH_SIZE = 32
"""Prompts generated together when nobody says otherwise; halved whenever they do not fit in memory."""

UNFINISHED = "\ufffd"
"""What decoding shows for the first bytes of a character whose last bytes are still to come."""


class LocalChatModel:
    """The ChatModel of the local backend.

    Args:
        ref: Base model, quantised as `ref` says, with the adapter of `ref` where it has one.
    """

    def __init__(self, ref: ModelRef) -> None:
        quiet_libraries()
        self.renderer = load_renderer(ref)
        model = load_base(ref, dtype=pick_dtype("auto"))
        if ref.adapter:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, ref.adapter)
        self.model: Any = model.eval()
        self.max_length: int = getattr(model.config, "max_position_embeddings", 0)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        """One completion per prompt, in order; prompts of similar length share a batch.

        Raises:
            DataError: A prompt and its answer would exceed the model's context.
        """
        token_ids = [self.checked_prompt(prompt, sampling) for prompt in prompts]
        shortest_first = sorted(range(len(prompts)), key=lambda index: len(token_ids[index]))
        done: dict[int, Completion] = {}
        next_up = 0
        batch_size = sampling.batch_size or DEFAULT_BATCH_SIZE
        while shortest_first:
            batch = shortest_first[:batch_size]
            try:
                completions = self.generate_batch([token_ids[index] for index in batch], sampling)
            except torch.cuda.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size = max(1, len(batch) // 2)
                torch.cuda.empty_cache()
                continue
            del shortest_first[: len(batch)]
            done.update(zip(batch, completions, strict=True))
            while next_up in done:
                yield done.pop(next_up)
                next_up += 1

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
                if len(text) > len(shown) and not text.endswith(UNFINISHED):
                    yield text[len(shown) :]
                    shown = text
        finally:
            pieces.stopped.set()
            worker.join()
        if pieces.error:
            raise pieces.error
        return self.completion(answered)

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

    def generate_batch(self, prompts: list[list[int]], sampling: Sampling) -> list[Completion]:
        """Completions of prompts that are generated together, padded on the left."""
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
        return [self.completion(answer) for answer in output[:, width:].tolist()]

    def completion(self, token_ids: list[int]) -> Completion:
        """What the generated tokens say, up to the first that ends the turn."""
        end = next((i for i, token in enumerate(token_ids) if token in self.stop_ids), None)
        answer = token_ids if end is None else token_ids[: end + 1]
        text, tool_calls = self.renderer.parse(answer)
        return Completion(
            text=text,
            tool_calls=tool_calls,
            num_tokens=len(answer),
            finish_reason="length" if end is None else "stop",
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
