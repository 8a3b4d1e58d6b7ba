"""The typed sections of a configuration: every key with its type, its bounds, its default, and its help."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

MAX_COUNT = 100_000_000
"""More steps than any run will see."""


class Config(BaseModel):
    """Base of all sections: unknown keys are errors, values never change, docstrings are the help."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True, protected_namespaces=()
    )

    @field_validator("*", mode="before")
    @classmethod
    def refuse_lookalikes(cls, value: Any, info: ValidationInfo) -> Any:
        """The value as it is, unless it is `yes` or `no` for a number (pydantic takes 1 and 0) or a text with a NUL."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError("Input should not be true or false (YAML reads yes, no, on and off so; quote a text)")
        if isinstance(value, str) and "\0" in value:
            raise ValueError("Input should hold no NUL character")
        return value


def local_path(text: str) -> str:
    """A path on this machine, `~` replaced by the home that it stands for, as a shell does.

    Raises:
        ValueError: It is a URL, or begins with a `~` that names no home.
    """
    if "://" in text:
        raise ValueError("Input should be a path on this machine, not a URL")
    path = os.path.expanduser(text)  # noqa: PTH111 - pathlib's raises what pydantic does not catch
    if path.startswith("~"):
        raise ValueError("there is no such home directory; a file of that name is ./~name")
    return path


def output_path(text: str) -> str:
    """A folder to write below: any but the root of the file system.

    Raises:
        ValueError: It is the root, by whatever name.
    """
    path = local_path(text)
    if Path(path).resolve() == Path("/"):
        raise ValueError("Input should not be the root of the file system")
    return path


def model_name(text: str) -> str:
    """A model reference; no URL is ever fetched.

    Raises:
        ValueError: It is a URL.
    """
    if "://" in text:
        raise ValueError("Input should be a Hub id, a model directory or quickstart, not a URL")
    return text


def folder_name(text: str) -> str:
    """The name of one folder.

    Raises:
        ValueError: It is a path, or leads out of the folder that it is looked up in.
    """
    if "/" in text or text in (".", ".."):
        raise ValueError("Input should be the name of one folder, without slashes")
    return text


LocalPath = Annotated[str, Field(min_length=1), AfterValidator(local_path)]
OutputPath = Annotated[str, Field(min_length=1), AfterValidator(output_path)]
ModelName = Annotated[str, Field(min_length=1), AfterValidator(model_name)]
FolderName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(folder_name)]


Schedule = Literal[
    "cosine",
    "linear",
    "constant",
    "cosine_with_min_lr",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
    "warmup_stable_decay",
]
Optimizer = Literal[
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "ademamix",
    "ademamix_8bit",
    "paged_ademamix_32bit",
    "paged_ademamix_8bit",
    "lion_32bit",
    "lion_8bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "adafactor",
    "sgd",
    "adagrad",
    "rmsprop",
]


class DataConfig(Config):
    """Which rows are trained on."""

    train_file: LocalPath
    """JSONL with `instruction`/`input`/`output` or `messages` rows."""
    val_file: LocalPath | None = None
    """JSONL for the validation loss; none means no validation."""
    max_length: Annotated[int, Field(ge=16, le=MAX_COUNT)] = 2048
    """Longest sequence in tokens."""
    on_too_long: Literal["error", "drop", "truncate"] = "error"
    """What happens to a longer row: refuse the file, drop the row, or cut whole oldest turns; always counted."""


class TrainingConfig(Config):
    """How long, how fast and in what portions."""

    epochs: Annotated[float, Field(gt=0, le=10_000)] = 3.0
    """Passes over the training rows."""
    max_steps: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    """Optimizer steps; replaces `epochs` where given."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-4
    """Peak learning rate, reached after the warm-up."""
    schedule: Schedule = "cosine"
    """How the learning rate falls after the warm-up (transformers' names); `constant` stays at the peak."""
    min_lr_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Where `cosine_with_min_lr` and `warmup_stable_decay` end, as a share of the peak; the latter in its last step."""
    decay_fraction: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the steps in which `warmup_stable_decay` falls, at the end."""
    num_cycles: Annotated[int, Field(ge=1, le=10_000)] = 2
    """How often `cosine_with_restarts` falls from the peak."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the steps in which the learning rate rises linearly from 0."""
    optimizer: Optimizer = "adamw_torch"
    """Transformers' name of it; 8-bit states take a quarter of the memory, paged ones leave a full GPU for the host."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Decay of the adapters' weights."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 4
    """Conversations in one micro-step on one device."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=65_536)] = 4
    """Micro-steps per optimizer step: a step takes batch_size x this x devices conversations."""
    packing: bool = True
    """Lay the conversations of a micro-step end to end, attention kept apart, instead of padding each of them."""
    logging_steps: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 10
    """Steps between two logged losses."""
    eval_steps: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    """Steps between two validation losses; unset means once an epoch."""
    save_steps: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    """Steps between two checkpoints; unset means once an epoch."""
    keep_checkpoints: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 2
    """Newest checkpoints kept."""
    load_best_model_at_end: bool = False
    """Save at each lowest validation loss, keep that checkpoint, and make its adapter the run's."""
    early_stopping_patience: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    """Validations in a row without a lower loss after which training ends; unset means never."""
    early_stopping_min_delta: Annotated[float, Field(ge=0)] = 0.0
    """A loss counts as lower when it is lower than the lowest by more than this, in nats per token."""
    report_to: tuple[Literal["tensorboard", "trackio", "wandb", "mlflow"], ...] = ()
    """Trackers that hear the figures too, or one by its name; they take their keys and places from the environment."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the order of rows, of dropout and of the adapters' initial weights."""

    @field_validator("report_to", mode="before")
    @classmethod
    def list_of_one(cls, value: Any) -> Any:
        """A list of trackers; a single name is one of one.

        Raises:
            ValueError: It names none of them, as transformers' `none` does.
        """
        names = [value] if isinstance(value, str | None) else value
        if isinstance(names, list | tuple) and any(name in names for name in ("none", "", None)):
            raise ValueError("Input should name trackers; for none of them leave the key out")
        return names

    def steps_per_epoch(self, *, num_rows: int, num_devices: int = 1) -> int:
        """Optimizer steps of one pass; its last, smaller step counts like any other."""
        return math.ceil(num_rows / (self.batch_size * self.gradient_accumulation_steps * num_devices))

    def num_steps(self, *, num_rows: int, num_devices: int = 1) -> int:
        """Optimizer steps of the whole run."""
        steps_per_epoch = self.steps_per_epoch(num_rows=num_rows, num_devices=num_devices)
        return self.max_steps or math.ceil(self.epochs * steps_per_epoch)


class LoraConfig(Config):
    """The adapters (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

    r: Annotated[int, Field(ge=1, le=4096)] = 16
    """Rank of the update."""
    alpha: Annotated[float, Field(gt=0)] = 32
    """Scale: the update is multiplied by alpha / r."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Dropout on the adapters' input."""
    use_rslora: bool = False
    """Scale by alpha / sqrt(r), which keeps high ranks learning (rsLoRA, Kalajdzievski 2023, arXiv:2312.03732)."""
    use_dora: bool = False
    """Learn direction and magnitude apart (DoRA, Liu et al. 2024, arXiv:2402.09353); slower."""
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Linear layers that get an adapter, by the last part of their name."""
    target_parameters: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Weights outside linear layers that get one, by the end of their name: a mixture's experts; see the shipped
    `lora_r16a32_experts`."""


class TrainConfig(Config):
    """Everything that decides a training run."""

    model: ModelName
    """Base model: `quickstart`, a model directory, or a Hub id."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    quantization: Literal["none", "nf4", "int8"] = "nf4"
    """How the frozen base is held: in 4 bits (NF4 with double quantisation: QLoRA, arXiv:2305.14314), in 8 (LLM.int8(),
    arXiv:2208.07339), or unquantised."""
    data: DataConfig
    training: TrainingConfig = TrainingConfig()
    lora: LoraConfig = LoraConfig()
    output_dir: OutputPath = "outputs"
    """Run directories are made below it."""
    run_id: FolderName | None = None
    """Name of the run directory; unset means a hash of configuration, data and base revision."""

    @model_validator(mode="after")
    def refuse_contradictions(self) -> Self:
        """The configuration as it is, unless two of its keys cannot go together.

        Raises:
            ValueError: Names both.
        """
        training = self.training
        for key in ("early_stopping_patience", "load_best_model_at_end"):
            if getattr(training, key) and not self.data.val_file:
                raise ValueError(f"training.{key} needs a validation loss: set data.val_file")
        if self.lora.target_parameters and self.lora.use_dora:
            raise ValueError("lora.use_dora knows linear layers only: leave out lora.target_parameters")
        if self.lora.target_parameters and self.lora.dropout:
            raise ValueError("lora.target_parameters allows no dropout: set lora.dropout to 0")
        return self

    def without_place(self) -> dict[str, Any]:
        """What the run computes, without where it is put and told: the part that decides a run's identity."""
        return self.model_dump(mode="json", exclude={"output_dir": True, "run_id": True, "training": {"report_to"}})


def train_config_type(backend_name: str, options: type[BaseModel]) -> type[TrainConfig]:
    """TrainConfig with one more section, named after the backend and shaped by its options."""
    if not options.model_fields:
        return TrainConfig
    is_required = any(option.is_required() for option in options.model_fields.values())
    section: Any = (options, Field(default=... if is_required else options(), description=options.__doc__))
    return create_model(f"{backend_name.capitalize()}TrainConfig", __base__=TrainConfig, **{backend_name: section})
