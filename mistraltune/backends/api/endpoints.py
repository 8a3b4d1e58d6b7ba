"""Where APIs are and which key goes where: two endpoints that everybody has, and those of the user's endpoints.yaml."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from mistraltune.config import Config
from mistraltune.configuring import read_yaml, refuse_secrets, validate
from mistraltune.errors import ConfigError
from mistraltune.secrets import is_secret_variable
from mistraltune.settings import config_dir, read_key

ENDPOINTS_FILE = "endpoints.yaml"
MISTRAL_HOST = "api.mistral.ai"
DEFAULT = "mistral"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def base_url(text: str) -> str:
    """The address of an API without its `/v1`: https, or plain http to this machine.

    Raises:
        ValueError: It is no such address, or carries a login, a query or a fragment.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"Input should be a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not text.isascii():
        raise ValueError("Input should be a URL such as https://api.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("Input should be a URL without login, query and fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("Input should be https: plain http is for this machine alone")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"


def secret_variable(text: str) -> str:
    """The name of a variable that holds a key, and is therefore masked in every message.

    Raises:
        ValueError: It is none.
    """
    if not _VARIABLE.fullmatch(text) or not is_secret_variable(text):
        raise ValueError("Input should be the name of a variable that ends in _KEY or _TOKEN, such as LAB_API_KEY")
    return text


class EndpointEntry(Config):
    """One entry of endpoints.yaml."""

    url: Annotated[str, AfterValidator(base_url)]
    """Address of the API, with or without its `/v1`."""
    key_variable: Annotated[str, AfterValidator(secret_variable)] | None = None
    """Variable of the environment or of `.env` that holds the key. Unset, no key is sent; to a moved `local` the one
    that it has anyway (MISTRALTUNE_SERVER_KEY)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API and its key's place.

    Attributes:
        name: What it is called in references and options.
        url: Its address, without `/v1`.
        key_variable: Where its key is; None where it needs none.
    """

    name: str
    url: str
    key_variable: str | None

    @property
    def is_mistral(self) -> bool:
        """Whether this is Mistral's own API, with its limits and prices."""
        return urlsplit(self.url).hostname == MISTRAL_HOST

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: no proxy is asked then."""
        return is_loopback(urlsplit(self.url).hostname or "")

    def key(self) -> str | None:
        """Its key, None where it needs none.

        Raises:
            ConfigError: The key is missing, or cannot be one.
        """
        return read_key(self.key_variable) if self.key_variable else None


BUILT_IN = (
    Endpoint(DEFAULT, f"https://{MISTRAL_HOST}", "MISTRAL_API_KEY"),
    Endpoint("local", "http://127.0.0.1:8000", "MISTRALTUNE_SERVER_KEY"),
)


def find_endpoint(name: str | None = None) -> Endpoint:
    """The endpoint of that name; Mistral's own where none is named.

    Raises:
        ConfigError: There is none, or endpoints.yaml is wrong.
    """
    known = endpoints()
    wanted = name or DEFAULT
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
    raise ConfigError(
        f"there is no endpoint called {wanted!r}", hint=f"{advice} Others go into {config_dir() / ENDPOINTS_FILE}"
    )


def endpoints() -> dict[str, Endpoint]:
    """All endpoints by name: the built-in ones, then the user's, which may move `local` elsewhere.

    Raises:
        ConfigError: endpoints.yaml is wrong, or holds a secret; every problem has its line.
    """
    found = {endpoint.name: endpoint for endpoint in BUILT_IN}
    path = config_dir() / ENDPOINTS_FILE
    if not path.exists():
        return found
    layer = read_yaml(path, str(path))
    refuse_secrets([layer])
    for name, values in layer.values.items():
        if not _NAME.fullmatch(name) or name == DEFAULT:
            reason = "is Mistral's own API" if name == DEFAULT else "is no name of letters, digits, dots and dashes"
            raise ConfigError(f"{layer.place(name)}: {name!r} {reason}", hint="choose another name for the endpoint")
        origins = {leaf.removeprefix(f"{name}."): place for leaf, place in layer.places().items()}
        entry = validate(EndpointEntry, mapping(values, place=layer.place(name)), origins)
        is_moved = name in found and "key_variable" not in entry.model_fields_set
        variable = found[name].key_variable if is_moved else entry.key_variable
        found[name] = Endpoint(name, entry.url, variable)
    return found


def mapping(values: Any, *, place: str) -> Mapping[str, Any]:
    """The keys of an entry.

    Raises:
        ConfigError: It has none.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{place}: an endpoint has `url` and perhaps `key_variable`")
    return values


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
