"""Runs by conditions and in order."""

from __future__ import annotations

from typing import Any

import pytest

from mistraltune.errors import ConfigError
from mistraltune.overview.selection import parse_condition, select


def summary(run_id: str, val_loss: float | None = None, status: str = "finished", **config: Any) -> dict[str, Any]:
    metrics = {} if val_loss is None else {"val_loss": val_loss, "num_steps": 3}
    facts = {"run_id": run_id, "status": status, "model": "quickstart", "started_at": "2026-11-26"}
    return {**facts, "metrics": metrics, "config": {"quantization": "nf4", "lora": {"r": 16}, **config}}


RUNS = [
    summary("a", 0.5, lora={"r": 8}, packing=True),
    summary("b", 0.25, quantization="none", packing=False),
    summary("c", status="unfinished"),
    summary("d", 0.3, lora={"r": 16}, revision=None),
]


def names(*conditions: str, **order: Any) -> list[str]:
    return [run["run_id"] for run in select(RUNS, conditions=list(map(parse_condition, conditions)), **order)]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("quantization=nf4", ["a", "c", "d"]),
        ("quantization != nf4", ["b"]),
        ("lora.r=8", ["a"]),
        ("lora.r=8.0", ["a"]),
        ("lora.r>8", ["b", "c", "d"]),
        ("val_loss<=0.3", ["b", "d"]),
        ("status=unfinished", ["c"]),
        ("packing=true", ["a"]),
        ("packing=True", ["a"]),
        ("packing!=true", ["b", "c", "d"]),
        ("val_loss=null", ["c"]),
        ("val_loss!=null", ["a", "b", "d"]),
        ("model=quickstart", ["a", "b", "c", "d"]),
        ("started_at>=2026-11-26", ["a", "b", "c", "d"]),
        ("started_at<=2026-11", ["a", "b", "c", "d"]),
        ("started_at<2026-11-26", []),
        ("started_at=2026", ["a", "b", "c", "d"]),
        ("revision=null", ["a", "b", "c", "d"]),
        ("val_loss!=0.5", ["b", "c", "d"]),
        ("quantization == nf4", ["a", "c", "d"]),
        ("lora.r==8", ["a"]),
        ("val_loss < 1e-1", []),
    ],
)
def test_a_condition_keeps_the_runs_of_which_it_holds(condition: str, kept: list[str]) -> None:
    assert names(condition) == kept


def test_all_conditions_must_hold() -> None:
    assert names("quantization=nf4", "val_loss<0.4") == ["d"]


def test_runs_without_the_value_come_last_in_either_order() -> None:
    assert names(sort="val_loss") == ["b", "d", "a", "c"]
    assert names(sort="val_loss", reverse=True) == ["a", "d", "b", "c"]


def test_without_a_key_the_order_is_kept_or_turned() -> None:
    assert names() == ["a", "b", "c", "d"]
    assert names(reverse=True) == ["d", "c", "b", "a"]


def test_words_are_sorted_too() -> None:
    assert names(sort="quantization") == ["a", "c", "d", "b"]


@pytest.mark.parametrize(("key", "near"), [("r", "lora.r"), ("val_los", "val_loss")])
def test_a_key_that_no_run_has_is_refused_with_the_nearest(key: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"no run has a figure or a setting '{key}'") as refusal:
        names(sort=key)
    assert refusal.value.hint == f"did you mean {near}?"


@pytest.mark.parametrize("text", ["quantization", "=nf4", "lora.r=", ""])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no condition"):
        parse_condition(text)


def test_of_no_runs_every_condition_holds() -> None:
    assert select([], conditions=[parse_condition("anything=1")], sort="whatever") == []


@pytest.mark.parametrize("text", ["val_loss<abc", "val_loss >= nan", "quantization<nf4"])
def test_an_order_needs_a_number(text: str) -> None:
    with pytest.raises(ConfigError, match="a number is needed after"):
        parse_condition(text)


@pytest.mark.parametrize("value", ["yesterday", "26.11.2026", "2026-13", "2026-1", "2026-11-31T25", "2026-11-26T1"])
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="a time is needed") as refusal:
        parse_condition(f"started_at>={value}")
    assert "2026-01-31" in refusal.value.hint


@pytest.mark.parametrize(
    ("value", "kept"),
    [("2026-01-31 09:30", "2026-01-31T09:30"), ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00"), ("2026", "2026")],
)
def test_a_time_may_be_cut_short_and_written_as_it_is_listed(value: str, kept: str) -> None:
    assert parse_condition(f"started_at < {value}").value == kept


def test_a_status_that_no_run_can_have_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no run has the status 'fnished'") as refusal:
        parse_condition("status=fnished")
    assert refusal.value.hint == "one of unfinished, running, finished, failed, unreadable"
