"""What a backend may be able to do beside what every backend does: share a base, train in several processes, export."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import Backend, ChatModel, Renderer
from mistraltune.results import ModelRef
from mistraltune.runs import Event


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
    """A backend whose models can share a base: what `serve` needs, and what spares a comparison a load."""

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

    def refuse_unwritable_gguf(self, ref: ModelRef, *, name: str) -> None:
        """Find out before anything is loaded or merged that `ref` has a layout which `write_gguf` would refuse.

        Args:
            ref: A model, or base and adapter.
            name: How messages name it.

        Raises:
            ConfigError: It has; the message names what a GGUF file would not say.
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
