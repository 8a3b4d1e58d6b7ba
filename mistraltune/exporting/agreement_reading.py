"""What it means that two models agree as far as they do: a check of the export, or what rounding is known to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

EXPLAINED = {"bfloat16": 0.8, "float16": 0.8, "bf16": 0.8, "q8_0": 0.7, "q4_0": 0.2}
"""The share of tokens below which rounding to that type explains it no more. Well under what was measured on the
quickstart model, in transformers and in llama.cpp (97.6 % and more merged, in bf16 and in q8_0, 60.5 % in q4_0), for
longer answers part more often; a model without its adapter, or with weights in a wrong order, stays far below."""


class Reading(NamedTuple):
    """What figures of agreement say.

    Attributes:
        text: Which kind of comparison it is, in a line.
        warning: What is wrong and what to do; empty where nothing is.
    """

    text: str
    warning: str = ""


def read_agreement(figures: Mapping[str, Any], *, held_in: str) -> Reading:
    """What `figures`, a record's, say of an export whose weights are held in the type `held_in`.

    One answer that differs is never a warning: a close call at its first token is enough for it.
    """
    if figures["quantization"] != "none":
        return Reading(
            f"no check of the export, but a known effect: the adapter learned on {figures['quantization']} weights, "
            "and answers a little differently on others"
        )
    text = f"this checks the export: {expected(held_in)}"
    share, floor = figures["token_agreement"], EXPLAINED[held_in]
    if share is None or share >= floor or figures["num_prompts"] - figures["num_same_answers"] < 2:
        return Reading(text)
    return Reading(
        text,
        f"{100 * share:.1f} % of the tokens are the same; rounding to {held_in} explains {100 * floor:.0f} % and more. "
        "The export may be damaged: evaluate it beside its source before it is used",
    )


def expected(held_in: str) -> str:
    """How far an export that is right agrees with its source."""
    if held_in == "q4_0":
        return "four bits change many answers of a small model, fewer of a large one"
    if held_in == "q8_0":
        return "nearly all answers should be the same, rounding to q8_0 turns a few"
    return f"all answers should be the same, but for close calls that rounding to {held_in} turns"


def held_in(record: Mapping[str, Any]) -> str:
    """The type that an export's record names for its weights."""
    identity = record["identity"]
    return str(identity["dtype"] if identity["kind"] == "merge" else identity["type"])


def warnings(record: Mapping[str, Any]) -> list[str]:
    """All warnings that an export's figures give."""
    readings = [read_agreement(figures, held_in=held_in(record)) for figures in record["agreement"]]
    return [reading.warning for reading in readings if reading.warning]
