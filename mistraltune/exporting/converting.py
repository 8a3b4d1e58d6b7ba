"""`export gguf`: a run or a model as a GGUF file, and whether it answers as the model that it was made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mistraltune.exporting.agreement import Watch, answers, compare_answers
from mistraltune.exporting.making import Export, Record, make_export
from mistraltune.exporting.prompts import Prompts
from mistraltune.exporting.records import source_identity
from mistraltune.registry import get_exporting_backend
from mistraltune.results import ModelRef


def convert(ref: ModelRef, folder: Path, *, file_type: str, prompts: Prompts, watch: Watch) -> Export:
    """Write `ref` as a GGUF file with a Modelfile to the directory `folder`; a run is merged for it first.

    Args:
        ref: A run, an adapter or a model.
        folder: Where the files go; it appears whole or not at all.
        file_type: `bf16`, `q8_0` or `q4_0`.
        prompts: Both models answer these greedily.
        watch: Hears of the progress.

    Raises:
        ConfigError: The model cannot be written as GGUF, which its layout tells before it is merged; or something else
            lies in `folder`.
        TemporaryError: The disk is too small, or the file reads back differently.
    """
    backend = get_exporting_backend(ref.backend)
    identity: dict[str, Any] = {"kind": "gguf", "type": file_type, "source": source_identity(ref)}
    name = (identity["source"].get("run_id") or identity["source"]["model"]).rpartition("/")[2]

    def write(staging: Path) -> Record:
        backend.refuse_unwritable_gguf(ref, name=name)
        with in_16_bit(ref, folder.parent, watch) as source:
            watch(f"writing {file_type}", 0, 0)
            facts = backend.write_gguf(source, staging, file_type=file_type, name=name, prompts=prompts.conversations)
            return {**facts, "agreement": agreement(source, staging / facts["file"], prompts, watch)}

    def ask(record: Record) -> list[dict[str, Any]]:
        with in_16_bit(ref, folder.parent, watch) as source:
            return agreement(source, folder / record["file"], prompts, watch)

    return make_export(folder, identity, prompts=prompts, write=write, ask=ask)


@contextmanager
def in_16_bit(ref: ModelRef, place: Path, watch: Watch) -> Iterator[ModelRef]:
    """The model of `ref` without an adapter: itself, or merged in a folder that goes away again."""
    if not ref.adapter:
        yield ref.model_copy(update={"quantization": "none"})
        return
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".merged.", suffix=".tmp") as scratch:
        watch("merging into bfloat16 weights", 0, 0)
        get_exporting_backend(ref.backend).merge(ref, Path(scratch), dtype="bfloat16")
        yield ModelRef(backend=ref.backend, model=scratch)


def agreement(source: ModelRef, file: Path, prompts: Prompts, watch: Watch) -> list[dict[str, Any]]:
    """How the model of the file agrees with the model that it was made of."""
    if not prompts.conversations:
        return []
    backend = get_exporting_backend(source.backend)
    ours = answers(partial(backend.open_gguf, file, source), prompts, name="the GGUF model", watch=watch)
    name = "the model that it was made of"
    theirs = answers(partial(backend.chat_model, source), prompts, name=name, watch=watch)
    return [{"compared_with": name, "quantization": "none", **compare_answers(ours, theirs).figures()}]
