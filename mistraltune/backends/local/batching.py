"""Conversations to tensors: the sequences of one micro-step end to end, cut into passes of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import pad

from mistraltune.backends.local.packing import pack
from mistraltune.data.conversation import Conversation
from mistraltune.data.rendered import Rendered
from mistraltune.interfaces import Renderer

IGNORED = -100
"""Label of a token that is not trained (torch's cross-entropy convention)."""

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class ConversationCollator:
    """Renders the rows of a micro-step when they are needed, so that training holds no tokenised data set.

    Attributes:
        conversations: The data set; a row of the trainer is an index into it.
        renderer: Tokenizer and template.
        pass_length: See `lay_out`.
    """

    conversations: Sequence[Conversation]
    renderer: Renderer
    pass_length: int

    def __call__(self, rows: Sequence[dict[str, int]]) -> Batch:
        """The batch of `lay_out`."""
        rendered = [sequence for row in rows for sequence in self.renderer.render(self.conversations[row["row"]])]
        return lay_out(rendered, pass_length=self.pass_length)


def lay_out(sequences: Sequence[Rendered], *, pass_length: int) -> Batch:
    """Sequences end to end on one line, in the order in which they share passes through the model.

    Args:
        sequences: Those of one micro-step; none make an empty batch without passes.
        pass_length: Tokens of one pass through the model; 1 gives each sequence a pass of its own. A longer sequence
            has a pass to itself, or with others where an even longer one set the length.

    Returns:
        `input_ids` and `labels`, int64 of shape (1, tokens); `sequence_lengths`, int64 of shape (sequences), in tokens;
        `pass_sizes`, int64 of shape (passes), in sequences. No token is a fill.
    """
    passes = pack([len(sequence.token_ids) for sequence in sequences], pass_length)
    line = [sequences[index] for one_pass in passes for index in one_pass]
    return {
        "input_ids": torch.tensor([[token for sequence in line for token in sequence.token_ids]], dtype=torch.int64),
        "labels": torch.tensor([[label for sequence in line for label in labels(sequence)]], dtype=torch.int64),
        "sequence_lengths": torch.tensor([len(sequence.token_ids) for sequence in line], dtype=torch.int64),
        "pass_sizes": torch.tensor([len(one_pass) for one_pass in passes], dtype=torch.int64),
    }


def split_passes(batch: Batch) -> Iterator[dict[str, Any]]:
    """What the model is called with, pass by pass.

    Yields:
        `input_ids`, `labels` and `position_ids` of shape (1, tokens of the pass), positions restarting with each
        sequence, and where sequences begin and end, in the words that transformers' attention knows: `cu_seq_lens_q`
        and `cu_seq_lens_k`, int32 of shape (sequences + 1), `max_length_q` and `max_length_k`.
    """
    lengths = batch["sequence_lengths"].tolist()
    bounds = [0, *batch["pass_sizes"].cumsum(0).tolist()]
    begin = 0
    for first, last in pairwise(bounds):
        sizes = torch.tensor(lengths[first:last])
        end = begin + int(sizes.sum())
        device = batch["input_ids"].device
        cumulative = pad(sizes.cumsum(0, dtype=torch.int32), (1, 0)).to(device)
        positions = torch.cat([torch.arange(size) for size in sizes.tolist()])
        yield {
            "input_ids": batch["input_ids"][:, begin:end],
            "labels": batch["labels"][:, begin:end],
            "position_ids": positions[None].to(device),
            "cu_seq_lens_q": cumulative,
            "cu_seq_lens_k": cumulative,
            "max_length_q": int(sizes.max()),
            "max_length_k": int(sizes.max()),
        }
        begin = end


def labels(sequence: Rendered) -> list[int]:
    """The token where it is trained, else IGNORED; never at the first token, which nothing in its sequence predicts."""
    trained = zip(sequence.token_ids, sequence.loss_mask, strict=True)
    return [IGNORED, *(token if mask else IGNORED for token, mask in list(trained)[1:])]


def as_dataset(conversations: Sequence[Conversation]) -> Any:
    """A `datasets.Dataset` of row numbers, the form in which SFTTrainer takes a data set of any size."""
    from datasets import Dataset

    return Dataset.from_dict({"row": range(len(conversations))})
