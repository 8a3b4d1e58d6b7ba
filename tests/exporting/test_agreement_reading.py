"""Figures of agreement come with what they mean, and with a warning where rounding explains them no more."""

from __future__ import annotations

from typing import Any

import pytest

from mistraltune.cli.export import show_agreement
from mistraltune.exporting.agreement_reading import EXPLAINED, read_agreement, warnings


def figures(token_agreement: float, *, num_same: int, num_prompts: int = 20, quantization: str = "none") -> Any:
    return {
        "compared_with": "the adapter",
        "quantization": quantization,
        "num_prompts": num_prompts,
        "num_same_answers": num_same,
        "num_tokens": 100,
        "token_agreement": token_agreement,
    }


def record(*agreement: Any, dtype: str = "bfloat16") -> Any:
    prompts = {"num_prompts": 20, "origin": "validation rows"}
    return {"identity": {"kind": "merge", "dtype": dtype}, "agreement": list(agreement), "prompts": prompts}


@pytest.mark.parametrize(
    ("held_in", "share", "num_same"),
    [("bfloat16", 1.0, 20), ("bf16", 1.0, 20), ("q8_0", 0.976, 19), ("q4_0", 0.605, 7)],
)
def test_what_was_measured_on_a_sound_export_gives_no_warning(held_in: str, share: float, num_same: int) -> None:
    reading = read_agreement(figures(share, num_same=num_same), held_in=held_in)
    assert reading.text.startswith("this checks the export: ")
    assert reading.warning == ""


@pytest.mark.parametrize("held_in", EXPLAINED)
def test_less_than_the_type_explains_is_a_warning(held_in: str) -> None:
    reading = read_agreement(figures(EXPLAINED[held_in] - 0.1, num_same=3), held_in=held_in)
    assert f"rounding to {held_in} explains" in reading.warning


def test_one_answer_of_two_is_no_warning_and_both_are() -> None:
    assert not read_agreement(figures(0.5, num_same=1, num_prompts=2), held_in="bf16").warning
    assert read_agreement(figures(0.5, num_same=0, num_prompts=2), held_in="bf16").warning


def test_another_answer_on_the_quantised_base_is_a_known_effect_and_no_warning() -> None:
    reading = read_agreement(figures(0.1, num_same=0, quantization="nf4"), held_in="bfloat16")
    assert reading.text.startswith("no check of the export, but a known effect: the adapter learned on nf4 weights")
    assert reading.warning == ""


def test_the_reading_stands_under_its_figures_and_the_warning_beside_the_result(capsys: Any) -> None:
    found = record(figures(0.3, num_same=2), figures(0.2, num_same=1, quantization="nf4"))
    show_agreement(found, what="the merged model")
    printed = capsys.readouterr()
    lines = [line.strip() for line in printed.out.splitlines()]
    assert lines[1] == "the adapter: 2 of 20 answers the same, 30.0 % of 100 tokens"
    assert lines[2].startswith("this checks the export")
    assert "known effect" in printed.out
    assert "warning: 30.0 % of the tokens are the same" in printed.err
    assert len(warnings(found)) == 1


def test_without_prompts_it_says_that_nothing_was_compared(capsys: Any) -> None:
    show_agreement(record(), what="the merged model")
    assert capsys.readouterr().out.startswith("not compared: the merged model was asked no prompts")
