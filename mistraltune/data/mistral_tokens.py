"""The tokens of a Mistral tokenizer: control tokens by their meaning, and text to and from all others."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.base import Tokenizer

BLOCKS_SINCE = {"INST": 2, "AVAILABLE_TOOLS": 2, "TOOL_RESULTS": 2, "SYSTEM_PROMPT": 7, "MODEL_SETTINGS": 15}
"""Each block with the first tokenizer version that has it."""


class Block(NamedTuple):
    """The control tokens that enclose something the model reads."""

    opening: int
    closing: int


class MistralTokens:
    """What a rendering needs to know of a tokenizer's tokens.

    Attributes:
        version: 1 for `v1` and so on.
        bos: The beginning-of-sequence token.
        eos: The end-of-sequence token, `</s>`, which ends an answer.
        blocks: The blocks that the model reads and does not write, by the name of their control tokens.
        closing: Of each token that opens a block, the one that closes it.
        borders: All of those, and `eos`.
        tool_calls: `[TOOL_CALLS]`; None where the version has no such token, likewise the next two.
        call_id: `[CALL_ID]`.
        args: `[ARGS]`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces = _BytePieces(tokenizer) if hasattr(tokenizer, "id_to_byte_piece") else None
        self.version = int(tokenizer.version.value.removeprefix("v"))
        self.bos = int(tokenizer.bos_id)
        self.eos = int(tokenizer.eos_id)
        self.blocks = {
            name: Block(opening=self._special(f"[{name}]"), closing=self._special(f"[/{name}]"))
            for name, since in BLOCKS_SINCE.items()
            if self.version >= since
        }
        self.closing = {block.opening: block.closing for block in self.blocks.values()}
        self.borders = {self.eos, *self.closing, *self.closing.values()}
        self.tool_calls = self._special("[TOOL_CALLS]") if self.version >= 2 else None
        self.call_id = self._special("[CALL_ID]") if self.version >= 11 else None
        self.args = self._special("[ARGS]") if self.version >= 11 else None

    def encode(self, text: str) -> list[int]:
        """The tokens of a text alone."""
        return self._tokenizer.encode(text, bos=False, eos=False)

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        if skip_special_tokens:
            return self._tokenizer.decode(list(token_ids))
        parts: list[str] = []
        for is_special, tokens in itertools.groupby(token_ids, key=self._tokenizer.is_special):
            run = list(tokens)
            parts.extend(map(self._tokenizer.id_to_piece, run) if is_special else [self._tokenizer.decode(run)])
        return "".join(parts)

    def text_of(self, token_ids: list[int]) -> str:
        """`decode` for tokens of whole texts: for Tekken, mistral-common's own takes as long as encoding."""
        if self._pieces is None:
            return self._tokenizer.decode(token_ids)
        return b"".join(map(self._pieces.__getitem__, token_ids)).decode(errors="replace")

    def are(self, token_ids: list[int], text: str) -> bool:
        """Whether `token_ids` are `text`. Decoding is cheap, but SentencePiece reads U+2581 back as a space."""
        return self.text_of(token_ids) == text or token_ids == self.encode(text)

    def _special(self, text: str) -> int:
        return int(self._tokenizer.get_special_token(text))


class _BytePieces(dict[int, bytes]):
    """The bytes of each token that was asked for, none for a special one."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __missing__(self, token: int) -> bytes:
        piece: bytes = self._tokenizer.id_to_byte_piece(token)
        self[token] = piece
        return piece
