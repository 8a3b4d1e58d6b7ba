import os
from pathlib import Path

import pytest

from mistraltune.backends.local.locating import find_here, find_revision, hub_commit, locate
from mistraltune.errors import ConfigError, ExitCode, TemporaryError
from mistraltune.results import ModelRef


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model from outside."""
    return write_model(tmp_path / "model")


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "mistral"}')
    for part in (1, 2):
        (folder / f"model-0000{part}-of-00002.safetensors").write_bytes(bytes([part]) * 1000)
    return folder


def revision(folder: Path) -> str:
    return find_revision(ModelRef(model=str(folder)))


# Where a model is


def test_a_model_directory_is_used_where_it_lies(model: Path) -> None:
    assert locate(ModelRef(model=str(model))) == model


@pytest.mark.parametrize("name", ["nobody/nothing", "no model at all", "a/b/c"])
def test_what_is_not_on_this_machine_is_not_fetched_to_be_found(model: Path, name: str) -> None:
    assert find_here(ModelRef(model=str(model))) == model
    assert find_here(ModelRef(model=name)) is None


def test_a_tilde_is_the_home_directory(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(model.parent))
    assert locate(ModelRef(model="~/model")) == model


def test_pickled_weights_are_not_taken_for_safetensors(model: Path) -> None:
    for weights in model.glob("*.safetensors"):
        weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ConfigError, match="has no safetensors weights") as refused:
        locate(ModelRef(model=str(model)))
    assert "convert the model first" in refused.value.hint


def test_a_tokenizer_is_found_without_weights(model: Path) -> None:
    for weights in model.glob("*.safetensors"):
        weights.unlink()
    assert locate(ModelRef(model=str(model)), with_weights=False) == model


def test_a_hub_model_that_is_not_cached_is_a_temporary_failure_without_network() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    with pytest.raises(TemporaryError, match="cannot reach the Hub for nobody/no-such-model") as refused:
        locate(ModelRef(model="nobody/no-such-model"))
    assert refused.value.exit_code == ExitCode.TEMPORARY
    assert refused.value.hint.startswith("check the network, or name a directory: there is none called ")


@pytest.mark.parametrize("name", ["no such model", "a/b/c", "model/"])
def test_what_can_be_no_hub_id_is_a_mistake_not_a_network_failure(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no such model: {name}"):
        locate(ModelRef(model=name))


# What pins its weights


def test_the_same_files_have_the_same_revision_wherever_they_lie(model: Path, tmp_path: Path) -> None:
    copy = write_model(tmp_path / "copy")
    os.utime(copy / "config.json", (0, 0))
    assert revision(model) == revision(copy)
    assert revision(model).startswith("xxh3:")


@pytest.mark.parametrize(
    "name", ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
)
def test_a_changed_file_of_the_same_size_changes_the_revision(model: Path, name: str) -> None:
    before = revision(model)
    changed = bytearray((model / name).read_bytes())
    changed[-3] ^= 1
    (model / name).write_bytes(changed)
    assert revision(model) != before


def test_a_longer_file_changes_the_revision_though_its_beginning_is_the_same(model: Path) -> None:
    weights = model / "model-00001-of-00002.safetensors"
    weights.write_bytes(b"\0" * (2 << 20))
    before = revision(model)
    weights.write_bytes(b"\0" * (2 << 20) + b"\0")
    assert revision(model) != before


def test_a_model_that_shares_its_first_tensors_with_another_is_another(model: Path) -> None:
    """A merged model has its base's embedding, which comes first, and all of its sizes."""
    weights = model / "model-00001-of-00002.safetensors"
    weights.write_bytes(bytes(9 << 20))
    before = revision(model)
    weights.write_bytes(bytes(5 << 20) + b"\1" + bytes((4 << 20) - 1))
    assert revision(model) != before


def test_a_tokenizer_is_no_part_of_the_revision_of_the_weights(model: Path) -> None:
    before = revision(model)
    (model / "tekken.json").write_text("{}")
    assert revision(model) == before


def test_a_hub_snapshot_is_pinned_by_its_commit(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = write_model(tmp_path / "models--someone--model" / "snapshots" / commit)
    assert revision(snapshot) == commit


@pytest.mark.parametrize("name", ["outputs/run-1", "a/b/c", "quikstart"])
def test_what_can_only_be_mistyped_is_not_looked_for_on_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no such model"):
        locate(ModelRef(model=name))


def test_the_cache_of_the_hub_is_told_from_a_folder_that_only_looks_like_it(tmp_path: Path) -> None:
    commit = tmp_path / "models--org--name" / "snapshots" / "0123abcd"
    commit.mkdir(parents=True)
    (commit / "config.json").write_text("{}")
    assert hub_commit(commit) == "0123abcd"
    assert hub_commit(tmp_path / "snapshots" / "mine") is None
