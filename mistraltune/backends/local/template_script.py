"""A conversation as its chat template writes it, and that text as tokens, its control tokens the template's alone."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mistraltune.data.conversation import Conversation
from mistraltune.data.rendered import RowError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OTHER_MODEL = "mend the row, or take a model whose template can hold it"
"""The hint of a row that the template cannot hold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an assistant message stands in a script, in characters, its end-of-turn token included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation as its template renders it.

    Attributes:
        messages: What the template was given, control tokens that a message spells disguised as single characters.
        tools: Likewise.
        text: What the template made of them.
        disguised: What each of those characters stands for, by code point; mostly empty.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    text: str
    disguised: dict[int, str]

    def spell(self, text: str) -> str:
        """`text` with the disguised control tokens spelled out."""
        return text.translate(self.disguised)


class Tokens:
    """A tokenised script, run by run.

    Attributes:
        texts: The script, split at its control tokens: text, control token, text, ..., text.
        runs: The tokens of each of them.
        ids: All tokens.
        text_starts: Where each of `texts` begins, in characters.
        token_starts: Where each of `runs` begins, in tokens.
    """

    def __init__(self, texts: list[str], runs: list[list[int]]) -> None:
        self.texts = texts
        self.runs = runs
        self.ids = list(itertools.chain.from_iterable(runs))
        self.text_starts = list(itertools.accumulate(map(len, texts[:-1]), initial=0))
        self.token_starts = list(itertools.accumulate(map(len, runs[:-1]), initial=0))


class ScriptTokenizer:
    """Tokenises scripts, token for token as the tokenizer does, and keeps what a message spells apart.

    Attributes:
        control_ids: The control tokens, by their text.
        control: Finds any of them in a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take over `tokenizer`; `control_ids` is empty where it has no special token."""
        self._tokenizer: Any = tokenizer
        self._bos_id: int | None = tokenizer.bos_token_id
        self.control_ids = control_ids_of(tokenizer)
        longest_first = sorted(self.control_ids, key=len, reverse=True)
        self.control = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def tokenise(self, conversation: Conversation, script: Script) -> Tokens:
        """The script as tokens: in one go, or, where a message spells a control token, text apart from control tokens.

        Raises:
            RowError: The tokenizer has no token for a character, reads text alone unlike text between control tokens,
                or would double the beginning-of-sequence token.
        """
        plain = script.text.translate(dict.fromkeys(script.disguised, " "))
        runs = self._split(self.encode(plain))
        texts = self.control.split(plain)  # text, control token, text, ..., text
        if [self.control_ids[text] for text in texts[1::2]] != [token for run in runs[1::2] for token in run]:
            reason = "the tokenizer cannot write a character, or writes a special token that the template does not have"
            raise RowError(conversation, "tokenizer-refuses", reason, hint=OTHER_MODEL)
        if script.disguised:
            runs[::2] = self._encode_spelled(conversation, script, texts[::2], runs[::2])
            texts = self.control.split(script.text)
        tokens = Tokens(texts, runs)
        if self._bos_id is not None and tokens.ids[:2] == [self._bos_id] * 2:
            reason = "the beginning-of-sequence token would be doubled"
            raise RowError(conversation, "doubled-bos", reason, hint=OTHER_MODEL)
        return tokens

    def _encode_spelled(
        self, conversation: Conversation, script: Script, plain: list[str], plain_runs: list[list[int]]
    ) -> list[list[int]]:
        """The script's runs of text with their control tokens spelled out as text.

        Args:
            conversation: The row.
            script: Its script.
            plain: The runs of text with a space for each of those control tokens.
            plain_runs: Their tokens, as the tokenizer reads them in their place.

        Raises:
            RowError: The tokenizer reads a text alone unlike the same text in its place, so that training and
                inference on this row would not look like those on others.
        """
        spelled = [self._encode_apart(script.spell(text)) for text in self.control.split(script.text)[::2]]
        has_control = any(len(self._split(run)) > 1 for run in spelled)
        if has_control or len(spelled) != len(plain) or [self._encode_apart(text) for text in plain] != plain_runs:
            reason = "a message spells a control token, and this tokenizer cannot keep its text apart from those"
            raise RowError(conversation, "control-token", reason, hint="leave the control token out")
        return spelled

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, in which control tokens are what they spell."""
        token_ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return token_ids

    def _encode_apart(self, text: str) -> list[int]:
        """`text` as plain text, whatever it spells."""
        token_ids: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )["input_ids"]
        return token_ids

    def _split(self, token_ids: Sequence[int]) -> list[list[int]]:
        """Runs of text tokens with the control tokens between them: text, control token, text, ..., text."""
        control_ids = set(self.control_ids.values())
        runs: list[list[int]] = [[]]
        for token in token_ids:
            if token in control_ids:
                runs += [[token], []]
            else:
                runs[-1].append(token)
        return runs

    def token_range(
        self, conversation: Conversation, script: Script, *, tokens: Tokens, place: Place
    ) -> tuple[int, int]:
        """First token of an answer, and the one after its end-of-turn token.

        An answer begins amid a run of text, behind what the template writes between a control token and an answer. The
        run's first tokens must be the prompt's last, or the model would train on a prompt that it is never given.

        Raises:
            RowError: They are not.
        """
        text_starts, token_starts = tokens.text_starts, tokens.token_starts
        run = bisect_right(text_starts, place.start) - 1
        run -= run % 2
        head = tokens.texts[run][: place.start - text_starts[run]]
        if script.disguised:
            prompt_ids = self._encode_apart(script.spell(head))
        else:
            prompt_ids = self.encode(tokens.texts[run - 1] + head)[1:] if run else self.encode(head)
        if tokens.runs[run][: len(prompt_ids)] != prompt_ids:
            reason = "an answer's first characters share a token with the prompt's last ones"
            raise RowError(conversation, "template-prefix", reason, hint="let the answer begin without white space")
        return token_starts[run] + len(prompt_ids), token_starts[bisect_left(text_starts, place.end)]


def control_ids_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The special tokens, by their text. Other added tokens, such as `<think>`, are text that a message may hold."""
    added = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in tokenizer.all_special_tokens}
    return added | named
