"""Where the assistant's messages stand in what mistral-common rendered, once it is sure that nothing was lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.data.mistral_calls import json_value, parse_completion, same_calls
from mistraltune.data.mistral_tokens import MistralTokens
from mistraltune.data.rendered import RowError

OTHER_TOKENIZER = "mend the row, or take a model whose tokenizer can hold it"
"""The hint of a row that the tokenizer cannot hold."""

_MERGED_BY = "\n\n"  # mistral-common joins neighbouring messages of one role with an empty line


@dataclass(frozen=True, slots=True)
class Answer:
    """What mistral-common makes of neighbouring assistant messages of one weight: one message.

    Attributes:
        index: Of the first of them in the conversation.
        text: Their texts together.
        calls: Their tool calls.
        weight: 0 where they are not trained.
    """

    index: int
    text: str
    calls: tuple[ToolCall, ...]
    weight: int


def find_answers(
    tokens: MistralTokens, conversation: Conversation, *, messages: Sequence[Message], token_ids: list[int]
) -> list[tuple[Answer, range]]:
    """Each answer with the range of its tokens, `</s>` included.

    Args:
        tokens: The tokenizer's.
        conversation: The row, for its name and its tools.
        messages: Those of its messages that were rendered.
        token_ids: What they were rendered to.

    Raises:
        RowError: A message, a tool call or a tool result is missing, or is not what the conversation says.
    """
    answers = _answers(messages)
    spans = _spans_by_length(tokens, answers, token_ids) if tokens.version == 1 else _spans_by_block(tokens, token_ids)
    if spans is None or len(spans) != len(answers):
        raise _lost(tokens, conversation, "an assistant message or a tool call")
    for answer, span in zip(answers, spans, strict=True):
        _check_said(tokens, conversation, answer, token_ids[span.start : span.stop])
    starts, ends = [span.start for span in spans], [span.stop for span in spans]
    gaps = zip([0, *ends], [*starts, len(token_ids)], strict=True)
    _check_heard(tokens, conversation, messages, [token for start, end in gaps for token in token_ids[start:end]])
    return list(zip(answers, spans, strict=True))


def _answers(messages: Sequence[Message]) -> list[Answer]:
    runs = itertools.groupby(enumerate(messages), key=lambda item: (item[1].role, item[1].weight))
    return [_merge(list(run)) for (role, _), run in runs if role == "assistant"]


def _merge(run: list[tuple[int, Message]]) -> Answer:
    messages = [message for _, message in run]
    return Answer(
        index=run[0][0],
        text=_MERGED_BY.join(message.content for message in messages if message.content),
        calls=tuple(call for message in messages for call in message.tool_calls),
        weight=messages[0].weight,
    )


def _spans_by_block(tokens: MistralTokens, token_ids: list[int]) -> list[range] | None:
    """Ranges of the answers, `</s>` included; None where some text is neither in a block nor ended.

    What stands outside every block is what the model writes. That is "opens after `[/INST]` or after the last
    `[/TOOL_RESULTS]`, closes with `</s>`", and it also holds where a user or system message follows a tool result,
    where a conversation opens with a greeting, and between neighbouring assistant messages of different weight.
    """
    spans: list[range] = []
    start, closing = 1, None
    for index in [index for index, token in enumerate(token_ids) if token in tokens.borders]:
        token = token_ids[index]
        if closing is not None:
            if token == closing:
                start, closing = index + 1, None
        elif token == tokens.eos:
            spans.append(range(start, index + 1))
            start = index + 1
        elif token in tokens.closing:
            if index != start:
                return None
            closing = tokens.closing[token]
    return spans if start == len(token_ids) else None


def _spans_by_length(tokens: MistralTokens, answers: Sequence[Answer], token_ids: list[int]) -> list[range] | None:
    """Ranges of the answers of v1, which has no control token but `</s>`, that included.

    v1 encodes message by message, so a message that ends at an `</s>` begins its own length before it.
    """
    ends = [index + 1 for index, token in enumerate(token_ids) if token == tokens.eos]
    if len(ends) != len(answers):
        return None
    return [range(end - 1 - len(tokens.encode(answer.text)), end) for answer, end in zip(answers, ends, strict=True)]


def _check_said(tokens: MistralTokens, conversation: Conversation, answer: Answer, token_ids: list[int]) -> None:
    """Compare the tokens that the model writes with what the answer says."""
    text = answer.text if tokens.version == 1 else answer.text.rstrip(" ")  # v2 and later drop trailing spaces
    if not text and not answer.calls:
        reason = "an assistant message of nothing but spaces, which the tokenizer drops"
        raise RowError(conversation, "empty-answer", reason, hint="leave the message out")
    calls_from = token_ids.index(tokens.tool_calls) if tokens.tool_calls in token_ids else len(token_ids) - 1
    if not tokens.are(token_ids[:calls_from], text):
        raise _lost(tokens, conversation, "the text of an assistant message")
    _, calls = parse_completion(tokens, token_ids[calls_from:])
    if not same_calls(calls, answer.calls):
        raise _lost(tokens, conversation, "a tool call")


def _check_heard(
    tokens: MistralTokens, conversation: Conversation, messages: Sequence[Message], token_ids: list[int]
) -> None:
    """Compare the tokens that the model reads: how many blocks there are, and that every text is there."""
    for name, (expected, words) in _expected_blocks(messages, has_tools=bool(conversation.tools)).items():
        if name == "INST" and tokens.version == 1:
            continue  # v1 writes [INST] as text
        if expected and (name not in tokens.blocks or token_ids.count(tokens.blocks[name].opening) < expected):
            raise _lost(tokens, conversation, words)
    rendered = tokens.text_of(token_ids)
    for message in messages:
        if message.role != "assistant" and not _holds(tokens, rendered, message):
            raise _lost(tokens, conversation, f"the text of a {message.role} message")


def _expected_blocks(messages: Sequence[Message], *, has_tools: bool) -> dict[str, tuple[int, str]]:
    """How many blocks of a kind `messages` make at least, and what a missing one held."""
    roles = [role for role, _ in itertools.groupby(message.role for message in messages)]
    num_results = sum(message.role == "tool" for message in messages)
    return {
        "INST": (roles.count("user"), "a user message"),
        "TOOL_RESULTS": (num_results, "a tool result"),
        "AVAILABLE_TOOLS": (int(has_tools and "user" in roles), "the tools"),
    }


def _holds(tokens: MistralTokens, rendered: str, message: Message) -> bool:
    if message.content in rendered:
        return True
    if message.role == "tool" and tokens.version < 7:  # these write a result as JSON
        return json.dumps(json_value(message.content), ensure_ascii=False) in rendered
    return tokens.text_of(tokens.encode(message.content)) in rendered


def _lost(tokens: MistralTokens, conversation: Conversation, what: str) -> RowError:
    reason = f"tokenizer v{tokens.version} would silently drop or change {what}"
    return RowError(conversation, "tokenizer-drops", reason, hint=OTHER_TOKENIZER)
