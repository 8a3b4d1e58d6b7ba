"""What looks like a secret is found in configurations and masked in messages."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from mistraltune.secrets import FoundSecret, environment_secrets, find_secrets, is_secret_name, is_secret_value, masked

HF_KEY = "hf_" + "aB3" * 12
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "MISTRAL_API_KEY", "WANDB_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "api_key",
            "apiKey",
            "API-KEY",
            "MISTRAL_API_KEY",
            "token",
            "hf_token",
            "hubToken",
            "secret",
            "client_secret",
        ),
        *("password", "db_passwd", "passphrase", "private_key", "secret_key", "credentials"),
    ],
)
def test_a_name_of_a_secret_is_known_in_any_spelling(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["model", "num_tokens", "max_tokens", "tokenizer", "key", "author", "passwords_file", "monkey", "epochs"]
)
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text", [HF_KEY, f"Bearer {HF_KEY}", "sk-proj-" + "aB3_" * 6, "wandb_v1_" + "aB3_" * 8, COMMIT, "http://a:b@c/d"]
)
def test_a_secret_is_known_by_its_look(text: str) -> None:
    assert is_secret_value(text)


@pytest.mark.parametrize(
    "text", ["hf_data.jsonl", "task-sk-learn", "mistralai/Mistral-7B", "me@example.com", f"{COMMIT}0"]
)
def test_a_text_that_only_resembles_one_is_none(text: str) -> None:
    assert not is_secret_value(text)


def test_secrets_are_found_at_any_depth_and_keep_to_themselves() -> None:
    values = {
        "model": "quickstart",
        "revision": COMMIT,
        "a": {"b": {"token": "x"}, "list": [{"c": [HF_KEY]}]},
        "password": None,
        "secret": "",
    }
    found = list(find_secrets(values))
    assert found == [FoundSecret("a.b.token", "MISTRAL_API_KEY"), FoundSecret("a.list", "MISTRAL_API_KEY")]
    assert HF_KEY not in repr(found)


@pytest.mark.parametrize("name", ["MISTRAL_API_KEY", "HF_TOKEN", "SOME_SERVICE_PASSWORD"])
def test_the_environments_secrets_are_masked_in_every_form(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    secret = "cañary/+ &=value"
    monkeypatch.setenv(name, secret)
    encoded = secret.encode()
    for form in (secret, quote(secret), quote(secret, safe=""), base64.b64encode(encoded).decode(), repr(secret)):
        assert masked(f"before {form} after").startswith("before ")
        assert not any(part in masked(f"before {form} after") for part in ("ary", form.strip("'")))


def test_the_password_of_a_proxy_is_masked_with_and_without_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:pass%2Fw0rd@proxy:3128")
    assert environment_secrets() == ["pass%2Fw0rd", "pass/w0rd"]
    assert masked("login pass/w0rd at http://me:pass%2Fw0rd@proxy:3128") == "login *** at http://***@proxy:3128"
    assert masked("any http://me:other@proxy") == "any http://***@proxy"


def test_a_secret_in_an_env_file_is_masked_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MISTRAL_API_KEY=canary-value\nMODEL=quickstart\n")
    assert masked("canary-value of quickstart") == "*** of quickstart"


def test_an_env_file_that_cannot_be_read_keeps_nothing_from_being_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("HF_TOKEN", "canary-value")
    assert masked("canary-value") == "***"


def test_a_short_value_is_no_secret_that_could_be_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a")
    assert masked("a banana") == "a banana"


def test_what_looks_like_a_key_is_masked_though_nobody_set_it() -> None:
    assert masked(f"--set token={HF_KEY}") == "--set token=***"
