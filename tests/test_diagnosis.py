"""The doctor: what it finds, what it says to do, and what it never shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mistraltune import diagnosis
from mistraltune.backends.local import hardware
from mistraltune.backends.local.hardware import Gpu, Hardware
from mistraltune.errors import ConfigError

TOKEN = "hf_" + "x9Qd" * 8
CPU = Hardware(gpus=(), num_driver_gpus=0, cuda="", has_avx512_bf16=True, num_threads=4)


def states(findings: Any) -> list[tuple[str, str]]:
    return [(finding.name, finding.state) for finding in findings]


def test_this_environment_is_within_the_tested_ranges() -> None:
    [finding] = diagnosis.check_dependencies()
    assert (finding.name, finding.state) == ("packages", "ok")
    assert int(finding.text.split()[0]) > 30


def test_versions_outside_their_range_and_missing_packages_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["typer<0.1", "no-such-package>=1", "rich>=1", 'colorama; platform_system == "Nowhere"', 'x; extra == "y"']
    monkeypatch.setattr(diagnosis, "requires", lambda name: wanted)
    found = {finding.name: finding for finding in diagnosis.check_dependencies()}
    assert {name: finding.state for name, finding in found.items()} == {
        "typer": "warning",
        "no-such-package": "problem",
        "packages": "ok",
    }
    assert found["no-such-package"].hint == 'python -m pip install "no-such-package>=1"'
    assert found["packages"].text == "1 in their tested ranges"


def test_a_working_directory_that_is_gone_is_told_before_torch_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigError, match="the working directory was removed"):
        next(diagnosis.diagnose(online=False))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (CPU, [("cpu", "ok")]),
        (Hardware((Gpu("H100", 80 * 2**30, True),), 1, "13.0", True, 8), [("gpu", "ok")]),
        (Hardware((Gpu("T4", 16 * 2**30, False),), 1, "13.0", False, 8), [("gpu", "warning")]),
        (Hardware((), 2, "", False, 8), [("gpu", "warning"), ("cpu", "ok")]),
    ],
)
def test_hardware_is_judged_by_what_torch_can_use(
    monkeypatch: pytest.MonkeyPatch, found: Hardware, expected: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(hardware, "inspect_hardware", lambda: found)
    assert states(diagnosis.check_hardware()) == expected


def test_a_driver_without_a_torch_that_uses_it_gets_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "inspect_hardware", lambda: Hardware((), 1, "", True, 4))
    finding = next(diagnosis.check_hardware())
    assert "torch (without CUDA) uses none" in finding.text
    assert "install the torch build for your CUDA version" in finding.hint


def test_four_bit_layers_are_really_computed() -> None:
    assert 0.02 < hardware.quantisation_error() < hardware.LARGEST_ERROR


@pytest.mark.parametrize(("error", "state"), [(0.1, "ok"), (0.9, "problem")])
def test_wrong_numbers_are_a_problem(monkeypatch: pytest.MonkeyPatch, error: float, state: str) -> None:
    monkeypatch.setattr(hardware, "quantisation_error", lambda: error)
    assert diagnosis.check_quantisation().state == state


def test_a_library_that_cannot_be_loaded_is_a_problem_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> float:
        raise OSError("libcudart.so.13: cannot open shared object file\nand more")

    monkeypatch.setattr(hardware, "quantisation_error", fail)
    finding = diagnosis.check_quantisation()
    assert finding.state == "problem"
    assert finding.text == "4-bit layers fail here: libcudart.so.13: cannot open shared object file"


def test_a_full_disk_is_a_warning_and_a_cache_that_cannot_be_written_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(diagnosis, "free_bytes", lambda path: 2**30)
    assert {finding.state for finding in diagnosis.check_places()} == {"warning"}
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(diagnosis.settings(), "mistraltune_cache_dir", tmp_path / "file")
    assert states(diagnosis.check_places())[0] == ("cache", "problem")


class Api(BaseHTTPRequestHandler):
    """A Hub and an endpoint in one: both answer one key."""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        answers = {"/api/whoami-v2": {"name": "ada"}, "/v1/models": {"data": [{"id": "m"}]}}
        content = json.dumps(answers[self.path] if allowed else {"message": "no"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_named_and_never_shown_and_only_online_asks_anybody(
    mistraltune: Any, api: str, tmp_path: Path
) -> None:
    (tmp_path / "endpoints.yaml").write_text(
        f"lab:\n  url: {api}\n  key_variable: LAB_KEY\naway:\n  url: http://127.0.0.1:9\n"
    )
    env = {"HF_TOKEN": TOKEN, "LAB_KEY": TOKEN, "MISTRALTUNE_CONFIG_DIR": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    env |= {"HF_ENDPOINT": api, "HF_HUB_OFFLINE": "0", "MISTRAL_API_KEY": "", "MISTRALTUNE_SERVER_KEY": ""}
    done = mistraltune("doctor", "--online", "--json", **env)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    printed = json.loads(done.stdout)
    assert printed["ok"] is True
    found = {finding["name"]: finding for finding in printed["findings"]}
    assert found["HF_TOKEN"]["text"] == "is set"
    assert found["hub"]["text"] == f"{api} answers, HF_TOKEN is a key of ada"
    assert found["endpoint lab"]["text"] == f"{api} answers, 1 models"
    assert found["endpoint away"]["state"] == "warning"
    assert found["endpoint mistral"]["text"] == "not asked: MISTRAL_API_KEY is not set"


def test_a_person_reads_a_line_for_each_finding_and_what_is_unusable_ends_with_another_code(mistraltune: Any) -> None:
    done = mistraltune("doctor", HF_TOKEN="two words")
    assert done.returncode == 2, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok       python")
    assert any(line.startswith("PROBLEM  settings") for line in lines)
    assert any(line.startswith("warning  HF_TOKEN") for line in lines)
    assert "endpoint" not in done.stdout
    assert "two words" not in done.stdout + done.stderr
