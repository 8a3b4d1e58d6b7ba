"""The protocols that backends and evaluators implement.

A plugin needs this module, `results`, `runs` (events: see `RunDir.emit`), `publishing` and `errors`. There is a whole
one in tests/plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel

from mistraltune.config import TrainConfig
from mistraltune.data.conversation import Conversation, ToolCall
from mistraltune.data.rendered import Rendered
from mistraltune.results import EvalReport, ModelRef, TrainResult
from mistraltune.runs import Event, RunDir


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


class SharedBase(Protocol):
    """A base model in memory once, that answers as itself or with any of its adapters, one at a time."""

    @property
    def renderer(self) -> Renderer:
        """The renderer that the base and its adapters share."""
        ...

    def answering_as(self, adapter: str | None) -> ChatModel:
        """The model with the adapter of that directory, or without one; the answer before must be complete."""
        ...

    def close(self) -> None:
        """Free what the model holds."""
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


@dataclass(frozen=True, slots=True)
class Launch:
    """Which processes a training shall have.

    Attributes:
        launcher: Whose launcher starts them.
        num_processes: How many, over all machines; None lets the launcher's configuration or the GPUs decide.
        accelerate_config: accelerate's own configuration file: machines, their address, GPUs.
    """

    launcher: Literal["torchrun", "accelerate"]
    num_processes: int | None = None
    accelerate_config: str | None = None


class LaunchingBackend(Backend, Protocol):
    """A backend that trains in several processes, one a device."""

    def count_processes(self, launch: Launch) -> int:
        """How many processes `launch` means.

        Raises:
            ConfigError: Nobody says how many, or a configuration asks for what cannot be done.
        """
        ...

    def planning(self, launch: Launch) -> Backend:
        """This backend, whose trainers plan what the processes of `launch` would do."""
        ...

    def launch(self, launch: Launch, arguments: Sequence[str]) -> None:
        """Run `mistraltune` with `arguments` in several processes, to the end.

        Raises:
            OtherProcessFailed: They failed or were stopped, and have said so.
        """
        ...

    def leading(self) -> AbstractContextManager[None]:
        """Around all that the first process does, so that the others learn how it ends."""
        ...

    def follow(self, *, on_event: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
        """What every other process does: wait for the first one's task, and train it with the others."""
        ...


class SharingBackend(Backend, Protocol):
    """A backend whose models can share a base; what `serve` needs."""

    def shared_base(self, ref: ModelRef) -> SharedBase:
        """The base behind `ref`, loaded."""
        ...


class ExportingBackend(Backend, Protocol):
    """A backend whose models can leave it; what `export` needs."""

    def merge(self, ref: ModelRef, folder: Path, *, dtype: str) -> None:
        """Write `ref` without its adapter being apart: a model directory of its own, in the empty `folder`.

        Args:
            ref: Base and adapter; the adapter goes into the base's 16-bit weights, however `ref` holds them.
            folder: Gets safetensors weights, tokenizer files and chat template.
            dtype: Of the weights, `bfloat16` or `float16`.

        Raises:
            TemporaryError: The disk is too small.
        """
        ...

    def write_gguf(
        self, ref: ModelRef, folder: Path, *, file_type: str, name: str, prompts: Sequence[Conversation]
    ) -> dict[str, Any]:
        """Write a model without an adapter as a GGUF file, and a Modelfile for Ollama with the same template.

        Args:
            ref: The model.
            folder: Gets both files; empty.
            file_type: `bf16`, `q8_0` or `q4_0`.
            name: How the file names the model.
            prompts: What its tokenizer and its template are checked on.

        Returns:
            What reading back showed, JSON-like: `file` (its name), `tensors`, `tokenizer`, `template`.

        Raises:
            ConfigError: The model's layout or tokenizer is none that can be written.
            TemporaryError: The disk is too small, or the file reads back differently.
        """
        ...

    def open_gguf(self, file: Path, ref: ModelRef) -> ChatModel:
        """The model of a GGUF file, loaded, and asked by the renderer of `ref`."""
        ...

    def publish(self, files: Mapping[str, Path | bytes], *, repo: str, private: bool, message: str) -> str:
        """Put files on the Hub as one commit; its address.

        Args:
            files: By their name in the repository: a file of this machine, or content.
            repo: `OWNER/NAME`, made where it is missing.
            private: Make it private; one that is public already is refused.
            message: Of the commit.

        Raises:
            ConfigError: There is no key, or the repository is public though a private one was asked for.
            ApiError: The Hub refuses.
            TemporaryError: It cannot be reached.
        """
        ...
