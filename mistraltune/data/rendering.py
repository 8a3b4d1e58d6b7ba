"""Conversations as token ids with loss masks, by mistral-common; the one home of Mistral's own tokenizers."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.mistral_request import finetuning_request
from mistraltune.data.rendered import Rendered, RowError, check_text, turn_starts
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.base import Tokenizer
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    AnyMistralTokenizer = MistralTokenizer[Any, Any, Any, Any, Any]

TOKENIZER_NAMES = ("v1", "v2", "v3", "v7", "v7m1", "tekken", "tekken_240718")
"""Tokenizers that mistral-common ships; `tekken` is the newer of its two Tekken files (240911)."""

_MERGED_BY = "\n\n"  # mistral-common joins neighbouring messages of one role with an empty line
_OTHER_TOKENIZER = "mend the row, or take a model whose tokenizer can hold it"


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
        self._tokenizer: Tokenizer = instruct.tokenizer
        self._finetuning, self._serving = (
            MistralTokenizer(
                instruct,
                validator=get_validator(self._tokenizer.version, mode=mode),
                request_normalizer=get_normalizer(self._tokenizer.version, self._tokenizer.model_settings_builder),
            )
            for mode in (ValidationMode.finetuning, ValidationMode.test)
        )
        self._version = int(self._tokenizer.version.value.removeprefix("v"))
        self._eos = int(self._tokenizer.eos_id)
        self.bos_id = int(self._tokenizer.bos_id)
        self.end_ids: tuple[int, ...] = (self._eos,)
        self._blocks = self._block_tokens()
        self._closing = {block.opening: block.closing for block in self._blocks.values()}
        self._borders = {self._eos, *self._closing, *self._closing.values()}
        self._pieces = _BytePieces(self._tokenizer) if hasattr(self._tokenizer, "id_to_byte_piece") else None
        self._tool_calls = self._control("[TOOL_CALLS]", since=2)
        self._call_id = self._control("[CALL_ID]", since=11)
        self._args = self._control("[ARGS]", since=11)

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
        digest = hashlib.sha256(self._tokenizer.file_path.read_bytes())
        samples = [_SAMPLE_CHAT] if self._version == 1 else [_SAMPLE_CHAT, _SAMPLE_TOOL_CHAT]
        token_ids = [rendered.token_ids for sample in samples for rendered in self.render(sample)]
        digest.update(json.dumps(token_ids).encode())
        return digest.hexdigest()

    def chat_template(self) -> str:
        """The tokenizer's format as a Jinja template, for programs that render text: mistral-common's own."""
        from mistral_common.integrations.chat_templates.chat_templates import convert_tokenizer_to_chat_template

        return convert_tokenizer_to_chat_template(self._tokenizer.file_path)

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
        self._check_complete(conversation, conversation.messages, token_ids)
        return token_ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        if skip_special_tokens:
            return self._tokenizer.decode(list(token_ids))
        parts: list[str] = []
        for is_special, tokens in itertools.groupby(token_ids, key=self._tokenizer.is_special):
            run = list(tokens)
            parts.extend(map(self._tokenizer.id_to_piece, run) if is_special else [self._tokenizer.decode(run)])
        return "".join(parts)

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        """Text and tool calls of a generated completion, read up to its end-of-sequence token.

        Calls that cannot be read stay in the text, control tokens shown.
        """
        token_ids = list(itertools.takewhile(lambda token: token != self._eos, token_ids))
        if self._tool_calls not in token_ids:
            return self.decode(token_ids), ()
        first_call = token_ids.index(self._tool_calls)
        try:
            calls = self._parse_calls(token_ids[first_call:])
        except (ValueError, LookupError, TypeError, RecursionError):
            return self.decode(token_ids, skip_special_tokens=False), ()
        return self.decode(token_ids[:first_call]), calls

    def _control(self, text: str, *, since: int) -> int | None:
        return int(self._tokenizer.get_special_token(text)) if self._version >= since else None

    def _block_tokens(self) -> dict[str, _Block]:
        """The blocks that the model reads and does not write, by the name of their control tokens."""
        special = self._tokenizer.get_special_token
        return {
            name: _Block(opening=int(special(f"[{name}]")), closing=int(special(f"[/{name}]")))
            for name, since in _BLOCKS_SINCE.items()
            if self._version >= since
        }

    def _render_turns(self, conversation: Conversation, *, end: int, trained_from: int) -> Rendered:
        """The messages before `end` as one sequence that trains the assistant messages from `trained_from` on."""
        messages = conversation.messages[:end]
        token_ids = self._encode(conversation, messages, self._finetuning)
        loss_mask = [False] * len(token_ids)
        for spoken, span in self._check_complete(conversation, messages, token_ids):
            if spoken.weight and spoken.index >= trained_from:
                loss_mask[span.start : span.stop] = [True] * len(span)
        return Rendered(token_ids, loss_mask)

    def _encode(
        self, conversation: Conversation, messages: Sequence[Message], tokenizer: AnyMistralTokenizer
    ) -> list[int]:
        with _refusing(conversation):
            request = finetuning_request(messages, conversation.tools)
            return list(tokenizer.encode_chat_completion(request).tokens)

    def _check_complete(
        self, conversation: Conversation, messages: Sequence[Message], token_ids: list[int]
    ) -> list[tuple[_Spoken, range]]:
        """Every assistant message with the range of its tokens, once it is sure that no message was lost.

        Raises:
            RowError: A message, a tool call or a tool result is missing, or is not what the conversation says.
        """
        spoken = _assistant_messages(messages)
        spans = self._spans_by_length(spoken, token_ids) if self._version == 1 else self._spans_by_block(token_ids)
        if spans is None or len(spans) != len(spoken):
            raise self._lost(conversation, "an assistant message or a tool call")
        for message, span in zip(spoken, spans, strict=True):
            self._check_spoken(conversation, message, token_ids[span.start : span.stop])
        starts, ends = [span.start for span in spans], [span.stop for span in spans]
        gaps = zip([0, *ends], [*starts, len(token_ids)], strict=True)
        self._check_heard(conversation, messages, [token for start, end in gaps for token in token_ids[start:end]])
        return list(zip(spoken, spans, strict=True))

    def _spans_by_block(self, token_ids: list[int]) -> list[range] | None:
        """Ranges of the assistant messages, `</s>` included; None where some text is neither in a block nor ended.

        What stands outside every block is what the model writes. That is "opens after `[/INST]` or after the last
        `[/TOOL_RESULTS]`, closes with `</s>`", and it also holds where a user or system message follows a tool result,
        where a conversation opens with a greeting, and between neighbouring assistant messages of different weight.
        """
        spans: list[range] = []
        start, closing = 1, None
        for index in [index for index, token in enumerate(token_ids) if token in self._borders]:
            token = token_ids[index]
            if closing is not None:
                if token == closing:
                    start, closing = index + 1, None
            elif token == self._eos:
                spans.append(range(start, index + 1))
                start = index + 1
            elif token in self._closing:
                if index != start:
                    return None
                closing = self._closing[token]
        return spans if start == len(token_ids) else None

    def _spans_by_length(self, spoken: Sequence[_Spoken], token_ids: list[int]) -> list[range] | None:
        """Ranges of the assistant messages of v1, which has no control token but `</s>`, that included.

        v1 encodes message by message, so a message that ends at an `</s>` begins its own length before it.
        """
        ends = [index + 1 for index, token in enumerate(token_ids) if token == self._eos]
        if len(ends) != len(spoken):
            return None
        return [
            range(end - 1 - len(self._encode_text(message.text)), end)
            for message, end in zip(spoken, ends, strict=True)
        ]

    def _encode_text(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, bos=False, eos=False)

    def _check_spoken(self, conversation: Conversation, message: _Spoken, token_ids: list[int]) -> None:
        text = message.text if self._version == 1 else message.text.rstrip(" ")  # v2 and later drop trailing spaces
        if not text and not message.calls:
            reason = "an assistant message of nothing but spaces, which the tokenizer drops"
            raise RowError(conversation, "empty-answer", reason, hint="leave the message out")
        calls_from = token_ids.index(self._tool_calls) if self._tool_calls in token_ids else len(token_ids) - 1
        if not self._reads(token_ids[:calls_from], text):
            raise self._lost(conversation, "the text of an assistant message")
        _, calls = self.parse(token_ids[calls_from:])
        if not _same_calls(calls, message.calls):
            raise self._lost(conversation, "a tool call")

    def _reads(self, token_ids: list[int], text: str) -> bool:
        """Whether `token_ids` are `text`. Decoding is cheap, but SentencePiece reads U+2581 back as a space."""
        return self._text_of(token_ids) == text or token_ids == self._encode_text(text)

    def _text_of(self, token_ids: list[int]) -> str:
        """`decode` for tokens of whole texts: for Tekken, mistral-common's own takes as long as encoding."""
        if self._pieces is None:
            return self._tokenizer.decode(token_ids)
        return b"".join(map(self._pieces.__getitem__, token_ids)).decode(errors="replace")

    def _check_heard(self, conversation: Conversation, messages: Sequence[Message], token_ids: list[int]) -> None:
        """Compare the tokens that the model reads: how many blocks there are, and that every text is there."""
        for name, (expected, words) in _expected_blocks(messages, has_tools=bool(conversation.tools)).items():
            if name == "INST" and self._version == 1:
                continue  # v1 writes [INST] as text
            if expected and (name not in self._blocks or token_ids.count(self._blocks[name].opening) < expected):
                raise self._lost(conversation, words)
        rendered = self._text_of(token_ids)
        for message in messages:
            if message.role != "assistant" and not self._holds(rendered, message):
                raise self._lost(conversation, f"the text of a {message.role} message")

    def _holds(self, rendered: str, message: Message) -> bool:
        if message.content in rendered:
            return True
        if message.role == "tool" and self._version < 7:  # these write a result as JSON
            return json.dumps(_value(message.content), ensure_ascii=False) in rendered
        return self._text_of(self._encode_text(message.content)) in rendered

    def _lost(self, conversation: Conversation, what: str) -> RowError:
        reason = f"tokenizer v{self._version} would silently drop or change {what}"
        return RowError(conversation, "tokenizer-drops", reason, hint=_OTHER_TOKENIZER)

    def _parse_calls(self, token_ids: list[int]) -> tuple[ToolCall, ...]:
        """The calls in `[TOOL_CALLS]` and what follows it: one JSON list, or since v11 one section per call."""
        if self._args not in token_ids:
            entries = _strict_json(self.decode(token_ids))
            return tuple(
                ToolCall(id=entry.get("id", ""), name=entry["name"], arguments=_text(entry["arguments"]))
                for entry in entries
            )
        starts = [index for index, token in enumerate(token_ids) if token == self._tool_calls]
        sections = itertools.pairwise([*starts, len(token_ids)])
        return tuple(self._parse_section(token_ids[start + 1 : end]) for start, end in sections)

    def _parse_section(self, token_ids: list[int]) -> ToolCall:
        """One call as v11 and later write it: `name[CALL_ID]id[ARGS]{...}`, the id left out since v13."""
        args = token_ids.index(self._args) if self._args is not None else len(token_ids)
        name_end = token_ids.index(self._call_id) if self._call_id in token_ids[:args] else args
        arguments = _strict_json(self.decode(token_ids[args + 1 :]))
        return ToolCall(
            id=self.decode(token_ids[name_end:args]), name=self.decode(token_ids[:name_end]), arguments=_text(arguments)
        )


_BLOCKS_SINCE = {"INST": 2, "AVAILABLE_TOOLS": 2, "TOOL_RESULTS": 2, "SYSTEM_PROMPT": 7, "MODEL_SETTINGS": 15}
"""Each block with the first tokenizer version that has it."""


class _Block(NamedTuple):
    """The control tokens that enclose something the model reads."""

    opening: int
    closing: int


class _BytePieces(dict[int, bytes]):
    """The bytes of each token that was asked for, none for a special one."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __missing__(self, token: int) -> bytes:
        piece: bytes = self._tokenizer.id_to_byte_piece(token)
        self[token] = piece
        return piece


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What mistral-common makes of neighbouring assistant messages of one weight: one message."""

    index: int
    text: str
    calls: tuple[ToolCall, ...]
    weight: int


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


def _assistant_messages(messages: Sequence[Message]) -> list[_Spoken]:
    runs = itertools.groupby(enumerate(messages), key=lambda item: (item[1].role, item[1].weight))
    return [_merge(list(run)) for (role, _), run in runs if role == "assistant"]


def _merge(run: list[tuple[int, Message]]) -> _Spoken:
    messages = [message for _, message in run]
    return _Spoken(
        index=run[0][0],
        text=_MERGED_BY.join(message.content for message in messages if message.content),
        calls=tuple(call for message in messages for call in message.tool_calls),
        weight=messages[0].weight,
    )


def _expected_blocks(messages: Sequence[Message], *, has_tools: bool) -> dict[str, tuple[int, str]]:
    """How many blocks of a kind `messages` make at least, and what a missing one held."""
    roles = [role for role, _ in itertools.groupby(message.role for message in messages)]
    num_results = sum(message.role == "tool" for message in messages)
    return {
        "INST": (roles.count("user"), "a user message"),
        "TOOL_RESULTS": (num_results, "a tool result"),
        "AVAILABLE_TOOLS": (int(has_tools and "user" in roles), "the tools"),
    }


@contextmanager
def _refusing(conversation: Conversation) -> Iterator[None]:
    """Turn what mistral-common raises on a row, its assertions included, into a data error that names the row."""
    from mistral_common.exceptions import MistralCommonException

    try:
        yield
    except (MistralCommonException, ValueError, LookupError, TypeError, AssertionError, RecursionError) as error:
        reason = f"the tokenizer refuses it: {_flat(error)}"
        raise RowError(conversation, "tokenizer-refuses", reason, hint=_OTHER_TOKENIZER) from error


def _same_calls(rendered: Sequence[ToolCall], given: Sequence[ToolCall]) -> bool:
    """Whether calls are equal by name, JSON arguments and, in formats that write one, id."""
    return len(rendered) == len(given) and all(
        mine.name == theirs.name
        and mine.id in ("", theirs.id)
        and _value(mine.arguments, members=tuple) == _value(theirs.arguments, members=tuple)
        for mine, theirs in zip(rendered, given, strict=True)
    )


def _value(text: str, *, members: Callable[[list[tuple[str, Any]]], object] = dict) -> object:
    """What mistral-common reads in arguments or results: JSON, nothing as an empty object, else the text itself.

    Args:
        text: The arguments or the result.
        members: What to make of an object's members; a tuple of them shows a name that occurs twice.
    """
    try:
        return json.loads(text or "{}", object_pairs_hook=members)
    except ValueError:
        return text


def _strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _text(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


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
