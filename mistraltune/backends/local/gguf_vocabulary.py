"""A model's tokenizer as a GGUF file says it: tokens, scores, merges, special ids; and how tokens are spelled."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mistraltune.errors import ConfigError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Kinds of tokens in a GGUF file."""

SPACE = "\u2581"
"""What SentencePiece writes for a space."""

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
_GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"


@dataclass(frozen=True)
class Vocabulary:
    """All that a GGUF file says of a tokenizer.

    Attributes:
        kind: `llama` is SentencePiece's BPE, `gpt2` BPE on bytes.
        pre: How llama.cpp splits a text before it merges; empty for SentencePiece.
        tokens: Their text, as the file writes it.
        scores: Of SentencePiece, by which it merges; empty otherwise.
        types: The kind of each token.
        merges: Of BPE on bytes, the first one first; empty otherwise.
        special_ids: `bos`, `eos`, `unk` and `pad`, as far as they exist.
        adds_bos: Whether llama.cpp puts the beginning-of-sequence token before a prompt, which then must not spell it.
    """

    kind: Literal["llama", "gpt2"]
    pre: str
    tokens: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    merges: Sequence[str]
    special_ids: dict[str, int]
    adds_bos: bool

    def padded(self, num_tokens: int, *, name: str) -> Vocabulary:
        """With unused tokens up to the number of rows of the model's embeddings.

        Raises:
            ConfigError: The model has fewer rows than the tokenizer has tokens.
        """
        missing = num_tokens - len(self.tokens)
        if missing < 0:
            raise ConfigError(f"{name}: its tokenizer has {len(self.tokens):,} tokens, its embeddings {num_tokens:,}")
        return replace(
            self,
            tokens=[*self.tokens, *(f"[PAD{index}]" for index in range(len(self.tokens), num_tokens))],
            types=[*self.types, *[UNUSED] * missing],
            scores=[*self.scores, *[-10_000.0] * missing] if self.scores else (),
        )

    def spell(self, token_ids: Iterable[int]) -> str:
        """The text that llama.cpp reads back as these tokens: control tokens by name, each space written.

        SentencePiece puts a space before a text that begins, which a decoder leaves out; it is a part of the token, so
        that a file which says `add_space_prefix: false` must have it in its prompts.
        """
        ids = list(token_ids)
        if self.adds_bos and ids[:1] == [self.special_ids.get("bos")]:
            ids = ids[1:]
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; a control token's name."""
        text = self.tokens[token]
        if self.types[token] in (CONTROL, USER_DEFINED, UNKNOWN):
            return text.encode()
        if self.kind == "gpt2":
            return bytes(self._alphabet[char] for char in text)
        if self.types[token] == BYTE and (found := _BYTE_TOKEN.fullmatch(text)):
            return bytes([int(found[1], 16)])
        return text.replace(SPACE, " ").encode()

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        from transformers.convert_slow_tokenizer import bytes_to_unicode

        return {char: byte for byte, char in bytes_to_unicode().items()}

    def write(self, writer: Any) -> None:
        """Put it into a GGUF file."""
        writer.add_tokenizer_model(self.kind)
        if self.pre:
            writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.scores:
            writer.add_token_scores(self.scores)
        if self.merges:
            writer.add_token_merges(self.merges)
        for name, token in self.special_ids.items():
            getattr(writer, f"add_{name}_token_id")(token)
        writer.add_add_bos_token(self.adds_bos)
        writer.add_add_eos_token(False)
        writer.add_add_space_prefix(False)


def read_vocabulary(folder: Path, *, name: str) -> Vocabulary:
    """The vocabulary of the tokenizer by which a model directory is rendered (as `load_renderer` picks it).

    Raises:
        ConfigError: A GGUF file cannot say this tokenizer; the message names what is not known.
    """
    tekken = folder / "tekken.json"
    versioned = sorted(folder.glob("tokenizer.model.v*"))
    if tekken.is_file() or versioned:
        return read_mistral(tekken if tekken.is_file() else versioned[-1])
    if (folder / "tokenizer.json").is_file():
        return read_bpe(folder, name=name)
    raise ConfigError(f"{name} has no tokenizer.json, tekken.json or tokenizer.model.vN, which GGUF is written from")


def read_mistral(file: Path) -> Vocabulary:
    """Mistral's own tokenizers, as gguf reads them from a folder that holds nothing else."""
    import gguf

    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / file.name).symlink_to(file.resolve())
        vocabulary = gguf.MistralVocab(Path(scratch))
        entries = list(vocabulary.all_tokens())
        is_tekken = vocabulary.gguf_tokenizer_model == "gpt2"
        merges = vocabulary.extract_vocab_merges_from_model() if is_tekken else ()
    special_ids = {"bos": vocabulary.bos_id, "eos": vocabulary.eos_id, "unk": vocabulary.unk_id}
    if vocabulary.tokenizer.pad_id >= 0:
        special_ids["pad"] = vocabulary.tokenizer.pad_id
    return Vocabulary(
        kind="gpt2" if is_tekken else "llama",
        pre="tekken" if is_tekken else "",
        tokens=[text.decode() for text, _, _ in entries],
        scores=() if is_tekken else [float(score) for _, score, _ in entries],
        types=[int(kind) for _, _, kind in entries],
        merges=merges,
        special_ids={key: int(token) for key, token in special_ids.items()},
        adds_bos=True,
    )


def read_bpe(folder: Path, *, name: str) -> Vocabulary:
    """BPE on bytes, from `tokenizer.json`.

    Raises:
        ConfigError: It is something else, or splits texts in a way that is not known here.
    """
    from mistraltune.backends.local.loading import load_tokenizer

    tokenizer = load_tokenizer(folder)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    model = content["model"]
    pre = find_splitting(content)
    if model["type"] != "BPE" or model.get("byte_fallback") or content["normalizer"] or not pre:
        raise ConfigError(
            f"{name} cannot be written as GGUF: its tokenizer.json splits or normalises texts as no known one",
            hint="add Mistral's own tokenizer file (tekken.json, tokenizer.model.vN), or use llama.cpp's converter",
        )
    added = {token["id"]: token for token in content["added_tokens"]}
    tokens = {number: text for text, number in model["vocab"].items()} | {
        number: token["content"] for number, token in added.items()
    }
    size = max(tokens) + 1
    kinds = {number: CONTROL if token["special"] else USER_DEFINED for number, token in added.items()}
    numbers = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "unk": tokenizer.unk_token_id}
    return Vocabulary(
        kind="gpt2",
        pre=pre,
        tokens=[tokens.get(number, f"[PAD{number}]") for number in range(size)],
        scores=(),
        types=[kinds.get(number, NORMAL if number in tokens else UNUSED) for number in range(size)],
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]],
        special_ids={key: token for key, token in numbers.items() if token is not None}
        | ({"pad": tokenizer.pad_token_id} if tokenizer.pad_token_id is not None else {}),
        adds_bos=tokenizer.bos_token_id in tokenizer("a")["input_ids"][:1],
    )


def find_splitting(content: dict[str, Any]) -> str:
    """llama.cpp's name for how a `tokenizer.json` splits texts; empty where it has none that is known here."""
    splitter = content["pre_tokenizer"] or {}
    steps = [
        {key: step[key] for key in (*_GPT2, *_DIGITS, "pattern") if key in step}
        for step in (splitter["pretokenizers"] if splitter.get("type") == "Sequence" else [splitter])
    ]
    if steps == [_GPT2]:
        return "gpt-2"
    if steps == [_DIGITS, _GPT2]:
        return "smollm"
    patterns = [step["pattern"].get("Regex", "") for step in steps if step.get("type") == "Split"]
    return "llama-bpe" if len(patterns) == 1 and patterns[0].startswith(_LLAMA3) else ""
