"""Which key goes where (row 43, and the rules for endpoints)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clocks import FakeClock
from faulty_api import faulty_api, write_endpoints

from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.endpoints import endpoints, find_endpoint
from mistraltune.errors import ConfigError

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own configuration folder, empty; the working directory is another one, empty too."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("MISTRALTUNE_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("MISTRAL_API_KEY", "MISTRALTUNE_SERVER_KEY", "LAB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def refusal(config_dir: Path, text: str) -> str:
    (config_dir / "endpoints.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        endpoints()
    return refused.value.message


def test_two_endpoints_are_known_to_everybody_and_mistrals_is_meant_where_none_is_named(config_dir: Path) -> None:
    assert {name: each.url for name, each in endpoints().items()} == {
        "mistral": "https://api.mistral.ai",
        "local": "http://127.0.0.1:8000",
    }
    assert find_endpoint() == find_endpoint("mistral")
    assert find_endpoint("mistral").key_variable == "MISTRAL_API_KEY"


def test_an_endpoint_of_ones_own_has_a_url_with_or_without_v1_and_a_key_of_its_own(config_dir: Path) -> None:
    (config_dir / "endpoints.yaml").write_text(
        "vllm:\n  url: http://localhost:8001/v1\nlab:\n  url: https://lab.example/llm/\n  key_variable: LAB_API_KEY\n"
    )
    assert find_endpoint("vllm").url == "http://localhost:8001"
    assert find_endpoint("vllm").key() is None
    assert find_endpoint("lab").url == "https://lab.example/llm"
    assert find_endpoint("lab").key_variable == "LAB_API_KEY"


def test_a_local_endpoint_that_was_moved_keeps_its_key(config_dir: Path) -> None:
    (config_dir / "endpoints.yaml").write_text("local:\n  url: http://127.0.0.1:8123\n")
    assert find_endpoint("local").url == "http://127.0.0.1:8123"
    assert find_endpoint("local").key_variable == "MISTRALTUNE_SERVER_KEY"
    (config_dir / "endpoints.yaml").write_text("local:\n  url: http://127.0.0.1:8123\n  key_variable: null\n")
    assert find_endpoint("local").key_variable is None


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("url: http://10.0.0.7:8000", "plain http is for this machine alone"),
        ("url: http://localhost.evil.com", "plain http is for this machine alone"),
        ("url: http://127.0.0.1.nip.io", "plain http is for this machine alone"),
        ("url: ftp://lab", "should be a URL such as"),
        ("url: lab.example", "should be a URL such as"),
        ("url: https://lab.example:port", "should be a URL"),
        ("url: https://lab.example?key=1", "without login, query and fragment"),
        ("key_variable: LAB_API_KEY", "url: required"),
        ("url: https://lab.example\n  key_variable: lab key", "ends in _KEY or _TOKEN"),
        ("url: https://lab.example\n  key_variable: HOME", "ends in _KEY or _TOKEN"),
        ("url: https://lab.example\n  kee: X_KEY", "unknown key"),
    ],
)
def test_an_endpoint_that_could_give_a_key_away_or_is_misspelt_is_refused(
    config_dir: Path, entry: str, complaint: str
) -> None:
    assert complaint in refusal(config_dir, f"lab:\n  {entry}\n")


@pytest.mark.parametrize(
    "text",
    [
        "lab:\n  url: https://me:hunter2hunter2@lab.example\n",
        "lab:\n  url: https://x.example\n  api_key: hunter2hunter2\n",
    ],
)
def test_a_secret_in_endpoints_yaml_is_refused_and_not_repeated(config_dir: Path, text: str) -> None:
    message = refusal(config_dir, text)
    assert "holds no secrets" in message
    assert "hunter2" not in message


def test_mistrals_own_endpoint_cannot_be_moved_elsewhere(config_dir: Path) -> None:
    assert "'mistral' is Mistral's own API" in refusal(config_dir, "mistral:\n  url: https://evil.example\n")


def test_an_unknown_endpoint_is_answered_with_the_nearest(config_dir: Path) -> None:
    with pytest.raises(ConfigError, match="no endpoint called 'locale'") as refused:
        find_endpoint("locale")
    assert refused.value.hint.startswith("did you mean local? Others go into ")
    with pytest.raises(ConfigError) as refused:
        find_endpoint("elsewhere")
    assert refused.value.hint.startswith("known: mistral, local. Others go into ")


def test_a_env_file_brings_keys_and_never_an_endpoint(
    config_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    write_endpoints(theirs, evil="https://evil.example")
    monkeypatch.delenv("MISTRALTUNE_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    Path(".env").write_text(f"MISTRALTUNE_CONFIG_DIR={theirs}\nMISTRAL_API_KEY=from-the-env-file\n")
    assert find_endpoint("mistral").key() == "from-the-env-file"
    assert set(endpoints()) == {"mistral", "local"}


def test_a_env_file_or_an_endpoints_yaml_in_the_working_directory_is_no_configuration(config_dir: Path) -> None:
    write_endpoints(Path.cwd(), evil="https://evil.example")
    assert set(endpoints()) == {"mistral", "local"}


@pytest.mark.parametrize("key", ["", "two\nlines", '"quoted"', "clé", "k" * 10_000, "with a blank"])
def test_row_43_a_key_that_is_none_is_refused_unseen(
    config_dir: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    write_endpoints(config_dir, lab="https://lab.example")
    monkeypatch.setenv("LAB_API_KEY", key)
    with pytest.raises(ConfigError, match=r"^LAB_API_KEY ") as refused:
        ApiClient(find_endpoint("lab"))
    assert not key or key not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_row_43_such_a_key_ends_a_command_with_2_before_any_request(mistraltune: CommandLine, tmp_path: Path) -> None:
    with faulty_api(FakeClock()) as api:
        folder = write_endpoints(tmp_path / "config", lab=api.url)
        done = mistraltune(
            *("jobs", "list", "--endpoint", "lab", "--json"), MISTRALTUNE_CONFIG_DIR=str(folder), LAB_API_KEY="a b"
        )
        assert api.calls == []
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"].startswith("LAB_API_KEY holds a blank")


def test_an_endpoint_without_a_key_is_sent_none_though_mistrals_is_in_the_environment(
    config_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "mistrals-own-key-0123456789")
    with faulty_api(FakeClock()) as api:
        (config_dir / "endpoints.yaml").write_text(f"bare:\n  url: {api.url}\n")
        client = ApiClient(find_endpoint("bare"))
        client.jobs()
        client.find_files("anything")
        client.close()
        assert [call.key for call in api.calls] == ["", ""]
