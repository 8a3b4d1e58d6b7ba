"""One strict, typed configuration: YAML files and overrides in, a validated model out, all problems named at once."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from yaml import YAMLError

from mistraltune.errors import ConfigError
from mistraltune.shipped import find_config


class Config(BaseModel):
    """Base of all sections: unknown keys are errors, values never change, docstrings are the help."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())


class DataConfig(Config):
    """Which rows are trained on."""

    train_file: str
    """JSONL with `instruction`/`input`/`output` or `messages` rows."""
    val_file: str | None = None
    """JSONL for the validation loss; none means no validation."""
    max_length: Annotated[int, Field(ge=16)] = 2048
    """Longest sequence in tokens."""
    on_too_long: Literal["error", "drop", "truncate"] = "error"
    """What happens to a longer row: refuse the file, drop the row, or cut whole oldest turns; always counted."""


class TrainingConfig(Config):
    """How long, how fast and in what portions."""

    epochs: Annotated[float, Field(gt=0, le=10_000)] = 3.0
    """Passes over the training rows."""
    max_steps: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Optimizer steps; replaces `epochs` where given."""
    learning_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 2e-4
    """Peak learning rate, reached after the warm-up."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after the warm-up; `constant` stays at the peak."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the steps in which the learning rate rises linearly from 0."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    """AdamW weight decay."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 4
    """Conversations in one micro-step on one device."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=65_536)] = 4
    """Micro-steps per optimizer step."""
    packing: bool = True
    """Lay the conversations of a micro-step end to end, attention kept apart, instead of padding each of them."""
    logging_steps: Annotated[int, Field(ge=1)] = 10
    """Steps between two logged losses."""
    eval_steps: Annotated[int, Field(ge=1)] | None = None
    """Steps between two validation losses; unset means once an epoch."""
    save_steps: Annotated[int, Field(ge=1)] | None = None
    """Steps between two checkpoints; unset means once an epoch."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    """Newest checkpoints kept."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the order of rows, of dropout and of the adapters' initial weights."""


class LoraConfig(Config):
    """The adapters (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

    r: Annotated[int, Field(ge=1, le=4096)] = 16
    """Rank of the update."""
    alpha: Annotated[float, Field(gt=0)] = 32
    """Scale: the update is multiplied by alpha / r."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Dropout on the adapters' input."""
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


class TrainConfig(Config):
    """Everything that decides a training run."""

    model: str
    """Base model: `quickstart`, a model directory, or a Hub id."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    quantization: Literal["none", "nf4"] = "nf4"
    """How the frozen base is held: 4-bit NF4 with double quantisation (QLoRA, arXiv:2305.14314), or unquantised."""
    data: DataConfig
    training: TrainingConfig = TrainingConfig()
    lora: LoraConfig = LoraConfig()
    output_dir: str = "outputs"
    """Run directories are made below it."""
    run_id: str | None = None
    """Name of the run directory; unset means a hash of configuration, data and base revision."""

    def without_place(self) -> dict[str, Any]:
        """What the run computes, without where it is put: the part that decides a run's identity."""
        return self.model_dump(mode="json", exclude={"output_dir", "run_id"})


C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Layer:
    """One place that values come from: a YAML file, the `--set` options, or the other options."""

    name: str
    values: Mapping[str, Any]

    def leaves(self) -> Iterable[str]:
        """Dotted paths of the values that this layer sets."""
        return flatten(self.values)


@dataclass(frozen=True)
class LoadedConfig:
    """A validated configuration that remembers where each value comes from.

    Attributes:
        config: An instance of the requested type.
        origins: Dotted path to the name of the layer that set it, `default` where none did.
    """

    config: Any
    origins: dict[str, str] = field(default_factory=dict)


def train_config_type(backend_name: str, options: type[BaseModel]) -> type[TrainConfig]:
    """TrainConfig with one more section, named after the backend and shaped by its options."""
    if not options.model_fields:
        return TrainConfig
    is_required = any(option.is_required() for option in options.model_fields.values())
    section: Any = (options, Field(default=... if is_required else options(), description=options.__doc__))
    return create_model(f"{backend_name.capitalize()}TrainConfig", __base__=TrainConfig, **{backend_name: section})


def load_config(
    config_type: type[C],
    *,
    files: Sequence[str] = (),
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> LoadedConfig:
    """Merge YAML files, then `KEY=VALUE` overrides, then command-line options, and validate the result.

    Args:
        config_type: What the result must be.
        files: Paths or names of shipped files, later ones win.
        overrides: `dotted.key=value`; values read as YAML does.
        options: Dotted key to value, None meaning "not given".

    Raises:
        ConfigError: A file cannot be read, or the values are wrong; every problem is listed with its key and origin.
    """
    layers = [read_yaml(find_config(name), name) for name in files]
    layers.append(Layer("--set", read_overrides(overrides)))
    given = {key: value for key, value in (options or {}).items() if value is not None}
    layers.append(Layer("command line", unflatten(given)))
    settle_duration(layers)
    try:
        created = [OmegaConf.create(dict(layer.values), flags={"allow_objects": True}) for layer in layers]
        merged = OmegaConf.merge(*created)
    except OmegaConfBaseException as error:  # such as a `${` that nothing closes
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    values = plain(merged)
    origins = {leaf: layer.name for layer in layers for leaf in layer.leaves()}
    config = validate(config_type, values, origins)
    return LoadedConfig(
        config, {leaf: origins.get(leaf, "default") for leaf in flatten(config.model_dump(mode="json"))}
    )


def settle_duration(layers: Sequence[Layer]) -> None:
    """Let the last layer that sets `epochs` or `max_steps` decide alone; the other key is taken from earlier layers.

    Raises:
        ConfigError: One layer sets both.
    """
    decided = ""
    for layer in reversed(layers):
        training = layer.values.get("training")
        if not isinstance(training, dict):
            continue
        given = [key for key in ("epochs", "max_steps") if training.get(key) is not None]
        if decided:
            training.pop("max_steps" if decided == "epochs" else "epochs", None)
        elif len(given) == 2:
            raise ConfigError(
                f"training.epochs and training.max_steps are both set (from {layer.name})", hint="keep one of them"
            )
        elif given:
            decided = given[0]


def validate(config_type: type[C], values: Mapping[str, Any], origins: Mapping[str, str]) -> C:
    """The typed configuration.

    Raises:
        ConfigError: Lists every problem: key path, what is wrong, where the value came from, the nearest valid key.
    """
    try:
        return config_type.model_validate(values)
    except ValidationError as error:
        problems = [describe_problem(config_type, dict(problem), origins) for problem in error.errors()]
    lines = "".join(f"\n  {problem}" for problem in problems)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise ConfigError(
        f"{count} in the configuration:{lines}",
        hint="`mistraltune config schema` lists every key, `mistraltune config show` what a run would use",
        details={"problems": problems},
    )


def describe_problem(config_type: type[BaseModel], problem: dict[str, Any], origins: Mapping[str, str]) -> str:
    """One line for one pydantic error."""
    path = ".".join(str(part) for part in problem["loc"])
    where = origins.get(path) or next((name for leaf, name in origins.items() if leaf.startswith(f"{path}.")), "")
    suffix = f" (from {where})" if where else ""
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key{suffix}; {advise(config_type, problem['loc'])}"
        case "missing":
            inner = section_type(config_type, problem["loc"])
            required = [name for name, field in inner.model_fields.items() if field.is_required()] if inner else []
            return f"{'.'.join([path, *required[:1]])}: required, but not set"
        case _:
            return f"{path}: {problem['msg']}, got {problem['input']!r}{suffix}"


def advise(config_type: type[BaseModel], location: Sequence[str | int]) -> str:
    """The key that was probably meant: one of the same section, else one of another, else all of the section."""
    *place, name = (str(part) for part in location)
    section = section_type(config_type, place)
    siblings = list(section.model_fields) if section else []
    if near := difflib.get_close_matches(name, siblings, n=1):
        return f"did you mean {'.'.join([*place, near[0]])}?"
    elsewhere = {path.rpartition(".")[2]: path for path in key_paths(config_type)}
    if near := difflib.get_close_matches(name, elsewhere, n=1, cutoff=0.7):
        return f"did you mean {elsewhere[near[0]]}?"
    return f"valid keys: {', '.join(siblings)}"


def section_type(config_type: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """The type of the section at `place`; None where no section is."""
    current = config_type
    for part in place:
        annotation = current.model_fields[str(part)].annotation if str(part) in current.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        current = annotation
    return current


def key_paths(config_type: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted paths of all keys of a configuration type."""
    paths = []
    for name in config_type.model_fields:
        inner = section_type(config_type, [name])
        paths += key_paths(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return paths


def read_yaml(path: Path, name: str) -> Layer:
    """One YAML file as a layer, read by OmegaConf's loader: `1e-4` is a number, a duplicate key an error.

    Raises:
        ConfigError: The file cannot be read, is not YAML or is not a mapping.
    """
    try:
        content = OmegaConf.load(io.StringIO(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(content, DictConfig):
        raise ConfigError(f"{path}: a configuration is a mapping of keys to values")
    return Layer(name, plain(content))


def read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE` strings as nested values.

    Raises:
        ConfigError: An override has no `=` (OmegaConf would silently read None) or an empty key.
    """
    for override in overrides:
        key, separator, _ = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(
                f"--set {override!r} is not KEY=VALUE", hint="for example --set training.learning_rate=1e-4"
            )
    try:
        return plain(OmegaConf.from_dotlist(list(overrides)))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"--set: {error}") from error


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted paths of all leaves; a list is one leaf."""
    paths = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        paths += flatten(value, f"{path}.") if isinstance(value, Mapping) and value else [path]
    return paths


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values from dotted paths."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *sections, leaf = path.split(".")
        target = nested
        for section in sections:
            target = target.setdefault(section, {})
        target[leaf] = value
    return nested


def dump_yaml(values: Mapping[str, Any]) -> str:
    """`values` as YAML, keys in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(values), flags={"allow_objects": True}))


def parse_yaml(text: str) -> dict[str, Any]:
    """The mapping that `dump_yaml` wrote."""
    return plain(OmegaConf.create(text))


def plain(values: Any) -> dict[str, Any]:
    """A mapping of OmegaConf's as plain dicts and lists; `${...}` stays the text that it is."""
    container = OmegaConf.to_container(values, resolve=False)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
