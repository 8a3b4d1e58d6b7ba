"""Conversations as token ids with loss masks, by mistral-common; the one home of Mistral's own tokenizers."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.mistral_answers import OTHER_TOKENIZER, find_answers
from mistraltune.data.mistral_calls import parse_completion
from mistraltune.data.mistral_request import finetuning_request
from mistraltune.data.mistral_tokens import MistralTokens
from mistraltune.data.rendered import Rendered, RowError, check_text, turn_starts
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.base import Tokenizer
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    AnyMistralTokenizer = MistralTokenizer[Any, Any, Any, Any, Any]

TOKENIZER_NAMES = ("v1", "v2", "v3", "v7", "v7m1", "tekken", "tekken_240718")
"""Tokenizers that mistral-common ships; `tekken` is the newer of its two Tekken files (240911)."""


class MistralRenderer:
    """The Renderer of Mistral tokenizers (`tekken.json`, `tokenizer.model.v*`), token for token mistral-common's.

    Token ids come from mistral-common's finetuning mode; the loss mask is read off the control tokens, and every
    rendering is compared with the messages that it was made from, so that nothing is dropped silently.
    Source: https://github.com/mistralai/mistral-common, `InstructTokenizerV1` to `V15`.

    Attributes:
        bos_id: The beginning-of-sequence token.
        end_ids: Tokens that end an answer.
    """

    def __init__(self, tokenizer: AnyMistralTokenizer) -> None:
        from mistral_common.protocol.instruct.normalize import get_normalizer
        from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

        instruct = _quickened(tokenizer.instruct_tokenizer)
        base: Tokenizer = instruct.tokenizer
        self._file = base.file_path
        self._tokens = MistralTokens(base)
        self._finetuning, self._serving = (
            MistralTokenizer(
                instruct,
                validator=get_validator(base.version, mode=mode),
                request_normalizer=get_normalizer(base.version, base.model_settings_builder),
            )
            for mode in (ValidationMode.finetuning, ValidationMode.test)
        )
        self.bos_id = self._tokens.bos
        self.end_ids: tuple[int, ...] = (self._tokens.eos,)

    @classmethod
    def from_name(cls, name: str) -> MistralRenderer:
        """The renderer of a tokenizer that mistral-common ships (`TOKENIZER_NAMES`).

        Raises:
            ConfigError: No tokenizer has this name.
        """
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

        match name:
            case "v1":
                return cls(MistralTokenizer.v1())
            case "v2":
                return cls(MistralTokenizer.v2())
            case "v3":
                return cls(MistralTokenizer.v3())
            case "v7" | "v7m1":
                return cls(MistralTokenizer.v7(is_mm=name == "v7m1"))
            case "tekken" | "tekken_240718":
                return cls(MistralTokenizer.v3(is_tekken=True, is_mm=name == "tekken"))
        raise ConfigError(f"there is no tokenizer {name!r}", hint=f"tokenizer names: {', '.join(TOKENIZER_NAMES)}")

    @classmethod
    def from_file(cls, path: str | Path) -> MistralRenderer:
        """The renderer of a model directory's own tokenizer file, `tekken.json` or `tokenizer.model.vN`.

        Raises:
            ConfigError: The file is missing, is no Mistral tokenizer, or does not tell its version.
        """
        from mistral_common.exceptions import MistralCommonException
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

        file = Path(path)
        if not file.is_file():
            raise ConfigError(f"there is no tokenizer file {file}")
        if file.suffix == ".model":
            # mistral-common would take it for v1, whatever it is
            raise ConfigError(
                f"{file} does not tell its version",
                hint="Mistral's files are named tekken.json or tokenizer.model.v1, .v2, .v3, .v7",
            )
        try:
            return cls(MistralTokenizer.from_file(file))
        except (MistralCommonException, ValueError, LookupError, AssertionError, RuntimeError, OSError) as error:
            raise ConfigError(f"{file} is no tokenizer that mistral-common can read: {_flat(error)}") from error

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits of the tokenizer file and of rendered samples, which tell mistral-common's templates apart."""
        digest = hashlib.sha256(self._file.read_bytes())
        samples = [_SAMPLE_CHAT] if self._tokens.version == 1 else [_SAMPLE_CHAT, _SAMPLE_TOOL_CHAT]
        token_ids = [rendered.token_ids for sample in samples for rendered in self.render(sample)]
        digest.update(json.dumps(token_ids).encode())
        return digest.hexdigest()

    def chat_template(self) -> str:
        """The tokenizer's format as a Jinja template, for programs that render text: mistral-common's own."""
        from mistral_common.integrations.chat_templates.chat_templates import convert_tokenizer_to_chat_template

        return convert_tokenizer_to_chat_template(self._file)

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss masks of a training row; one sequence, or one per user turn where the row has tools.

        Loss is on assistant messages whose weight is not 0, their end-of-sequence token included. Tokenizers v2, v3
        and both Tekken files write the tools before the last user message only, so each turn of a row with tools
        gets a sequence of its own that trains what follows its last user message. Of turns that train nothing only
        the last is rendered, and only where no other trains anything. From v2 on, spaces that end an answer are left
        out, as mistral-common does.

        Raises:
            RowError: The tokenizer refuses the conversation or would drop or change a part of it.
        """
        check_text(conversation)
        if not conversation.messages or conversation.messages[-1].role != "assistant":
            raise RowError(conversation, "no-answer", "a training row ends with an assistant message")
        if not conversation.tools:
            return [self._render_turns(conversation, end=len(conversation.messages), trained_from=0)]
        return [
            self._render_turns(conversation, end=turn.stop, trained_from=turn.start) for turn in _turns(conversation)
        ]

    def prompt(self, conversation: Conversation) -> list[int]:
        """Token ids after which the model writes the next assistant message.

        Raises:
            RowError: The conversation ends with an assistant message, or the tokenizer refuses or drops a part of it.
        """
        check_text(conversation)
        token_ids = self._encode(conversation, conversation.messages, self._serving)
        # Only to be sure that nothing is lost.
        find_answers(self._tokens, conversation, messages=conversation.messages, token_ids=token_ids)
        return token_ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        return self._tokens.decode(token_ids, skip_special_tokens=skip_special_tokens)

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        """Text and tool calls of a generated completion, read up to its end-of-sequence token.

        Calls that cannot be read stay in the text, control tokens shown.
        """
        return parse_completion(self._tokens, token_ids)

    def _render_turns(self, conversation: Conversation, *, end: int, trained_from: int) -> Rendered:
        """The messages before `end` as one sequence that trains the assistant messages from `trained_from` on."""
        messages = conversation.messages[:end]
        token_ids = self._encode(conversation, messages, self._finetuning)
        loss_mask = [False] * len(token_ids)
        for answer, span in find_answers(self._tokens, conversation, messages=messages, token_ids=token_ids):
            if answer.weight and answer.index >= trained_from:
                loss_mask[span.start : span.stop] = [True] * len(span)
        return Rendered(token_ids, loss_mask)

    def _encode(
        self, conversation: Conversation, messages: Sequence[Message], tokenizer: AnyMistralTokenizer
    ) -> list[int]:
        with _refusing(conversation):
            request = finetuning_request(messages, conversation.tools)
            return list(tokenizer.encode_chat_completion(request).tokens)


def _quickened(instruct: Any) -> Any:
    """A copy of an instruct tokenizer that gives the same tokens and does nothing else.

    mistral-common also decodes each request for its deprecated `text`, and Tekken has tiktoken search each text for
    special tokens, of which it gave it none: both together take as long as the tokens themselves.
    """
    quick = copy.copy(instruct)
    quick.decode = lambda tokens, special_token_policy: ""
    model = getattr(instruct.tokenizer, "_model", None)
    if model and hasattr(model, "encode_ordinary") and not model.special_tokens_set:
        quick.tokenizer = copy.copy(instruct.tokenizer)
        quick.tokenizer.encode = partial(_encode_ordinary, model, instruct.tokenizer)
    return quick


def _encode_ordinary(model: Any, tekken: Any, text: str, bos: bool, eos: bool) -> list[int]:
    num_special = tekken.num_special_tokens
    token_ids = [token + num_special for token in model.encode_ordinary(text)]
    return [*([tekken.bos_id] if bos else []), *token_ids, *([tekken.eos_id] if eos else [])]


def _turns(conversation: Conversation) -> list[range]:
    """Message ranges, each from a turn's first message to its last assistant message, of the turns that train."""
    messages = conversation.messages
    bounds = itertools.pairwise([*turn_starts(messages), len(messages)])
    ends = [(start, [i for i in range(start, stop) if messages[i].role == "assistant"]) for start, stop in bounds]
    turns = [range(start, spoken[-1] + 1) for start, spoken in ends if spoken]
    training = [turn for turn in turns if any(messages[i].weight for i in turn if messages[i].role == "assistant")]
    return training or turns[-1:]


@contextmanager
def _refusing(conversation: Conversation) -> Iterator[None]:
    """Turn what mistral-common raises on a row, its assertions included, into a data error that names the row."""
    from mistral_common.exceptions import MistralCommonException

    try:
        yield
    except (MistralCommonException, ValueError, LookupError, TypeError, AssertionError, RecursionError) as error:
        reason = f"the tokenizer refuses it: {_flat(error)}"
        raise RowError(conversation, "tokenizer-refuses", reason, hint=OTHER_TOKENIZER) from error


def _flat(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_SAMPLE_CHAT = Conversation(
    messages=(
        Message(role="system", content="S"),
        Message(role="user", content="U"),
        Message(role="assistant", content="A"),
        Message(role="user", content="V"),
        Message(role="assistant", content="B"),
    )
)
_SAMPLE_TOOL_CHAT = Conversation(
    messages=(
        Message(role="system", content="S"),
        Message(role="user", content="U"),
        Message(role="assistant", tool_calls=(ToolCall(id="abcdefghi", name="f", arguments="{}"),)),
        Message(role="tool", content="1", tool_call_id="abcdefghi", name="f"),
        Message(role="assistant", content="A"),
    ),
    tools=({"type": "function", "function": {"name": "f", "description": "", "parameters": {}}},),
)
