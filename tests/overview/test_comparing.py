"""Runs side by side: what differs, what came of it, how the losses fell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mistraltune.overview.comparing import ComparedRun, compared_settings, read_run
from mistraltune.overview.report import draw, render_runs, tick_step
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir


def make_run(path: Path, *, rank: int, losses: list[float], finished: bool = True) -> RunDir:
    run = RunDir(path)
    config = {"model": "quickstart", "quantization": "nf4", "lora": {"r": rank}}
    with run.locked():
        run.begin({"config": config, "train_sha256": "ab"}, config=config, facts={})
        for step, loss in enumerate(losses, start=1):
            run.emit("step", step=step, loss=loss)
        run.emit("validation", step=len(losses), val_loss=losses[-1] + 0.1)
        if finished:
            figures = {"train_loss": sum(losses) / len(losses), "val_loss": losses[-1] + 0.1, "num_steps": len(losses)}
            run.finish(TrainResult(model=ModelRef(model="quickstart"), metrics=figures))
    return run


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Two finished runs and one that is not, below `outputs`."""
    make_run(tmp_path / "outputs" / "small", rank=8, losses=[4.0, 2.0, 1.0])
    make_run(tmp_path / "outputs" / "large", rank=64, losses=[4.0, 1.0, 0.5, 0.25])
    make_run(tmp_path / "outputs" / "<i>open", rank=8, losses=[4.0], finished=False)
    return tmp_path / "outputs"


def test_only_settings_that_differ_are_shown_unless_all_are_asked_for(outputs: Path) -> None:
    runs = [read_run(RunDir(outputs / name)) for name in ("small", "large")]
    assert compared_settings(runs) == {"lora.r": [8, 64]}
    everything = compared_settings(runs, equal_too=True)
    assert everything["train_sha256"] == ["ab", "ab"]
    assert everything["quantization"] == ["nf4", "nf4"]


def test_a_setting_that_one_run_lacks_differs() -> None:
    old, new = (ComparedRun("x", "finished", settings, {}, [], []) for settings in ({}, {"lora.use_dora": False}))
    assert compared_settings([old, new]) == {"lora.use_dora": [None, False]}


def test_curves_lie_on_one_scale() -> None:
    runs = [
        ComparedRun(name, "finished", {}, {}, curve, [])
        for name, curve in (("a", [(0, 4.0), (100, 0.0)]), ("b", [(0, 2.0), (50, 1.0)]))
    ]
    chart = draw(runs)
    assert chart.lines[0].train == "0.0,0.0 720.0,300.0"
    assert chart.lines[1].train == "0.0,150.0 360.0,225.0"
    assert [text for _, text in chart.y_ticks] == ["0", "1", "2", "3", "4"]
    assert [text for _, text in chart.x_ticks] == ["0", "25", "50", "75", "100"]


def test_runs_that_logged_nothing_are_drawn_empty() -> None:
    assert draw([ComparedRun("a", "failed", {}, {}, [], [])]).lines[0].train == ""


@pytest.mark.parametrize(("span", "step"), [(4.0, 1.0), (5.8, 2.0), (0.33, 0.1), (0.0, 0.25)])
def test_ticks_are_round_numbers(span: float, step: float) -> None:
    assert tick_step(span) == pytest.approx(step)


def test_the_report_is_one_file_that_escapes_names_and_loads_nothing(outputs: Path) -> None:
    runs = [read_run(RunDir(outputs / name)) for name in ("small", "large", "<i>open")]
    text = render_runs(runs, created_at="2026-11-26", versions={"mistraltune": "0.1.0"})
    assert "<i>open" not in text
    assert text.count("<polyline") == 3
    assert text.count("<circle") == 3
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="', text)
    assert "5 settings are equal" not in text
    assert ">64<" in text


def test_the_command_puts_runs_side_by_side(outputs: Path, mistraltune: Any, tmp_path: Path) -> None:
    done = mistraltune("runs", "compare", "small", outputs / "large", "--html", "runs.html")
    assert done.returncode == 0, done.stderr
    assert re.search(r"lora\.r +8 +64", done.stdout)
    assert re.search(r"val_loss +1\.1 +0\.35", done.stdout)
    assert re.search(r"large train +█", done.stdout)
    assert "<svg" in (tmp_path / "runs.html").read_text()
    printed = json.loads(mistraltune("runs", "compare", "small", "large", "--json").stdout)
    assert printed["settings"] == {"lora.r": [8, 64]}
    assert printed["runs"][1]["train"] == [[1, 4.0], [2, 1.0], [3, 0.5], [4, 0.25]]
    assert mistraltune("runs", "compare", "small").returncode == 2


def test_the_list_is_filtered_sorted_and_one_object_in_json(outputs: Path, mistraltune: Any) -> None:
    order = ("--status", "finished", "--sort", "val_loss")
    printed = json.loads(mistraltune("runs", "list", *order, "--json").stdout)
    assert [run["run_id"] for run in printed["runs"]] == ["large", "small"]
    assert printed["runs"][0]["config"]["lora"]["r"] == 64
    table = mistraltune("runs", "list", "--where", "lora.r=8").stdout
    assert re.search(r"small .* 8\s*$", table, re.MULTILINE)
    assert "large" not in table
    nothing = mistraltune("runs", "list", "--where", "lora.r=9")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "none of the 3 runs in outputs is such a one" in nothing.stderr
