"""Secrets and places, from the environment and `.env` only: never from YAML, never from an option."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mistraltune.errors import ConfigError

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


class Settings(BaseSettings):
    """What the environment says; field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", use_attribute_docstrings=True
    )

    mistraltune_cache_dir: Path = Path(platformdirs.user_cache_dir("mistraltune"))
    """Where the quickstart model is kept; MISTRALTUNE_CACHE_DIR."""

    hf_token: Key | None = None
    """Key for gated models on the Hugging Face Hub; HF_TOKEN."""


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigError: A variable cannot be used as it is, or `.env` cannot be read; the value is not shown.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [f"{str(e['loc'][0]).upper()} {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
    except (OSError, UnicodeDecodeError) as error:
        problems = [f"cannot read .env: {error}"]
    raise ConfigError("; ".join(problems), hint="set it again, as it was given out, in the environment or in .env")
