from pathlib import Path

import pytest

from mistraltune.errors import ConfigError
from mistraltune.shipped import copy_shipped, example_dir, find_config

ROOT = Path(__file__).parents[1]


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def shipped_in_the_repository() -> set[str]:
    folders = (ROOT / "configs", ROOT / "examples" / "support_triage")
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {".env.example", *(path.relative_to(ROOT).as_posix() for path in files)}


def test_everything_that_the_repository_ships_is_written_as_it_is(tmp_path: Path) -> None:
    written = copy_shipped(tmp_path / "project")
    assert {path.relative_to(tmp_path / "project").as_posix() for path in written} == shipped_in_the_repository()
    assert files_below(tmp_path / "project") == shipped_in_the_repository()
    for name in shipped_in_the_repository():
        assert (tmp_path / "project" / name).read_bytes() == (ROOT / name).read_bytes()


def test_files_that_exist_are_kept_and_the_missing_ones_added(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base.yaml").write_text("mine")
    written = copy_shipped(tmp_path)
    assert (tmp_path / "configs" / "base.yaml").read_text() == "mine"
    assert tmp_path / "configs" / "base.yaml" not in written
    assert tmp_path / "configs" / "cpu.yaml" in written


def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    copy_shipped(tmp_path)
    assert copy_shipped(tmp_path) == []


@pytest.mark.parametrize("name", ["base", "base.yaml"])
def test_a_shipped_configuration_is_found_by_its_name(name: str) -> None:
    assert find_config(name).read_bytes() == (ROOT / "configs" / "base.yaml").read_bytes()


def test_a_file_of_your_own_comes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").write_text("model: mine")
    assert find_config("base").read_text() == "model: mine"


def test_a_missing_path_is_not_looked_for_among_the_shipped_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such configuration: .*/base"):
        find_config(str(tmp_path / "base"))


def test_the_example_holds_what_the_quickstart_reads() -> None:
    assert {"train.jsonl", "val.jsonl", "test.jsonl", "train.yaml"} <= files_below(example_dir("support_triage"))
