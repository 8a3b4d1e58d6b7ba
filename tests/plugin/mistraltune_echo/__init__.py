"""A backend whose models repeat what they hear, and learn from data how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mistraltune.config import Config, TrainConfig
from mistraltune.results import ModelRef

if TYPE_CHECKING:
    from mistraltune_echo.chat_model import EchoModel
    from mistraltune_echo.rendering import CharacterRenderer
    from mistraltune_echo.trainer import EchoTrainer


class EchoOptions(Config):
    """How the echo trains."""

    repeats: Annotated[int, Field(ge=1)] = 2
    """How often a trained echo says everything."""
    seconds_per_step: Annotated[float, Field(ge=0)] = 0.0
    """How long a step takes."""


class EchoBackend:
    """Trains and opens echoes. Light: what works is imported when it is asked for."""

    name: ClassVar[str] = "echo"
    options: ClassVar[type[EchoOptions]] = EchoOptions

    def trainer(self, config: TrainConfig) -> EchoTrainer:
        from mistraltune_echo.trainer import EchoTrainer

        return EchoTrainer(config)

    def base(self, config: TrainConfig) -> ModelRef:
        return ModelRef(backend="echo", model=config.model)

    def renderer(self, ref: ModelRef) -> CharacterRenderer:
        from mistraltune_echo.rendering import CharacterRenderer

        return CharacterRenderer()

    def chat_model(self, ref: ModelRef) -> EchoModel:
        from mistraltune_echo.chat_model import open_echo

        return open_echo(ref)

    def revision(self, ref: ModelRef) -> str:
        return "echo-1"
