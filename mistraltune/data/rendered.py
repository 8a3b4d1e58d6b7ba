"""A conversation as a model reads it, and what every renderer must refuse or know of a row."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.findings import Finding
from mistraltune.errors import DataError

_SPAN_END = re.compile(b"\1\0", re.DOTALL)  # in a loss mask as bytes


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


def check_rendered(
    sequences: Sequence[Rendered],
    conversation: Conversation,
    *,
    bos_id: int | None = None,
    end_ids: Collection[int] = (),
) -> None:
    """Refuse a rendered row that would train nothing, or something other than whole answers.

    Args:
        sequences: What the row was rendered to.
        conversation: The row, for its name.
        bos_id: The beginning-of-sequence token, if the tokenizer has one.
        end_ids: Tokens of which one must end every trained span; without any, spans are not looked at.

    Raises:
        RowError: No token is trained, a trained span has no trained end, or the beginning of sequence is doubled.
    """
    if not any(any(sequence.loss_mask) for sequence in sequences):
        hint = "give an assistant message weight 1, or leave the row out"
        raise RowError(conversation, "nothing-trained", "no token of this row is trained", hint=hint)
    for sequence in sequences:
        if bos_id is not None and sequence.token_ids[:2] == [bos_id] * 2:
            raise RowError(conversation, "doubled-bos", "the beginning-of-sequence token is doubled")
        if end_ids and not _ends_are_trained(sequence, end_ids):
            raise RowError(conversation, "untrained-end", "an answer is trained without the token that ends it")


def as_finding(error: RowError, conversation: Conversation, *, row: int) -> Finding:
    """The finding that `error` is, at the place that the conversation names, else at row `row`, counted from 0."""
    file, _, line = conversation.source.rpartition(":")
    if not line.isdecimal():
        file, line = conversation.source or "row", str(row + 1)
    return Finding(file=file, line=int(line), rule=error.rule, message=error.reason, hint=error.hint)


def _ends_are_trained(sequence: Rendered, end_ids: Collection[int]) -> bool:
    """Whether every trained token that no trained token follows is one of `end_ids`."""
    marks = bytes(sequence.loss_mask) + b"\0"
    return all(sequence.token_ids[end.start()] in end_ids for end in _SPAN_END.finditer(marks))


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
