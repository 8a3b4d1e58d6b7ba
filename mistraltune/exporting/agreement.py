"""Whether two models say the same: their greedy answers to the same prompts, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import takewhile
from typing import Any, NamedTuple

from mistraltune.exporting.prompts import Prompts
from mistraltune.interfaces import ChatModel, Completion, Sampling

Watch = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""


class Agreement(NamedTuple):
    """How far the answers of two models are the same.

    Attributes:
        num_prompts: Prompts that both answered.
        num_same_answers: Answers that are equal, token for token.
        num_tokens: Tokens of the answers, of the longer one for each prompt.
        num_same_tokens: Those of them before the first difference; after it, greedy answers go their own ways.
    """

    num_prompts: int
    num_same_answers: int
    num_tokens: int
    num_same_tokens: int

    def figures(self) -> dict[str, Any]:
        """Counts and shares, JSON-like; a share of nothing is None."""
        return {
            **self._asdict(),
            "answer_agreement": share(self.num_same_answers, self.num_prompts),
            "token_agreement": share(self.num_same_tokens, self.num_tokens),
        }


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`, to four places."""
    return round(part / whole, 4) if whole else None


def compare_answers(ours: Sequence[Completion], theirs: Sequence[Completion]) -> Agreement:
    """The agreement of two lists of answers to the same prompts."""
    pairs = [(told_tokens(a), told_tokens(b)) for a, b in zip(ours, theirs, strict=True)]
    return Agreement(
        num_prompts=len(pairs),
        num_same_answers=sum(a == b for a, b in pairs),
        num_tokens=sum(max(len(a), len(b)) for a, b in pairs),
        num_same_tokens=sum(sum(1 for _ in takewhile(same, zip(a, b, strict=False))) for a, b in pairs),
    )


def same(pair: tuple[object, object]) -> bool:
    """Whether both are equal."""
    return pair[0] == pair[1]


def told_tokens(completion: Completion) -> Sequence[object]:
    """An answer's tokens; its characters where the backend does not tell tokens."""
    return completion.token_ids or completion.text


def answers(open_model: Callable[[], ChatModel], prompts: Prompts, *, name: str, watch: Watch) -> list[Completion]:
    """Greedy answers of a model that is opened for them and closed again."""
    watch(f"loading {name}", 0, 0)
    with closing(open_model()) as model:
        completions = []
        for completion in model.generate(prompts.conversations, Sampling(max_new_tokens=prompts.max_new_tokens)):
            completions.append(completion)
            watch(f"{name} answers", len(completions), len(prompts.conversations))
    return completions
