import json
import subprocess
from pathlib import Path

import pytest

from mistraltune import __version__
from mistraltune.provenance import LIBRARIES, describe_origin, git_commit, versions


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, as the working directory, out of reach of the user's own settings and of a git hook's."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-settings"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    return folder


def git(*arguments: str) -> str:
    author = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    return subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path) -> str:
    (folder / "rows.jsonl").write_text("{}\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Add rows")
    return git("rev-parse", "HEAD")


def test_versions_name_every_library_that_decides_a_result() -> None:
    found = versions()
    assert list(found) == ["mistraltune", "python", *LIBRARIES]
    assert found["mistraltune"] == __version__


def test_the_commit_of_a_clean_repository_is_named_in_full(repository: Path) -> None:
    head = commit(repository)
    assert git_commit() == head


def test_a_tag_does_not_replace_the_commit(repository: Path) -> None:
    head = commit(repository)
    git("tag", "--annotate", "v1", "--message", "One")
    assert git_commit() == head


def test_changed_files_mark_the_commit_as_dirty(repository: Path) -> None:
    head = commit(repository)
    (repository / "rows.jsonl").write_text("{}\n{}\n")
    assert git_commit() == f"{head}-dirty"


def test_a_repository_without_a_commit_has_none(repository: Path) -> None:
    assert git_commit() is None


def test_outside_a_repository_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.parent)
    assert git_commit() is None


def test_a_machine_without_git_has_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository)
    monkeypatch.setenv("PATH", str(repository))
    assert git_commit() is None


def test_the_origin_can_be_written_as_json() -> None:
    origin = describe_origin()
    assert json.loads(json.dumps(origin)) == origin
    assert set(origin) == {"versions", "git_commit", "machine"}
