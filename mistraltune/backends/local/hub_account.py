"""Whether the Hugging Face Hub answers, and to whom."""

from __future__ import annotations

from mistraltune.errors import ApiError, ConfigError, TemporaryError
from mistraltune.settings import settings

SECONDS = 10


def ask_hub() -> str:
    """The Hub's address, and whose key HF_TOKEN is; in words.

    Raises:
        ConfigError: The Hub is switched off.
        ApiError: It refuses the key.
        TemporaryError: It does not answer.
    """
    import httpx2
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise ConfigError("the Hub is switched off", hint="unset HF_HUB_OFFLINE")
    token = settings().hf_token
    headers = {"authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    path = "/api/whoami-v2" if token else "/api/models?limit=1"
    try:
        answer = httpx2.get(f"{constants.ENDPOINT}{path}", headers=headers, timeout=SECONDS)
    except httpx2.HTTPError as error:
        raise TemporaryError(f"{constants.ENDPOINT} does not answer", hint="check network and proxy") from error
    if answer.status_code in (401, 403):
        raise ApiError(f"{constants.ENDPOINT} refuses HF_TOKEN", hint="make a new token on the Hub")
    if answer.status_code != 200:
        raise TemporaryError(f"{constants.ENDPOINT} answers {answer.status_code}", hint="try again later")
    name = answer.json().get("name", "") if token else ""
    return f"{constants.ENDPOINT} answers" + (f", HF_TOKEN is a key of {name}" if name else "")
