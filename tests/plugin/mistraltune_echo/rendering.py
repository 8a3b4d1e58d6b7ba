"""Conversations as characters: a token is a code point."""

from __future__ import annotations

from collections.abc import Sequence

from mistraltune.data.conversation import Conversation, ToolCall
from mistraltune.data.rendered import Rendered

BOS, EOS = 2, 3  # control characters that mean the start and the end of text


class CharacterRenderer:
    """One line a message; assistant messages are trained, the end after each of them included."""

    fingerprint = "characters-1"
    bos_id = BOS
    end_ids = (EOS,)

    def render(self, conversation: Conversation) -> list[Rendered]:
        token_ids, loss_mask = [BOS], [False]
        for message in conversation.messages:
            is_trained = message.role == "assistant" and message.weight == 1
            piece = [*map(ord, message.content), EOS if message.role == "assistant" else ord("\n")]
            token_ids += piece
            loss_mask += [is_trained] * len(piece)
        return [Rendered(token_ids, loss_mask)]

    def prompt(self, conversation: Conversation) -> list[int]:
        return self.render(conversation.prompt)[0].token_ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        return "".join(chr(token) for token in token_ids if not (skip_special_tokens and token in (BOS, EOS)))

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        return self.decode(token_ids), ()
