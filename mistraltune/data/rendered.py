"""A conversation as a model reads it, and what every renderer must refuse or know of a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mistraltune.data.conversation import Conversation, Message
from mistraltune.errors import DataError


@dataclass(frozen=True, slots=True)
class Rendered:
    """One sequence as a model reads it.

    Attributes:
        token_ids: The sequence, beginning-of-sequence token included.
        loss_mask: As long as `token_ids`; True where the token is trained.
    """

    token_ids: list[int]
    loss_mask: list[bool]

    @property
    def num_trained_tokens(self) -> int:
        """How many tokens carry loss."""
        return sum(self.loss_mask)


class RowError(DataError):
    """A row that a model cannot be trained on or asked with.

    Attributes:
        rule: Short id, such as `tokenizer-drops`.
        reason: What is wrong; `message` is the row's name and this.
    """

    def __init__(self, conversation: Conversation, rule: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{conversation.source}: {reason}" if conversation.source else reason, hint=hint)
        self.rule = rule
        self.reason = reason


def check_text(conversation: Conversation) -> None:
    """Refuse text that no tokenizer can hold: half of a surrogate pair, which tokenizers replace silently.

    Raises:
        RowError: `half-character`.
    """
    for number, message in enumerate(conversation.messages, start=1):
        try:
            for text in _texts(message):
                text.encode()
        except UnicodeEncodeError as error:
            reason = f"message {number} ({message.role}) holds half of a surrogate pair, which is no text"
            hint = "write the whole character, or leave it out"
            raise RowError(conversation, "half-character", reason, hint=hint) from error


def _texts(message: Message) -> Iterator[str]:
    yield message.content
    for call in message.tool_calls:
        yield call.arguments


def turn_starts(messages: Sequence[Message]) -> list[int]:
    """Index of each turn's first message: a user message that no user message precedes, or an opening greeting.

    System messages neither begin nor part a turn; those before the first turn belong to none.
    """
    starts: list[int] = []
    previous = ""
    for index, message in enumerate(messages):
        if message.role == "system":
            continue
        if not previous or (message.role == "user" and previous != "user"):
            starts.append(index)
        previous = message.role
    return starts
