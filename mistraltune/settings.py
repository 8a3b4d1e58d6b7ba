"""Secrets and places, from the environment and `.env` only: never from YAML, never from an option."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import platformdirs
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment says; field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", use_attribute_docstrings=True
    )

    mistraltune_cache_dir: Path = Path(platformdirs.user_cache_dir("mistraltune"))
    """Where the quickstart model is kept; MISTRALTUNE_CACHE_DIR."""

    hf_token: SecretStr | None = None
    """Key for gated models on the Hugging Face Hub; HF_TOKEN."""


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
