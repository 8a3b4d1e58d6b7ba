"""A model directory as GGUF with a Modelfile for Ollama, each checked against the renderer that trained the model."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mistraltune.backends.local.gguf_vocabulary import CONTROL, Vocabulary
from mistraltune.backends.local.gguf_writing import GgufModel, read_back, read_model, write_gguf
from mistraltune.backends.local.loading import load_renderer, load_tokenizer, quiet_libraries
from mistraltune.backends.local.locating import locate
from mistraltune.backends.local.merging import refuse_small_disk
from mistraltune.backends.local.modelfile import SAMPLES, SpellPrompt, count_equal, find_format, write_modelfile
from mistraltune.data.conversation import Conversation
from mistraltune.data.rendering import MistralRenderer
from mistraltune.errors import DataError
from mistraltune.interfaces import Renderer
from mistraltune.publishing import naming_failed_writes, publish_text
from mistraltune.results import ModelRef

MODELFILE = "Modelfile"


def export_gguf(
    ref: ModelRef, folder: Path, *, file_type: str, name: str, prompts: Sequence[Conversation]
) -> dict[str, Any]:
    """Write the model directory of `ref` to `folder` as `model-TYPE.gguf` and `Modelfile`, and check both.

    Returns:
        What was found, JSON-like: `file`; `tensors` as read back; `tokenizer`: how many prompts transformers reads from
        the file as the renderer does; `template`: how many Ollama's template renders as the renderer does.

    Raises:
        ConfigError: The model's layout or tokenizer is none that can be written.
        TemporaryError: The disk is too small, or the file reads back differently.
    """
    quiet_libraries()
    renderer = load_renderer(ref)
    model = read_with_template(ref, renderer, name=name)
    spell_prompt = speller(model, renderer)
    refuse_small_disk(folder, count_bytes(model, file_type))
    file = folder / f"model-{file_type}.gguf"
    with naming_failed_writes(file):
        write_gguf(model, file, file_type=file_type)
    written = read_back(model, file)
    end_texts = [model.vocabulary.tokens[token] for token in renderer.end_ids]
    turns = find_format(spell_prompt, end_texts)
    publish_text(folder / MODELFILE, write_modelfile(name, file.name, turns, end_texts))
    plain = [each for each in prompts if not each.tools and is_of_texts(each)]
    return {
        "file": file.name,
        "tensors": dataclasses.asdict(written),
        "tokenizer": check_tokenizer(file, model.vocabulary, renderer, [*samples(spell_prompt), *prompts]),
        "template": {
            "jinja": bool(model.chat_template),
            "ollama": turns is not None,
            "num_prompts": len(plain),
            "num_same": count_equal(turns, spell_prompt, plain) if turns else 0,
        },
    }


def read_with_template(ref: ModelRef, renderer: Renderer, *, name: str) -> GgufModel:
    """What a GGUF file of the model directory of `ref` will hold, the chat template with it.

    Raises:
        ConfigError: The model's layout or tokenizer is none that can be written.
    """
    source = locate(ref)
    model = read_model(source, name=name)
    return dataclasses.replace(model, chat_template=pick_chat_template(source, renderer, speller(model, renderer)))


def speller(model: GgufModel, renderer: Renderer) -> SpellPrompt:
    """How `renderer`'s prompts are spelled in the vocabulary of a file."""
    return lambda conversation: model.vocabulary.spell(renderer.prompt(conversation))


def count_bytes(model: GgufModel, file_type: str) -> int:
    """Bytes that the weights take in the file."""
    import gguf

    kinds = ((tensor, gguf.GGML_QUANT_SIZES[model.type_of(tensor, file_type)]) for tensor in model.tensors)
    return sum(math.prod(tensor.shape) * size // length for tensor, (length, size) in kinds)


def is_of_texts(conversation: Conversation) -> bool:
    """Whether it holds texts of system, user and assistant alone."""
    return all(message.role != "tool" and not message.tool_calls for message in conversation.messages)


def samples(spell_prompt: SpellPrompt) -> list[Conversation]:
    """The samples that the renderer takes: some formats have no system message."""
    taken = []
    for sample in SAMPLES:
        try:
            spell_prompt(sample)
        except DataError:
            continue
        taken.append(sample)
    return taken


def pick_chat_template(folder: Path, renderer: Renderer, spell_prompt: SpellPrompt) -> str:
    """The Jinja template that says what the renderer says; empty where there is none."""
    from transformers.utils.chat_template_utils import render_jinja_template

    if isinstance(renderer, MistralRenderer):
        template, bos, eos = renderer.chat_template(), "<s>", "</s>"
    else:
        tokenizer = load_tokenizer(folder)
        template, bos, eos = tokenizer.chat_template, tokenizer.bos_token or "", tokenizer.eos_token or ""
    for sample in samples(spell_prompt):
        messages = [{"role": message.role, "content": message.content} for message in sample.messages]
        [text], _ = render_jinja_template(
            conversations=[messages],
            chat_template=template,
            add_generation_prompt=True,
            bos_token=bos,
            eos_token=eos,
        )
        if spell_prompt(sample) not in (text, text.removeprefix(bos)):
            return ""
    return str(template)


def check_tokenizer(
    file: Path, vocabulary: Vocabulary, renderer: Renderer, prompts: Iterable[Conversation]
) -> dict[str, int]:
    """How many prompts a tokenizer that is read from the file reads as the renderer does.

    A prompt in which a person wrote the name of a control token is left out: in a template's text it is that token.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    names = (text for text, kind in zip(vocabulary.tokens, vocabulary.types, strict=True) if kind == CONTROL)
    control = re.compile("|".join(map(re.escape, names)))
    counts = {"num_prompts": 0, "num_same": 0}
    for prompt in prompts:
        if any(control.search(message.content) for message in prompt.messages):
            continue
        token_ids = renderer.prompt(prompt)
        text = vocabulary.spell(token_ids)
        expected = token_ids[1:] if vocabulary.adds_bos else token_ids
        counts["num_prompts"] += 1
        counts["num_same"] += tokenizer(text, add_special_tokens=False)["input_ids"] == expected
    return counts
