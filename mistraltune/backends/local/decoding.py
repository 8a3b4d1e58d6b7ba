"""Many prompts answered together: a finished row leaves the batch at once, a waiting prompt takes its place."""

from __future__ import annotations

import copy
import hashlib
import inspect
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache, DynamicLayer

from mistraltune.backends.local.row_cache import RowCache
from mistraltune.interfaces import Sampling

TOKENS_PER_PASS = 2048
"""Prompt tokens that go through the model at once: more are no faster, and take memory for their activations."""

REFILL_SHARE = 8
"""Waiting prompts join when one in so many places is free: a pass over few tokens costs nearly as much as over many."""

WORTHWHILE_PREFIX = 16
"""Tokens that all prompts must begin with for them to be computed once; fewer do not pay for the masks they need."""

IsStopped = Callable[[list[int]], bool]
"""Whether the tokens generated so far are all that is wanted."""

FORWARD_PARAMETERS = {"input_ids", "attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that waits for its answer.

    Attributes:
        index: Tells the caller which one it is.
        token_ids: One or more.
        max_new_tokens: The answer is cut after so many; at least one.
    """

    index: int
    token_ids: list[int]
    max_new_tokens: int

    @property
    def longest(self) -> int:
        """Tokens of the prompt with the longest answer allowed."""
        return len(self.token_ids) + self.max_new_tokens


@dataclass(slots=True)
class Row:
    """A prompt that is being answered.

    Attributes:
        prompt: The prompt.
        draws: The source of its random numbers, if answers are sampled.
        answer: Tokens generated so far.
    """

    prompt: Prompt
    draws: torch.Generator | None
    answer: list[int] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens whose keys and values are known: all but the last."""
        return len(self.prompt.token_ids) + len(self.answer) - 1

    @property
    def last_token(self) -> int:
        """The token that the next forward pass reads."""
        return self.answer[-1] if self.answer else self.prompt.token_ids[-1]


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a batch may hold.

    Attributes:
        num_rows: The most rows.
        num_tokens: The most tokens in all of its rows, if there is a bound; a single row may exceed it.
    """

    num_rows: int
    num_tokens: int | None = None

    def rows_of(self, longest: int) -> int:
        """The most rows of up to `longest` tokens each."""
        return self.num_rows if self.num_tokens is None else max(1, min(self.num_rows, self.num_tokens // longest))

    def halved(self) -> Capacity:
        """Half of it."""
        return Capacity(max(1, self.num_rows // 2), self.num_tokens and self.num_tokens // 2)


def can_decode(model: Any) -> bool:
    """Whether `decode` can run this model.

    Its forward pass must take positions and a cache, and each of its layers must keep the keys and values of all tokens
    or of a sliding window of them: no recurrent state, no cache that layers share. Prompt-tuning adapters are out too,
    as they bring virtual tokens of their own.
    """
    base = model
    if hasattr(model, "peft_config"):
        if model.active_peft_config.is_prompt_learning:
            return False
        base = model.get_base_model()
    if not set(inspect.signature(base.forward).parameters) >= FORWARD_PARAMETERS:
        return False
    return all(isinstance(layer, DynamicLayer) for layer in DynamicCache(config=base.config).layers)


def decode(  # noqa: PLR0913 - options by name
    model: Any,
    prompts: Iterable[Prompt],
    sampling: Sampling,
    *,
    stop_ids: Set[int],
    capacity: Capacity,
    is_stopped: IsStopped = lambda answer: False,
) -> Iterator[tuple[Prompt, list[int]]]:
    """Each prompt with the tokens of its answer, the one that ends it included, in the order in which they are done.

    Long prompts go first, so that a batch is at its largest when it begins.

    Args:
        model: A causal language model of transformers that `can_decode`, with or without an adapter.
        prompts: What to answer.
        sampling: Temperature, nucleus and seed. A sampled answer depends on the seed and on its own prompt alone.
        stop_ids: Tokens that end an answer.
        capacity: Of a batch.
        is_stopped: Whether something else has ended it.
    """
    waiting = deque(sorted(prompts, key=lambda prompt: -len(prompt.token_ids)))
    while waiting:
        similar = take_similar(waiting, capacity)
        batch = Batch(model, similar, sampling, stop_ids=stop_ids, capacity=capacity, is_stopped=is_stopped)
        while similar or batch.rows:
            if batch.num_free >= min(len(similar), -(-batch.num_places // REFILL_SHARE)):
                batch.refill(similar)
            for row in batch.step():
                yield row.prompt, row.answer


def take_similar(waiting: deque[Prompt], capacity: Capacity) -> deque[Prompt]:
    """The first prompts of `waiting`, up to those so short that a batch could hold twice as many of them."""
    num_rows = capacity.rows_of(waiting[0].longest)
    similar: deque[Prompt] = deque()
    while waiting and capacity.rows_of(waiting[0].longest) < 2 * num_rows:
        similar.append(waiting.popleft())
    return similar


class Batch:
    """The rows that are being answered, and their keys and values.

    Args:
        model: See `decode`.
        prompts: All that will be answered in this batch, one after the other.
        sampling: See `decode`.
        stop_ids: See `decode`.
        capacity: See `decode`.
        is_stopped: See `decode`.
    """

    def __init__(  # noqa: PLR0913 - options by name
        self,
        model: Any,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        *,
        stop_ids: Set[int],
        capacity: Capacity,
        is_stopped: IsStopped,
    ) -> None:
        self.model = model
        self.sampling = sampling
        self.stop_ids = stop_ids
        self.is_stopped = is_stopped
        longest = max(prompt.longest for prompt in prompts)
        self.num_places = min(len(prompts), capacity.rows_of(longest))
        self.rows: list[Row] = []
        self.cache = RowCache(
            num_layers=len(DynamicCache(config=model.config).layers),
            num_places=self.num_places,
            longest=longest,
        )
        prefix = shared_prefix([prompt.token_ids[:-1] for prompt in prompts])
        self.prefix_length = len(prefix) if len(prefix) >= WORTHWHILE_PREFIX else 0
        self.prefix = DynamicCache()
        self.read([prefix[: self.prefix_length]], self.prefix, start=0)

    @property
    def num_free(self) -> int:
        """Places without a row."""
        return self.num_places - len(self.rows)

    def refill(self, waiting: deque[Prompt]) -> None:
        """Fill the free places with waiting prompts, of which a pass through the model reads several."""
        while waiting and self.num_free:
            at_once = max(1, TOKENS_PER_PASS // len(waiting[0].token_ids))
            self.join([waiting.popleft() for _ in range(min(at_once, self.num_free, len(waiting)))])

    @torch.inference_mode()
    def join(self, prompts: Sequence[Prompt]) -> None:
        """Make a row of each prompt; its last token is left to the next step."""
        keys_and_values = copy.deepcopy(self.prefix)
        keys_and_values.batch_repeat_interleave(len(prompts))
        own_tokens = [prompt.token_ids[self.prefix_length : -1] for prompt in prompts]
        self.read(own_tokens, keys_and_values, start=self.prefix_length)
        self.cache.join(keys_and_values, [len(prompt.token_ids) - 1 for prompt in prompts])
        self.rows += [Row(prompt, draws=own_draws(prompt, self.sampling)) for prompt in prompts]

    @torch.inference_mode()
    def read(self, token_ids: Sequence[list[int]], into: DynamicCache, *, start: int) -> None:
        """Put keys and values of `token_ids`, which begin at position `start`, into a cache.

        Padded on the right, where no token of a row sees what follows it, so that no padding mask is needed. No logits
        are computed: nobody picks a token here, and torch copies a frozen head once for each row of a batch that is
        cut down to its last tokens.
        """
        width = max(map(len, token_ids))
        if width == 0:
            return
        padded = torch.tensor([row + [0] * (width - len(row)) for row in token_ids], device=self.model.device)
        positions = torch.arange(start, start + width, device=self.model.device).expand_as(padded)
        none = torch.empty(0, dtype=torch.int64, device=self.model.device)
        self.model(input_ids=padded, position_ids=positions, past_key_values=into, use_cache=True, logits_to_keep=none)

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Generate a token for each row; the rows that it finishes leave and are returned."""
        lengths = torch.tensor([row.length for row in self.rows], device=self.model.device)[:, None]
        width = max(row.length for row in self.rows)
        self.cache.open_column(width=width)
        columns = torch.arange(width + 1, device=self.model.device)
        logits = self.model(
            input_ids=torch.tensor([[row.last_token] for row in self.rows], device=self.model.device),
            attention_mask=(columns >= width - lengths).long(),
            position_ids=lengths,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        self.cache.close_column()
        for row, token in zip(self.rows, pick(logits, self.rows, self.sampling), strict=True):
            row.answer.append(token)
        return self.drop_finished()

    def drop_finished(self) -> list[Row]:
        """Rows that have ended; the last ones move into their places."""
        finished = {index: row for index, row in enumerate(self.rows) if self.is_finished(row)}
        num_kept = len(self.rows) - len(finished)
        movers = (index for index in range(num_kept, len(self.rows)) if index not in finished)
        order = [next(movers) if index in finished else index for index in range(num_kept)]
        self.rows = [self.rows[index] for index in order]
        self.cache.keep(order)
        return list(finished.values())

    def is_finished(self, row: Row) -> bool:
        """Whether the last token ends the answer, by what it is, by its number, or by what it completes."""
        is_over = row.answer[-1] in self.stop_ids or len(row.answer) == row.prompt.max_new_tokens
        return is_over or self.is_stopped(row.answer)


def shared_prefix(sequences: Sequence[list[int]]) -> list[int]:
    """What all sequences begin with, which is what the first and the last in lexical order begin with."""
    pairs = zip(min(sequences), max(sequences), strict=False)
    return [token for token, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)]


def own_draws(prompt: Prompt, sampling: Sampling) -> torch.Generator | None:
    """Random numbers that depend on the seed and on the prompt alone; without a seed, on nothing."""
    if sampling.temperature == 0:
        return None
    draws = torch.Generator()
    if sampling.seed is None:
        draws.seed()
    else:
        content = repr((sampling.seed, prompt.token_ids)).encode()
        draws.manual_seed(int.from_bytes(hashlib.sha256(content).digest()[:8], signed=True))
    return draws


def pick(logits: torch.Tensor, rows: Sequence[Row], sampling: Sampling) -> list[int]:
    """The next token of each row: the likeliest, or one drawn from the nucleus by a single random number."""
    logits = logits.float()
    if sampling.temperature == 0:
        return logits.argmax(-1).tolist()
    probabilities = (logits / sampling.temperature).softmax(-1)
    order = None
    if sampling.top_p < 1:
        probabilities, order = probabilities.sort(descending=True)
        mass_before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.where(mass_before < sampling.top_p, 0)
    mass = probabilities.cumsum(-1, dtype=torch.float64)
    draws = torch.stack([torch.rand(1, generator=row.draws, dtype=torch.float64) for row in rows]).to(mass.device)
    picked = torch.searchsorted(mass, draws * mass[:, -1:], right=True).clamp(max=mass.shape[-1] - 1)
    return (picked if order is None else order.gather(-1, picked)).flatten().tolist()
