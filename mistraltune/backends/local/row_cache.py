"""The keys and values of a batch whose rows come and go: nothing is copied to add a token, only to move a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache, DynamicCache, DynamicLayer

SPARE_COLUMNS = 64
"""Tokens that a batch generates before its keys and values are moved back to the front of their buffers."""


@dataclass(slots=True)
class Window:
    """What of its buffers a batch is using.

    Attributes:
        num_places: Rows that the buffers have room for.
        num_columns: Tokens that each row has room for.
        num_rows: Places in use, the first ones.
        width: Tokens of the longest row.
        end: The column where all rows end, and where the next forward pass writes one token of each.
    """

    num_places: int
    num_columns: int
    num_rows: int
    width: int
    end: int


class RowCache(Cache):  # type: ignore[misc]
    """Keys and values of the rows of a batch, in buffers of (places, heads, columns, head size) for each layer.

    A row that is shorter than the longest has foreign columns on its left, which the attention mask hides.

    Args:
        num_layers: Layers of the model.
        num_places: The most rows that the batch has at a time.
        longest: The most tokens that a row has at a time.
    """

    def __init__(self, *, num_layers: int, num_places: int, longest: int) -> None:
        self.longest = longest
        self.window = Window(num_places, longest + SPARE_COLUMNS, num_rows=0, width=0, end=longest)
        super().__init__(layers=[RowLayer(self.window) for _ in range(num_layers)])

    def join(self, prefilled: DynamicCache, lengths: Sequence[int]) -> None:
        """Append rows, of which each has `lengths` tokens in `prefilled` and is padded on the right there."""
        first, end = self.window.num_rows, self.window.end
        for layer, source in zip(self.layers, prefilled.layers, strict=False):  # a cache without tokens has no layers
            layer.ensure_buffers(source.keys, source.values)
            for row, length in enumerate(lengths):
                layer.keys[first + row, :, end - length : end] = source.keys[row, :, :length]
                layer.values[first + row, :, end - length : end] = source.values[row, :, :length]
        self.window.num_rows += len(lengths)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, which then fill the first places in the order given."""
        moves = [(place, row) for place, row in enumerate(rows) if place != row]
        start, end = self.window.end - self.window.width, self.window.end
        for buffer in self.buffers() if moves else []:
            places, moved = torch.tensor(moves, device=buffer.device).T
            buffer[places, :, start:end] = buffer[moved, :, start:end]
        self.window.num_rows = len(rows)

    def open_column(self, *, width: int) -> None:
        """Make room for the next token of each row; the longest has `width` tokens so far."""
        self.window.width = width
        if self.window.end == self.window.num_columns:
            for buffer in self.buffers():
                rows = buffer[: self.window.num_rows]
                rows[:, :, self.longest - width : self.longest] = rows[:, :, self.window.end - width :].clone()
            self.window.end = self.longest

    def close_column(self) -> None:
        """Count the token that the forward pass has written."""
        self.window.end += 1
        self.window.width += 1

    def buffers(self) -> list[torch.Tensor]:
        """Keys and values of all layers."""
        return [buffer for layer in self.layers if layer.is_initialized for buffer in (layer.keys, layer.values)]


class RowLayer(DynamicLayer):  # type: ignore[misc]
    """One layer of a RowCache, which shares its window."""

    is_initialized: bool

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def ensure_buffers(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Allocate, once, for keys and values like these; zeros, as a hidden column counts 0 times what it holds."""
        if not self.is_initialized:
            self.keys, self.values = (
                states.new_zeros(self.window.num_places, states.shape[1], self.window.num_columns, states.shape[3])
                for states in (keys, values)
            )
            self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Called by the model: keep the rows' new token, return all that it may attend to."""
        self.ensure_buffers(key_states, value_states)
        num_rows, start, end = self.window.num_rows, self.window.end - self.window.width, self.window.end
        self.keys[:num_rows, :, end] = key_states[:, :, 0]
        self.values[:num_rows, :, end] = value_states[:, :, 0]
        return self.keys[:num_rows, :, start : end + 1], self.values[:num_rows, :, start : end + 1]

    def get_seq_length(self) -> int:
        """Columns before the one that the forward pass writes; masks are built from it."""
        return self.window.width

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that are attended to, and where they begin."""
        return self.window.width + query_length, 0
