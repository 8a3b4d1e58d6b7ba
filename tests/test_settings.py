from pathlib import Path

import pytest

from mistraltune.errors import ConfigError
from mistraltune.settings import Settings, settings

SECRET = "hf_verysecret"


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "MISTRALTUNE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


def token(settings: Settings) -> str | None:
    return settings.hf_token.get_secret_value() if settings.hf_token else None


def test_without_an_environment_there_is_no_key() -> None:
    assert Settings().hf_token is None


def test_a_key_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert token(Settings()) == SECRET


def test_a_key_is_read_from_a_env_file_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"HF_TOKEN={SECRET}\nUNRELATED=1\n")
    assert token(Settings()) == SECRET


def test_the_environment_comes_before_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=from-the-file\n")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert token(Settings()) == SECRET


def test_the_shipped_env_example_sets_nothing_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes((Path(__file__).parents[1] / ".env.example").read_bytes())
    assert Settings().hf_token is None


@pytest.mark.parametrize("key", ["hf_very\nsecret", "hf very secret", "'hf_verysecret'", "hf_verysécret", "s" * 1001])
def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("HF_TOKEN", key)
    settings.cache_clear()
    with pytest.raises(ConfigError) as refused:
        settings()
    assert refused.value.message.startswith("HF_TOKEN ")
    assert "secret" not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_an_env_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HF_TOKEN=\xff")
    settings.cache_clear()
    with pytest.raises(ConfigError, match=r"cannot read \.env: "):
        settings()


def test_an_empty_cache_folder_is_not_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Settings().mistraltune_cache_dir
    monkeypatch.setenv("MISTRALTUNE_CACHE_DIR", "")
    assert Settings().mistraltune_cache_dir == usual


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRALTUNE_CACHE_DIR", str(tmp_path / "cache"))
    assert Settings().mistraltune_cache_dir == tmp_path / "cache"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    read = Settings()
    for shown in (repr(read), str(read), f"{read.hf_token}", read.model_dump_json()):
        assert SECRET not in shown
