"""What looks like a secret: found, so that it can be refused, and masked, so that no message repeats it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from dotenv import dotenv_values

MASK = "***"
MIN_LENGTH = 8
"""A shorter value is masked nowhere: words would disappear from messages, and it protects nothing."""

_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(
    r"(?:^|_)(?:(?:api|access|private|secret)_?key|token|secret|passwd|password|passphrase|credentials?)$"
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{16,}|wandb_v[0-9]_[A-Za-z0-9_]{20,})")
_WANDB_KEY = re.compile(r"[0-9a-f]{40}")
_URL_LOGIN = re.compile(r"(?<=://)[^/\s@]*:[^/\s]*@")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")


class FoundSecret(NamedTuple):
    """A place where a secret stands.

    Attributes:
        path: Dotted path of its key.
        variable: The environment variable that it belongs in.
    """

    path: str
    variable: str


def find_secrets(values: Mapping[str, Any], prefix: str = "") -> Iterator[FoundSecret]:
    """Each value of a configuration that is a secret by the name of its key or by its own look."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from find_secrets(value, f"{path}.")
        elif is_secret(str(key), value):
            yield FoundSecret(path, variable_for(str(key), value))


def is_secret(key: str, value: Any) -> bool:
    """Whether a value is a secret by the name of its key, or holds what looks like one."""
    if is_secret_name(key) and value not in (None, "", True, False):
        return True
    return any(is_secret_value(text, key=key) for text in texts_in(value))


def texts_in(value: Any) -> Iterator[str]:
    """The texts of a value, of lists in it, and of what these hold."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (str(key), *texts_in(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def is_secret_name(name: str) -> bool:
    """Whether a key or a variable of that name holds a secret: `api_key`, `hubToken`, `PROXY_PASSWORD`."""
    return bool(_NAME.search(_CAMEL_HUMP.sub("_", name).replace("-", "_").lower()))


def is_secret_variable(name: str) -> bool:
    """Whether a variable of the environment holds a secret by its name: as `is_secret_name`, or `LAB_KEY`."""
    return is_secret_name(name) or name.upper().endswith("_KEY")


def is_secret_value(text: str, *, key: str = "") -> bool:
    """Whether a text looks like a key of the Hub, OpenAI or Weights & Biases, or holds a URL with a password."""
    looks_like_key = _WANDB_KEY.fullmatch(text) and key != "revision"  # where 40 hex digits are a commit
    return bool(_TOKEN.search(text) or _URL_LOGIN.search(text) or looks_like_key)


def variable_for(key: str, value: Any) -> str:
    """The environment variable that a secret belongs in, by the look of its value and the name of its key."""
    text, name = str(value), key.lower()
    if text.startswith("hf_") or "hf" in name or "hub" in name:
        return "HF_TOKEN"
    if text.startswith("wandb_v") or "wandb" in name or _WANDB_KEY.fullmatch(text):
        return "WANDB_API_KEY"
    return "HTTPS_PROXY" if "proxy" in name or _URL_LOGIN.search(text) else "MISTRAL_API_KEY"


def masked(text: str) -> str:
    """`text` without the environment's secrets, plain, URL-encoded or in base64, and without what looks like one."""
    for secret in environment_secrets():
        for form in forms(secret):
            text = text.replace(form, MASK)
    return _TOKEN.sub(MASK, _URL_LOGIN.sub(f"{MASK}@", text))


def environment_secrets() -> list[str]:
    """Values of variables and of `.env` that are secrets by name, and the passwords of proxies; the longest first."""
    variables = environment()
    found = {value for name, value in variables.items() if is_secret_variable(name)}
    for name, url in variables.items():
        if name.lower() in _PROXIES:
            password = url.rpartition("@")[0].rpartition("/")[2].partition(":")[2]
            found |= {password, unquote(password)}
    return sorted((value for value in found if len(value) >= MIN_LENGTH), key=len, reverse=True)


def environment() -> dict[str, str]:
    """The variables of this process, and those of `.env` that it does not set itself."""
    try:
        stored = dotenv_values(".env")
    except (OSError, UnicodeDecodeError):  # what is wrong with it is told where it is needed
        stored = {}
    return {**{name: value for name, value in stored.items() if value}, **os.environ}


def forms(secret: str) -> list[str]:
    """How a secret may stand in a text: as it is, as `repr` and JSON escape it, URL-encoded, in base64."""
    encoded = secret.encode("utf-8", "surrogateescape")
    escaped = (repr(secret)[1:-1], secret.encode("unicode_escape", "surrogateescape").decode())
    urls = (quote(encoded), quote(encoded, safe=""), quote_plus(encoded))
    base64s = (base64.b64encode(encoded).decode().rstrip("="), base64.urlsafe_b64encode(encoded).decode().rstrip("="))
    return list(dict.fromkeys((secret, *escaped, *urls, *base64s)))
