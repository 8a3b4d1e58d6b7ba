"""The protocols that backends and evaluators implement.

A plugin needs this module, `results`, `runs` (events: see `RunDir.emit`), `publishing` and `errors`. There is a whole
one in tests/plugin. What only some backends can do stands in `abilities`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel

from mistraltune.config import TrainConfig
from mistraltune.data.conversation import Conversation, ToolCall
from mistraltune.data.rendered import Rendered
from mistraltune.results import EvalReport, ModelRef, TrainResult
from mistraltune.runs import RunDir


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate: greedy unless a temperature is given.

    Attributes:
        max_new_tokens: A completion is cut after so many tokens.
        temperature: 0 means greedy decoding.
        top_p: Nucleus mass, used when the temperature is above 0.
        seed: Makes a sampled answer repeatable where the backend can.
        batch_size: Prompts generated together; None lets the backend choose.
        stop: The answer ends before the first of these texts, which is no part of it.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    batch_size: int | None = None
    stop: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields as a report keeps them, equal to what is read back from it.

        `stop` only where it stops anything, so that reports from before it are found again.
        """
        values = asdict(self) | {"stop": list(self.stop)}
        return {name: value for name, value in values.items() if name != "stop" or value}


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered to one prompt.

    Attributes:
        text: The answer without control tokens; empty where the model only called tools.
        num_tokens: Tokens generated, the end-of-sequence token counted.
        finish_reason: `stop`, or `length` when the answer was cut at `max_new_tokens`.
        tool_calls: The calls that the answer makes, in order.
        token_ids: The generated tokens; empty where a backend does not tell them.
    """

    text: str
    num_tokens: int
    finish_reason: Literal["stop", "length"]
    tool_calls: tuple[ToolCall, ...] = ()
    token_ids: tuple[int, ...] = ()


class Renderer(Protocol):
    """Turns conversations into what a model reads."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the tokenizer or the template does."""
        ...

    @property
    def bos_id(self) -> int | None:
        """The beginning-of-sequence token, None where the tokenizer has none."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end an assistant message; every trained span closes with one of them."""
        ...

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss masks; one sequence, or one per user turn where tools demand it.

        Raises:
            DataError: The tokenizer refuses the conversation or would drop a part of it.
        """
        ...

    def prompt(self, conversation: Conversation) -> list[int]:
        """Token ids after which the model writes the next assistant message."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        ...

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        """Text and tool calls of a generated completion."""
        ...


class ChatModel(Protocol):
    """Answers conversations. Used alike by eval, compare and serve.

    A model elsewhere may have two attributes more: `usage`, tokens so far by kind, of which a report takes up what its
    evaluation added; and `on_wait`, which is set to a function that hears why answers are late.
    """

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Iterator[Completion]:
        """One completion per prompt, in order."""
        ...

    def stream(self, prompt: Conversation, sampling: Sampling) -> Iterator[str]:
        """The answer to one prompt, piece by piece."""
        ...

    def close(self) -> None:
        """Free what the model holds; calling it twice is fine."""
        ...


class Trainer(Protocol):
    """Fine-tunes a base model. Called again on an unfinished run, it continues that run."""

    def preview(self, train: Sequence[Conversation], validation: Sequence[Conversation]) -> dict[str, Any]:
        """What the run's plan should say beside rows, tokens and steps, JSON-like; `warnings` are told by themselves.

        Called while the run is planned, also by a dry run; arguments as of `train`.

        Raises:
            DataError: The data cannot be trained on.
        """
        ...

    def train(
        self, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir
    ) -> TrainResult | None:
        """Train and leave the result in `run`; None where the work now goes on without us, for a later call to finish.

        Progress leaves through `run.emit`, a wish to stop arrives as `run.stop_requested`.

        Args:
            train: Lazy, offset-indexed; where the backend has a renderer, every row trains at least one token.
            validation: Likewise; may be empty.
            run: The locked run directory.
        """
        ...


class Evaluator(Protocol):
    """Judges a model on conversations whose last assistant message is the reference.

    An evaluator may have an attribute `scores`, the names of its metrics that run from 0 to 1, so that a quality gate
    on another name is refused before a model is loaded.
    """

    def evaluate(
        self,
        model: ChatModel,
        ref: ModelRef,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling,
        on_progress: Callable[[int], None] = lambda num_done: None,
    ) -> EvalReport:
        """Generate one answer per conversation and score it: a report with one prediction each.

        `on_progress` hears how many are done.
        """
        ...


class Backend(Protocol):
    """What a plugin registers: a light object; heavy imports happen inside its methods."""

    name: ClassVar[str]
    options: ClassVar[type[BaseModel]]
    """The backend's own config section, named after it; validated and documented from here."""

    def trainer(self, config: TrainConfig) -> Trainer:
        """A trainer for `config`; called before any row is rendered, also by a dry run, so that it can refuse early.

        Raises:
            ConfigError: `config` cannot be trained, as far as that is known without loading weights.
        """
        ...

    def base(self, config: TrainConfig) -> ModelRef:
        """The model that `config` fine-tunes, named so that it is found from any working directory."""
        ...

    def renderer(self, ref: ModelRef) -> Renderer | None:
        """The renderer that follows from the model; None where rows are rendered out of sight, behind an API."""
        ...

    def chat_model(self, ref: ModelRef) -> ChatModel:
        """The model behind `ref`, loaded."""
        ...

    def revision(self, ref: ModelRef) -> str:
        """What pins the weights behind `ref`, as well as can be: a commit, a fingerprint of files, an API's address."""
        ...
