"""The api backend: fine-tuning and answers by any API with Mistral's protocol, `mistraltune serve` among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mistraltune.config import Config, TrainConfig
from mistraltune.errors import ConfigError
from mistraltune.results import ModelRef

if TYPE_CHECKING:
    from mistraltune.backends.api.endpoints import Endpoint
    from mistraltune.interfaces import ChatModel, Renderer, Trainer

MAX_SUFFIX = 11
"""Characters of a suffix that are the user's; the API has 18, and the rest tells one job from all others."""


class ApiOptions(Config):
    """Settings of training by an API. What the API's protocol has no word for cannot be set."""

    endpoint: str = "mistral"
    """Which API: `mistral`, `local` (`mistraltune serve` on this machine), or a name in your endpoints.yaml."""
    suffix: Annotated[str, Field(max_length=MAX_SUFFIX, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """Part of the new model's name."""
    seq_len: Annotated[int, Field(ge=100, le=1_000_000)] | None = None
    """Longest sequence in tokens; unset leaves it to the API."""
    # What one call may do, and not what the run is: kept out of its identity and of its config.yaml.
    max_cost: Annotated[float, Field(ge=0)] | None = Field(default=None, exclude=True)
    """A job that the API says costs more is not started; in the API's currency."""
    detach: bool = Field(default=False, exclude=True)
    """End once the job is started, without watching it; the same command again takes it up."""
    ignore_limits: bool = Field(default=False, exclude=True)
    """Upload files that exceed the size limits of Mistral's API."""


class ApiBackend:
    """Trains and asks models behind an API."""

    name: ClassVar[str] = "api"
    options: ClassVar[type[ApiOptions]] = ApiOptions

    def trainer(self, config: TrainConfig) -> Trainer:
        """A trainer, unless `config` sets what an API does not take, or names an endpoint that does not exist."""
        from mistraltune.backends.api.endpoints import find_endpoint
        from mistraltune.backends.api.requests import refuse_unspoken
        from mistraltune.backends.api.trainer import ApiTrainer

        refuse_unspoken(config)
        return ApiTrainer(config, find_endpoint(options_of(config).endpoint))

    def base(self, config: TrainConfig) -> ModelRef:
        """The public name of a base model, at the endpoint of `config`."""
        return ModelRef(backend=self.name, model=config.model, endpoint=options_of(config).endpoint)

    def renderer(self, ref: ModelRef) -> Renderer | None:
        """None: an API renders rows on its side."""
        return None

    def chat_model(self, ref: ModelRef) -> ChatModel:
        """The model behind `ref`; nothing is asked of it yet."""
        from mistraltune.backends.api.chat_model import ApiChatModel

        return ApiChatModel(ref, endpoint_of(ref))

    def revision(self, ref: ModelRef) -> str:
        """The API's address: what stands there under the model's name is all that is known of its weights."""
        return endpoint_of(ref).url


def endpoint_of(ref: ModelRef) -> Endpoint:
    """Where a model is.

    Raises:
        ConfigError: There is no such endpoint, or the reference says how the model is held.
    """
    from mistraltune.backends.api.endpoints import find_endpoint

    if ref.quantization != "none":
        raise ConfigError(f"{ref}: how an API holds its models is not for us to say", hint="leave out --quantization")
    return find_endpoint(ref.endpoint)


def options_of(config: TrainConfig) -> ApiOptions:
    """The section `api` of a configuration, which `train_config_type` has given it."""
    options: ApiOptions = getattr(config, "api", ApiOptions())
    return options
