"""mistral-common's own tokenizers and encoders, which renderings are held against."""

from __future__ import annotations

from functools import cache
from itertools import groupby

from mistral_common.protocol.instruct.messages import AssistantMessage, ToolMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from mistraltune.data.conversation import Conversation

SHIPPED_FILES = MistralTokenizer._data_path()
SHIPPED = {
    "v1": "tokenizer.model.v1",
    "v2": "mistral_instruct_tokenizer_240216.model.v2",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
    "v7": "mistral_instruct_tokenizer_241114.model.v7",
    "v7m1": "mistral_instruct_tokenizer_241114.model.v7m1",
    "tekken": "tekken_240911.json",
    "tekken_240718": "tekken_240718.json",
}


@cache
def reference_tokenizer(name: str, mode: ValidationMode = ValidationMode.finetuning) -> MistralTokenizer:
    return MistralTokenizer.from_file(SHIPPED_FILES / SHIPPED[name], mode=mode)


def oracle(name: str, conversation: Conversation, end: int, trained_from: int) -> tuple[list[int], list[bool]]:
    """Ids and mask, encoded message by message; the renderer never sees where a message ends."""
    tokenizer = reference_tokenizer(name)
    given_messages = conversation.messages[:end]
    request = openai_request(conversation, end)
    for given_message, message in zip(given_messages, request.messages, strict=True):
        if isinstance(message, AssistantMessage):  # keeps neighbours of different weight apart, as weights do
            object.__setattr__(message, "weight", given_message.weight)
    normalized = tokenizer._instruct_request_normalizer.from_chat_completion_request(request)
    is_trained = iter(
        bool(weight) and index >= trained_from
        for index, weight in (
            next((position, message.weight) for position, message in run)
            for role, run in groupby(enumerate(given_messages), key=lambda item: (item[1].role, item[1].weight))
            if role[0] == "assistant"
        )
    )
    instruct = tokenizer.instruct_tokenizer
    first, last = instruct.find_first_last_user(normalized)
    token_ids, mask = list(instruct.start()), [False]
    for position, message in enumerate(normalized.messages):
        trains = False
        if isinstance(message, UserMessage):
            tokens, *_ = instruct.encode_user_message(
                message,
                normalized.available_tools,
                position == last,
                position == first,
                system_prompt=normalized.system_prompt,
                force_img_first=True,
            )
        elif isinstance(message, AssistantMessage):
            tokens, trains = instruct.encode_assistant_message(message, position < last), next(is_trained)
        elif isinstance(message, ToolMessage):
            tokens, *_ = instruct.encode_tool_message(message, position < last)
        else:
            tokens, _ = instruct.encode_system_message(message)
        token_ids += tokens
        mask += [trains] * len(tokens)
    return token_ids, mask


def openai_request(conversation: Conversation, end: int) -> ChatCompletionRequest:
    """The first `end` messages by mistral-common's own reader of OpenAI's form, which the renderer does not use."""
    rows = []
    for message in conversation.messages[:end]:
        fields = {"role": message.role, "content": message.content}
        if message.tool_calls:
            fields["tool_calls"] = [
                {"id": made.id, "type": "function", "function": {"name": made.name, "arguments": made.arguments}}
                for made in message.tool_calls
            ]
        if message.role == "tool":
            fields["tool_call_id"] = message.tool_call_id
        if message.name:
            fields["name"] = message.name
        rows.append(fields)
    return ChatCompletionRequest.from_openai(rows, tools=list(conversation.tools) or None)
