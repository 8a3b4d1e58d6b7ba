"""Secrets and places, from the environment and `.env` only: never from YAML, never from an option."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, TypeVar

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mistraltune.errors import ConfigError
from mistraltune.secrets import environment

MAX_KEY_LENGTH = 1000


def sound_key(key: SecretStr) -> SecretStr:
    """A key that can stand in an HTTP header as it is.

    Raises:
        ValueError: It holds a line end, a blank, a quote or another character that no key has, or is far too long.
    """
    text = key.get_secret_value()
    if len(text) > MAX_KEY_LENGTH:
        raise ValueError(f"is {len(text):,} characters long")
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'"):
        raise ValueError("holds a blank, a quote, a line end or another character that no key has")
    return key


Key = Annotated[SecretStr, AfterValidator(sound_key)]
S = TypeVar("S", bound=BaseSettings)


class Settings(BaseSettings):
    """What the environment says; field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", use_attribute_docstrings=True
    )

    mistraltune_cache_dir: Path = Path(platformdirs.user_cache_dir("mistraltune"))
    """Where the quickstart model is kept; MISTRALTUNE_CACHE_DIR."""

    hf_token: Key | None = None
    """Key for gated models on the Hugging Face Hub; HF_TOKEN."""


class ServerSettings(BaseSettings):
    """Where `mistraltune serve` listens and how much it takes; each is MISTRALTUNE_SERVER_ and the field's name."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_prefix="MISTRALTUNE_SERVER_",
        env_ignore_empty=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    key: Key | None = None
    """What clients send as their API key; unset means a random one, printed at the start."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 means any free one."""
    max_file_bytes: Annotated[int, Field(ge=1)] = 512 * 2**20
    """Largest uploaded file."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 8 * 2**20
    """Largest body of any other request."""
    head_seconds: Annotated[float, Field(gt=0)] = 10
    """How long a request's first line and headers may take to arrive."""
    body_seconds: Annotated[float, Field(gt=0)] = 60
    """How long a body may take to arrive; of an upload, each piece of it."""
    max_open_jobs: Annotated[int, Field(ge=1)] = 100
    """Jobs that have not ended; one more is refused."""
    max_parallel_chats: Annotated[int, Field(ge=1)] = 64
    """Chat requests that are answered or wait for a model; one more is refused."""
    max_answer_tokens: Annotated[int, Field(ge=1)] = 1024
    """Longest answer of a chat request that names no length."""
    max_sockets: Annotated[int, Field(ge=1)] = 20
    """WebSockets open at a time."""


def config_dir() -> Path:
    """Where the user's own `endpoints.yaml` lies; MISTRALTUNE_CONFIG_DIR.

    That variable counts in the environment alone: a `.env` comes with a folder, and a folder that somebody else made
    must not bring an endpoint for the user's keys.
    """
    return Path(os.environ.get("MISTRALTUNE_CONFIG_DIR") or platformdirs.user_config_dir("mistraltune"))


def read_key(variable: str) -> str:
    """The key in a variable of the environment or of `.env`.

    Raises:
        ConfigError: There is none, or it cannot stand in a header; it is not shown.
    """
    hint = "set it, as it was given out, in the environment or in .env"
    text = environment().get(variable, "")
    if not text:
        raise ConfigError(f"{variable} is not set", hint=hint)
    try:
        sound_key(SecretStr(text))
    except ValueError as error:
        problem = str(error)
    else:
        return text
    raise ConfigError(f"{variable} {problem}", hint=hint)


@cache
def settings() -> Settings:
    """The settings of this process, read once; errors as of `read_settings`."""
    return read_settings(Settings)


def read_settings(settings_type: type[S]) -> S:
    """Settings from the environment and `.env`.

    Raises:
        ConfigError: A variable cannot be used as it is, or `.env` cannot be read; the value is not shown.
    """
    prefix = settings_type.model_config.get("env_prefix", "")
    try:
        return settings_type()
    except ValidationError as error:
        problems = [
            f"{prefix}{str(e['loc'][0]).upper()} {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        ]
    except (OSError, UnicodeDecodeError) as error:
        problems = [f"cannot read .env: {error}"]
    raise ConfigError("; ".join(problems), hint="set it again, as it was given out, in the environment or in .env")
