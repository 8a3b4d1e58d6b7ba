import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mistraltune.errors import TemporaryError
from mistraltune.publishing import (
    discard,
    naming_failed_writes,
    publish_dir,
    publish_file,
    publish_json,
    publish_text,
    sweep,
)


class WriterGaveUpError(Exception):
    """What the tests below raise in the middle of writing."""


def give_up_after(num_written: int) -> None:
    raise WriterGaveUpError(f"after {num_written} bytes")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def umask(mask: int) -> Iterator[None]:
    previous = os.umask(mask)
    try:
        yield
    finally:
        os.umask(previous)


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with publish_file(path) as file:
        file.write(b"new, ")
        file.flush()
        assert path.read_text() == "old"
        file.write(b"and whole")
    assert path.read_text() == "new, and whole"
    assert names(tmp_path) == ["metrics.json"]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(WriterGaveUpError), publish_file(path) as file:
        give_up_after(file.write(b"half"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_a_writer_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from mistraltune.publishing import publish_file\n"
        "with publish_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    assert path.read_text() == "old"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_published_files_have_the_permissions_of_ordinary_ones(tmp_path: Path, mask: int, mode: int) -> None:
    with umask(mask):
        publish_text(tmp_path / "file", "content")
        with publish_dir(tmp_path / "folder") as staging:
            (staging / "adapter.safetensors").touch(mode=0o600)  # as safetensors writes it
    files = (tmp_path / "file", tmp_path / "folder" / "adapter.safetensors")
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [mode, mode]
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~mask


def test_missing_parents_are_made(tmp_path: Path) -> None:
    publish_text(tmp_path / "a" / "b" / "file", "content")
    with publish_dir(tmp_path / "c" / "d" / "folder"):
        pass
    assert (tmp_path / "a" / "b" / "file").read_text() == "content"
    assert (tmp_path / "c" / "d" / "folder").is_dir()


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_a_file_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, letter: str) -> None:
    path = tmp_path / (letter * (255 // len(letter.encode())))
    publish_text(path, "content")
    assert path.read_text() == "content"


def test_json_is_published_readable_for_people_in_any_script(tmp_path: Path) -> None:
    publish_json(tmp_path / "report.json", {"text": "où est mon colis ?", "loss": 0.5, "val_loss": None})
    written = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert written == '{\n  "text": "où est mon colis ?",\n  "loss": 0.5,\n  "val_loss": null\n}\n'


def test_a_folder_appears_with_all_its_files_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "step-5"
    with publish_dir(path) as staging:
        (staging / "deep").mkdir()
        (staging / "deep" / "weights").write_bytes(b"123")
        assert not path.exists()
    assert (path / "deep" / "weights").read_bytes() == b"123"
    assert names(path.parent) == ["step-5"]


def test_a_folder_replaces_the_one_before_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "step-5"
    path.mkdir()
    (path / "stale").touch()
    with publish_dir(path) as staging:
        (staging / "fresh").touch()
    assert names(path) == ["fresh"]


def test_an_error_while_filling_a_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "step-5"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(WriterGaveUpError), publish_dir(path) as staging:
        give_up_after((staging / "half").write_bytes(b"half"))
    assert names(tmp_path) == ["step-5"]
    assert names(path) == ["kept"]


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    publish_json(path, {"loss": 1})
    with pytest.raises(TypeError):
        publish_json(path, {"loss": object()})
    assert json.loads(path.read_text()) == {"loss": 1}


def test_sweeping_takes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / ".step-4.abc.tmp").mkdir(parents=True)
    (tmp_path / "checkpoints" / ".step-4.abc.tmp" / "optimizer.pt").touch()
    (tmp_path / ".metrics.json.123.abc.tmp").touch()
    (tmp_path / "metrics.json").touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["checkpoints", "metrics.json"]


# Disks that refuse


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """A real limit of this process: a write beyond it fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_disk_refuses_is_told_with_path_and_free_bytes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with files_of_at_most(100), pytest.raises(TemporaryError) as refused:
        publish_text(path, "x" * 1000)
    assert refused.value.message.startswith(f"{path} could not be written: File too large (")
    assert refused.value.message.endswith(" bytes are free there)")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_a_folder_that_the_disk_refuses_leaves_the_old_one(tmp_path: Path) -> None:
    with publish_dir(tmp_path / "adapter") as staging:
        (staging / "weights").write_bytes(b"old")
    with files_of_at_most(100), pytest.raises(TemporaryError), publish_dir(tmp_path / "adapter") as staging:
        (staging / "weights").write_bytes(b"x" * 1000)
    assert (tmp_path / "adapter" / "weights").read_bytes() == b"old"
    assert names(tmp_path) == ["adapter"]


@pytest.mark.parametrize("size", [200, 4000])
def test_torch_and_safetensors_tell_of_a_full_disk_in_words_that_are_known(tmp_path: Path, size: int) -> None:
    """200 bytes fail when torch closes its file, 4000 in the middle of it."""
    import torch
    from safetensors.torch import save_file

    weights = {"weight": torch.zeros(size)}
    with files_of_at_most(150), pytest.raises(TemporaryError), naming_failed_writes(tmp_path):
        torch.save(weights, tmp_path / "optimizer.pt")
    with files_of_at_most(150), pytest.raises(TemporaryError), naming_failed_writes(tmp_path):
        save_file(weights, tmp_path / "adapter.safetensors")


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(WriterGaveUpError), naming_failed_writes(tmp_path):
        give_up_after(1)
    with pytest.raises(PermissionError), naming_failed_writes(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_discarded_folder_that_a_kill_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "step-2").mkdir()
    (tmp_path / "step-2" / "weights").touch()
    script = (
        "import os, signal, shutil, sys; from pathlib import Path; from mistraltune.publishing import discard\n"
        "sys.addaudithook(lambda event, _: event == 'os.remove' and os.kill(os.getpid(), signal.SIGKILL))\n"
        "discard(Path(sys.argv[1]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "step-2")], check=False)
    assert killed.returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".step-2.")
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    (tmp_path / "step-2").mkdir()
    discard(tmp_path / "step-2")
    assert names(tmp_path) == []
