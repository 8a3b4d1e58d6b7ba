"""YAML files and overrides in, a validated configuration out, all problems named at once."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from mistraltune.config import Config
from mistraltune.dotted import flatten, unflatten
from mistraltune.errors import ConfigError
from mistraltune.secrets import find_secrets, is_secret_value
from mistraltune.shipped import find_config
from mistraltune.strict_yaml import StrictYamlError, find_key_lines, read_text

C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Layer:
    """One place that values come from: a YAML file, the `--set` options, or the other options."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)
    """Dotted path of each key to its line, of a file."""

    def places(self) -> dict[str, str]:
        """Dotted paths of the keys that this layer sets, each with where that is: `train.yaml:7`, `--set`."""
        return {path: self.place(path) for path in (*self.leaves(), *self.lines)}

    def place(self, path: str) -> str:
        """Where this layer sets the key at `path`."""
        return f"{self.name}:{self.lines[path]}" if path in self.lines else self.name

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
    refuse_secrets(layers)
    settle_duration(layers)
    try:
        created = [OmegaConf.create(dict(layer.values), flags={"allow_objects": True}) for layer in layers]
        merged = OmegaConf.merge(*created)
    except OmegaConfBaseException as error:  # such as a `${` that nothing closes
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    values = plain(merged)
    config = validate(config_type, values, {path: place for layer in layers for path, place in layer.places().items()})
    origins = {leaf: layer.name for layer in layers for leaf in layer.leaves()}
    return LoadedConfig(
        config, {leaf: origins.get(leaf, "default") for leaf in flatten(config.model_dump(mode="json"))}
    )


def refuse_secrets(layers: Sequence[Layer]) -> None:
    """Raise where a layer holds a secret: configurations are shared, printed, and copied into every run directory.

    Raises:
        ConfigError: Names each key and the environment variable to use; never a value.
    """
    found = [(layer, secret) for layer in layers for secret in find_secrets(layer.values)]
    if not found:
        return
    problems = [f"{secret.path}: looks like a secret (from {layer.place(secret.path)})" for layer, secret in found]
    variables = " and ".join(sorted({secret.variable for _, secret in found}))
    raise ConfigError(
        "\n  ".join(["a configuration holds no secrets:", *problems]),
        hint=f"take it out, and set {variables} in the environment or in .env",
        details={"problems": problems},
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
                f"training.epochs and training.max_steps are both set (from {layer.place('training.max_steps')})",
                hint="keep one of them",
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
    if not path:  # about several keys, which it names
        return str(problem["msg"]).removeprefix("Value error, ")
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
            message = problem["msg"].removeprefix("Value error, ")
            return f"{path}: {message}, got {shortened(repr(problem['input']))}{suffix}"


def shortened(text: str) -> str:
    """A text that fits into a message."""
    return text if len(text) <= 200 else f"{text[:197]}..."


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
    """One YAML file as a layer, read by OmegaConf's loader: `1e-4` is a number.

    Raises:
        ConfigError: The file cannot be read, or is no plain mapping of keys to values; values are not repeated.
    """
    try:
        text = read_text(path)
        lines = find_key_lines(text)
        content = OmegaConf.load(io.StringIO(text))
    except StrictYamlError as problem:
        place = f"{path}:{problem.line}" if problem.line else f"{path}"
        raise ConfigError(f"cannot read the configuration {place}: {problem.message}") from problem
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"cannot read the configuration {path}: {error.full_key}: {reason}") from error
    except (OSError, ValueError, YAMLError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(content, DictConfig) or (content and not lines):  # OmegaConf takes a lone word for a key
        raise ConfigError(f"{path}: a configuration is a mapping of keys to values")
    return Layer(name, plain(content), lines)


def read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE` strings as nested values.

    Raises:
        ConfigError: An override has no `=` (OmegaConf would silently read None) or an empty key, or its value is no
            plain YAML.
    """
    for override in overrides:
        check_override(override)
    try:
        return plain(OmegaConf.from_dotlist(list(overrides)))
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"--set: {str(error).partition(chr(10))[0]}") from error


def check_override(override: str) -> None:
    """Raise where an override is not `KEY=VALUE` with a plain value."""
    key, separator, value = override.partition("=")
    if not separator or not key.strip():
        shown = "with a secret" if is_secret_value(override) else repr(override)
        raise ConfigError(f"--set {shown} is not KEY=VALUE", hint="for example --set training.learning_rate=1e-4")
    try:
        find_key_lines(value)
    except StrictYamlError as problem:
        hint = "a text that is no plain YAML stands in quotes: --set 'key=\"text\"'"
        raise ConfigError(f"{key}: {problem.message} (from --set)", hint=hint) from problem


def dump_yaml(values: Mapping[str, Any]) -> str:
    """`values` as YAML, keys in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(values), flags={"allow_objects": True}))


def parse_yaml(text: str) -> dict[str, Any]:
    """The mapping that `dump_yaml` wrote.

    Raises:
        ConfigError: It wrote no such thing.
    """
    try:
        return plain(OmegaConf.create(text))
    except (YAMLError, OmegaConfBaseException, ValueError, AssertionError, RecursionError) as error:
        raise ConfigError(f"not what MistralTune wrote: {str(error).partition(chr(10))[0]}") from error


def plain(values: Any) -> dict[str, Any]:
    """A mapping of OmegaConf's as plain dicts and lists; `${...}` stays the text that it is."""
    container = OmegaConf.to_container(values, resolve=False)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
