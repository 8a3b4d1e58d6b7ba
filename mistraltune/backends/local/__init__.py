"""The local backend: QLoRA training and generation on this machine, with transformers, PEFT, TRL and bitsandbytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from mistraltune.config import Config, TrainConfig
from mistraltune.results import QUICKSTART, ModelRef

if TYPE_CHECKING:
    from mistraltune.abilities import Launch, SharedBase
    from mistraltune.data.conversation import Conversation
    from mistraltune.interfaces import ChatModel, Renderer, Trainer
    from mistraltune.runs import Event

# TRL reports each training to the Hub unless this is set before huggingface_hub is first imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


class LocalOptions(Config):
    """Settings of training on this machine."""

    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of the computation; `auto` is bfloat16 where the hardware has it, else float32, never float16."""
    activation_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    pass_length: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """Tokens that go through the model at once; unset means 1,024 on a CPU and the whole micro-step on a GPU."""


class LocalTrainConfig(TrainConfig):
    """TrainConfig as `train local` sees it."""

    local: LocalOptions = LocalOptions()


class LocalBackend:
    """Trains and opens models on this machine."""

    name: ClassVar[str] = "local"
    options: ClassVar[type[LocalOptions]] = LocalOptions

    def __init__(self, launch: Launch | None = None) -> None:
        """Plans what the processes of `launch` would do; without one, does what this process is for."""
        self._launch = launch

    def trainer(self, config: TrainConfig) -> Trainer:
        """A QLoRA trainer, unless the model's files show that `config` cannot be trained."""
        from mistraltune.backends.local.inspecting import refuse_untrainable
        from mistraltune.backends.local.launching import find_formation
        from mistraltune.backends.local.locating import locate
        from mistraltune.backends.local.sharding import own_formation, refuse_unshardable
        from mistraltune.backends.local.trackers import refuse_missing_trackers
        from mistraltune.backends.local.trainer import LocalTrainer

        ref = ModelRef(model=config.model, revision=config.revision)
        formation = find_formation(self._launch) if self._launch else own_formation()
        refuse_unshardable(config, formation.sharding)
        refuse_untrainable(locate(ref, with_weights=False), config)
        local_config = LocalTrainConfig.model_validate(config.model_dump())
        refuse_missing_trackers(local_config)
        return LocalTrainer(local_config, formation)

    def count_processes(self, launch: Launch) -> int:
        """The processes of `launch`; the visible GPUs where it leaves that open."""
        from mistraltune.backends.local.launching import find_formation

        return find_formation(launch).num_processes

    def planning(self, launch: Launch) -> LocalBackend:
        """This backend, planning what the processes of `launch` would do."""
        return LocalBackend(launch)

    def launch(self, launch: Launch, arguments: Sequence[str]) -> None:
        """`mistraltune` with `arguments` in several processes."""
        from mistraltune.backends.local.launching import run_launcher

        run_launcher(launch, arguments)

    def leading(self) -> AbstractContextManager[None]:
        """Around the process with rank 0."""
        from mistraltune.backends.local.orphans import follow_launcher

        follow_launcher()  # the next line imports torch
        from mistraltune.backends.local.following import leading

        return leading()

    def follow(self, *, on_event: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
        """What a process with another rank does."""
        from mistraltune.backends.local.orphans import follow_launcher

        follow_launcher()  # the next line imports torch
        from mistraltune.backends.local.following import follow

        follow(on_event=on_event, should_stop=should_stop)

    def base(self, config: TrainConfig) -> ModelRef:
        """The model of `config`, a model directory by its absolute path."""
        path = Path(config.model).expanduser()
        is_name = config.model == QUICKSTART or not path.is_dir()
        return ModelRef(model=config.model if is_name else str(path.resolve()), revision=config.revision)

    def renderer(self, ref: ModelRef) -> Renderer:
        """The renderer of the model's own tokenizer."""
        from mistraltune.backends.local.loading import load_renderer

        return load_renderer(ref)

    def chat_model(self, ref: ModelRef) -> ChatModel:
        """The model in memory, adapter included."""
        from mistraltune.backends.local.chat_model import LocalChatModel

        return LocalChatModel(ref)

    def shared_base(self, ref: ModelRef) -> SharedBase:
        """The base of `ref` in memory, to answer with any of its adapters."""
        from mistraltune.backends.local.adapters import LocalSharedBase

        return LocalSharedBase(ref)

    def revision(self, ref: ModelRef) -> str:
        """The Hub commit, or a fingerprint of the model's files."""
        from mistraltune.backends.local.locating import find_revision

        return find_revision(ref)

    def merge(self, ref: ModelRef, folder: Path, *, dtype: str) -> None:
        """Base and adapter as one model directory."""
        from mistraltune.backends.local.merging import merge

        merge(ref, folder, dtype=dtype)

    def refuse_unwritable_gguf(self, ref: ModelRef, *, name: str) -> None:
        """Raise where the layout of `ref` is none that is written as GGUF here."""
        from mistraltune.backends.local.gguf_layout import read_layout
        from mistraltune.backends.local.loading import quiet_libraries
        from mistraltune.backends.local.locating import locate

        quiet_libraries()
        read_layout(locate(ref, with_weights=False), name=name, is_to_be_merged=bool(ref.adapter))

    def write_gguf(
        self, ref: ModelRef, folder: Path, *, file_type: str, name: str, prompts: Sequence[Conversation]
    ) -> dict[str, Any]:
        """The model directory of `ref` as a GGUF file and a Modelfile."""
        from mistraltune.backends.local.gguf_export import export_gguf

        return export_gguf(ref, folder, file_type=file_type, name=name, prompts=prompts)

    def open_gguf(self, file: Path, ref: ModelRef) -> ChatModel:
        """The model of a GGUF file in memory, asked as `ref` is."""
        from mistraltune.backends.local.chat_model import LocalChatModel
        from mistraltune.backends.local.loading import load_renderer

        return LocalChatModel.of_gguf(file, load_renderer(ref))

    def publish(self, files: Mapping[str, Path | bytes], *, repo: str, private: bool, message: str) -> str:
        """Files on the Hugging Face Hub as one commit; its address."""
        from mistraltune.backends.local.hub_upload import publish

        return publish(files, repo=repo, private=private, message=message)
