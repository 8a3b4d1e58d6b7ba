"""Every answer of every conversation as a row of its own, with the history that it had in the file."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from mistraltune.data.conversation import Conversation
from mistraltune.data.row_view import RowView


class Place(NamedTuple):
    """Where an answer stands.

    Attributes:
        row: Its conversation, counted from 1.
        turn: Which answer of the conversation, counted from 1.
    """

    row: int
    turn: int


class TurnRows(RowView):
    """The answers of conversations, each as a conversation that ends with it; holds 24 bytes an answer.

    An answer of weight 0 is history alone: it is not what the model shall say. So is an opening that answers nothing.
    `references` belong to the last answer. A conversation without any answer comes once, as it is.

    Attributes:
        num_left_out: Answers of weight 0, or to nothing.
    """

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self._conversations = conversations
        self._rows, self._ends, self._turns = array("Q"), array("Q"), array("Q")
        self.num_left_out = 0
        for row, conversation in enumerate(conversations):
            answers = list(answer_indices(conversation))
            num_answers = sum(message.role == "assistant" for message in conversation.messages)
            self.num_left_out += num_answers - len(answers)
            for turn, end in enumerate(answers or [len(conversation.messages) - 1], start=1):
                self._rows.append(row)
                self._ends.append(end)
                self._turns.append(turn)

    def place(self, index: int) -> Place:
        """Where the answer at `index` stands."""
        return Place(self._rows[index] + 1, self._turns[index])

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, position: int) -> Conversation:
        """The conversation up to the answer at `position`."""
        conversation = self._conversations[self._rows[position]]
        end = self._ends[position]
        if end == len(conversation.messages) - 1:
            return conversation
        is_last = end == conversation.last_assistant_index
        references = conversation.references if is_last else ()
        return replace(conversation, messages=conversation.messages[: end + 1], references=references)


def answer_indices(conversation: Conversation) -> Iterator[int]:
    """Places of the assistant messages that answer something and are trained."""
    is_asked = False
    for index, message in enumerate(conversation.messages):
        if message.role == "assistant" and is_asked and message.weight:
            yield index
        is_asked = is_asked or message.role in ("user", "tool")
