"""Conversations to tensors: the rows of one micro-step, packed end to end without seeing each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mistraltune.data.conversation import Conversation
from mistraltune.data.rendered import Rendered
from mistraltune.interfaces import Renderer

IGNORED = -100
"""Label of a token that is not trained (torch's cross-entropy convention)."""


@dataclass(frozen=True)
class ConversationCollator:
    """Renders the rows of a micro-step when they are needed, so that training holds no tokenised data set.

    Attributes:
        conversations: The data set; a row of the trainer is an index into it.
        renderer: Tokenizer and template.
        packing: Lay sequences end to end instead of padding each of them.
    """

    conversations: Sequence[Conversation]
    renderer: Renderer
    packing: bool

    def __call__(self, rows: Sequence[dict[str, int]]) -> dict[str, torch.Tensor]:
        """The batch of `lay_out`."""
        rendered = [sequence for row in rows for sequence in self.renderer.render(self.conversations[row["row"]])]
        return lay_out(rendered, packing=self.packing)


def lay_out(sequences: Sequence[Rendered], *, packing: bool) -> dict[str, torch.Tensor]:
    """Sequences as one batch whose lines are as long as the longest sequence.

    Returns:
        `input_ids`, `labels` and `position_ids`, int64 of shape (lines, longest sequence), and `num_tokens`, int64 of
        shape (1,), which counts the tokens without the fill.

    With packing, first-fit decreasing fills a line with several sequences. Positions restart at 0 with each sequence;
    transformers reads that as the border which attention does not cross (`find_packed_sequence_indices`). Fill tokens
    stand at position 0 each, so they are sequences of their own, and are never trained.
    """
    width = max(len(sequence.token_ids) for sequence in sequences)
    lines = pack(sequences, width) if packing else [[sequence] for sequence in sequences]
    batch: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
    for line in lines:
        token_ids = [token for sequence in line for token in sequence.token_ids]
        fill = width - len(token_ids)
        batch["input_ids"].append(token_ids + [0] * fill)
        batch["labels"].append([label for sequence in line for label in labels(sequence)] + [IGNORED] * fill)
        positions = [position for sequence in line for position in range(len(sequence.token_ids))]
        batch["position_ids"].append(positions + [0] * fill)
    num_tokens = torch.tensor([sum(len(sequence.token_ids) for sequence in sequences)])
    return {**{name: torch.tensor(values) for name, values in batch.items()}, "num_tokens": num_tokens}


def pack(sequences: Sequence[Rendered], width: int) -> list[list[Rendered]]:
    """Sequences on as few lines of `width` tokens as first-fit decreasing finds."""
    lines: list[list[Rendered]] = []
    room: list[int] = []
    for sequence in sorted(sequences, key=lambda sequence: -len(sequence.token_ids)):
        length = len(sequence.token_ids)
        fitting = next((i for i, free in enumerate(room) if free >= length), None)
        if fitting is None:
            lines.append([sequence])
            room.append(width - length)
        else:
            lines[fitting].append(sequence)
            room[fitting] -= length
    return lines


def labels(sequence: Rendered) -> list[int]:
    """The token where it is trained, else IGNORED; never at the first token, which nothing in its sequence predicts."""
    trained = zip(sequence.token_ids, sequence.loss_mask, strict=True)
    return [IGNORED, *(token if mask else IGNORED for token, mask in list(trained)[1:])]


def as_dataset(conversations: Sequence[Conversation]) -> Any:
    """A `datasets.Dataset` of row numbers, the form in which SFTTrainer takes a data set of any size."""
    from datasets import Dataset

    return Dataset.from_dict({"row": range(len(conversations))})
