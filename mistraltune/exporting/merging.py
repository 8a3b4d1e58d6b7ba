"""`export merge`: a run as one model directory, and whether it answers as the run does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mistraltune.errors import ConfigError
from mistraltune.exporting.agreement import Watch, answers, compare_answers
from mistraltune.exporting.making import Export, Record, make_export
from mistraltune.exporting.prompts import Prompts
from mistraltune.exporting.records import source_identity
from mistraltune.registry import get_exporting_backend
from mistraltune.results import ModelRef


def merge_run(ref: ModelRef, folder: Path, *, dtype: str, prompts: Prompts, watch: Watch) -> Export:
    """Merge the adapter of `ref` into a 16-bit reload of its base, as the model directory `folder`.

    Args:
        ref: A base with an adapter.
        folder: Where the model goes; it appears whole or not at all.
        dtype: `bfloat16` or `float16`.
        prompts: Both models answer these greedily.
        watch: Hears of the progress.

    Raises:
        ConfigError: `ref` cannot be merged, or something else lies in `folder`.
        TemporaryError: The disk is too small.
    """
    backend = get_exporting_backend(ref.backend)
    if not ref.adapter:
        raise ConfigError(f"{ref} has no adapter to merge", hint="name a finished run or an adapter directory")

    def write(staging: Path) -> Record:
        watch(f"merging into {dtype} weights", 0, 0)
        backend.merge(ref, staging, dtype=dtype)
        return {"agreement": agreements(ref, staging, prompts, watch)}

    def ask(record: Record) -> list[dict[str, Any]]:
        return agreements(ref, folder, prompts, watch)

    identity = {"kind": "merge", "dtype": dtype, "source": source_identity(ref)}
    return make_export(folder, identity, prompts=prompts, write=write, ask=ask)


def agreements(ref: ModelRef, folder: Path, prompts: Prompts, watch: Watch) -> list[dict[str, Any]]:
    """How the merged model in `folder` agrees with the adapter, on each base that the adapter is loaded with."""
    if not prompts.conversations:
        return []
    backend = get_exporting_backend(ref.backend)
    merged_ref = ModelRef(backend=ref.backend, model=str(folder))
    merged = answers(partial(backend.chat_model, merged_ref), prompts, name="the merged model", watch=watch)
    held = {"the adapter on the 16-bit base": ref.model_copy(update={"quantization": "none"})}
    if ref.quantization != "none":
        held[f"the adapter on the {ref.quantization} base that it was trained on"] = ref
    found = []
    for name, held_ref in held.items():
        theirs = answers(partial(backend.chat_model, held_ref), prompts, name=name, watch=watch)
        figures = compare_answers(merged, theirs).figures()
        found.append({"compared_with": name, "quantization": held_ref.quantization, **figures})
    return found
