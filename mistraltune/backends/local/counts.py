"""What a process has seen since it last told of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch


@dataclass
class Counts:
    """What this process has seen since the last log.

    Attributes:
        tokens: All tokens.
        trained: Those that carry loss.
        correct: Those of them that were the model's first choice, a tensor without dimensions.
    """

    tokens: int = 0
    trained: int = 0
    correct: torch.Tensor = field(default_factory=lambda: torch.tensor(0))
