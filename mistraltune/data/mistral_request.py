"""Messages and tools as mistral-common's own request objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mistraltune.data.conversation import Message, ToolCall

if TYPE_CHECKING:
    from mistral_common.protocol.instruct.messages import ChatMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.tool_calls import Tool
    from mistral_common.protocol.instruct.tool_calls import ToolCall as MistralToolCall


def finetuning_request(
    messages: Sequence[Message], tools: Sequence[dict[str, Any]]
) -> ChatCompletionRequest[ChatMessage]:
    """The request that mistral-common encodes.

    Raises:
        ValueError: A tool definition has fields that it would leave out.
    """
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    return ChatCompletionRequest(
        messages=[_chat_message(message) for message in messages],
        tools=[_tool(definition) for definition in tools] or None,
    )


def _chat_message(message: Message) -> ChatMessage:
    from mistral_common.protocol.instruct.messages import (
        FinetuningAssistantMessage,
        SystemMessage,
        ToolMessage,
        UserMessage,
    )

    match message.role:
        case "system":
            return SystemMessage(content=message.content)
        case "user":
            return UserMessage(content=message.content)
        case "tool":
            return ToolMessage(
                content=message.content, tool_call_id=message.tool_call_id or None, name=message.name or None
            )
        case "assistant":
            calls = [_tool_call(call) for call in message.tool_calls] or None
            return FinetuningAssistantMessage(content=message.content, tool_calls=calls, weight=message.weight)


def _tool_call(call: ToolCall) -> MistralToolCall:
    from mistral_common.protocol.instruct.tool_calls import FunctionCall
    from mistral_common.protocol.instruct.tool_calls import ToolCall as MistralToolCall

    function = FunctionCall(name=call.name, arguments=call.arguments)
    return MistralToolCall(id=call.id, function=function) if call.id else MistralToolCall(function=function)


def _tool(definition: dict[str, Any]) -> Tool:
    """The tool as mistral-common writes it.

    Raises:
        ValueError: The definition has fields that it would leave out.
    """
    from mistral_common.protocol.instruct.tool_calls import Function, Tool

    tool = Tool.from_openai(definition)
    unknown = sorted({*definition} - {*Tool.model_fields} | {*definition["function"]} - {*Function.model_fields})
    if unknown:
        raise ValueError(f"tool {tool.function.name!r} has fields that the tokenizer drops: {', '.join(unknown)}")
    return tool
