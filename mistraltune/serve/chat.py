"""Chat completions, whole or streamed, of base models and fine-tuned ones."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Literal, NotRequired
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from mistraltune.data.conversation import Conversation, ToolCall
from mistraltune.errors import MistralTuneError
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef
from mistraltune.serve.chat_requests import ChatRequest
from mistraltune.serve.engine import Answer, Engine
from mistraltune.serve.models import Models
from mistraltune.serve.refusals import Refusal, as_refusal
from mistraltune.serve.store import now
from mistraltune.settings import ServerSettings

DONE = b"data: [DONE]\n\n"


class Head(TypedDict):
    """What an answer and all its pieces begin with."""

    id: str
    created: int
    model: str


class Usage(TypedDict):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CalledFunction(TypedDict):
    """What a tool call calls; `arguments` is JSON."""

    name: str
    arguments: str


class ToolCallReply(TypedDict):
    """A tool call; in a stream, with its place among them."""

    id: str
    type: Literal["function"]
    function: CalledFunction
    index: NotRequired[int]


class AssistantReply(TypedDict):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str
    tool_calls: NotRequired[list[ToolCallReply]]


class Choice(TypedDict):
    """The one answer."""

    index: int
    message: AssistantReply
    finish_reason: str


class ChatReply(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(TypedDict):
    """A piece of the assistant's message."""

    role: NotRequired[Literal["assistant"]]
    content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCallReply]]


class ChoicePiece(TypedDict):
    """A piece of the one answer; the last has a reason."""

    index: int
    delta: Delta
    finish_reason: str | None


class ChatPiece(TypedDict):
    """What one server-sent event of a streamed answer holds; the last has the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChoicePiece]
    usage: NotRequired[Usage]


def chat_routes(engine: Engine, models: Models, settings: ServerSettings) -> APIRouter:
    """`/v1/chat/completions`."""
    routes = APIRouter(prefix="/v1/chat", tags=["chat"])

    @routes.post("/completions", response_model=None, responses={200: {"model": ChatReply | ChatPiece}})
    async def complete(request: ChatRequest) -> Response | ChatReply:
        """The model's answer; with `stream`, as server-sent events."""
        ref = await run_in_threadpool(models.find, request.model)
        prompt, sampling = request.conversation, request.sampling(max_answer_tokens=settings.max_answer_tokens)
        head: Head = {"id": f"cmpl-{uuid4().hex}", "created": now(), "model": request.model}
        if not request.stream:
            return describe_answer(head, await engine.answer(ref, prompt, sampling))
        return await begin_stream(head, engine, ref, prompt, sampling)

    return routes


async def begin_stream(
    head: Head, engine: Engine, ref: ModelRef, prompt: Conversation, sampling: Sampling
) -> StreamingResponse:
    """The answer as server-sent events.

    The first part is waited for, so that what keeps a model from answering is told by the status. Where tools are on
    offer, the answer comes in one piece: whether it is text or a call is known at its end.
    """
    parts = engine.stream(ref, prompt, sampling, in_pieces=not prompt.tools)
    first = await anext(parts)

    async def events() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield event(head, {"role": "assistant", "content": ""})
            part: str | Answer | None = first
            while isinstance(part, str):
                yield event(head, {"content": part})
                try:
                    part = await anext(parts)
                except (MistralTuneError, Refusal) as error:
                    refusal = error if isinstance(error, Refusal) else as_refusal(error)
                    yield b"data: " + bytes(refusal.response().body) + b"\n\n"
                    return
            if isinstance(part, Answer):
                for last in last_events(head, part, is_told=not prompt.tools):
                    yield last
            yield DONE

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


def last_events(head: Head, answer: Answer, *, is_told: bool) -> list[bytes]:
    """What ends a stream: the answer itself where it was not told in pieces, then the reason and the counts."""
    message = describe_message(answer)
    rest: list[bytes] = []
    if not is_told:
        calls: list[ToolCallReply] = [
            {**call, "index": index} for index, call in enumerate(message.get("tool_calls", ()))
        ]
        told: Delta = {"content": message["content"]}
        rest.append(event(head, {**told, "tool_calls": calls} if calls else told))
    return [*rest, event(head, {"content": ""}, answer)]


def event(head: Head, delta: Delta, answer: Answer | None = None) -> bytes:
    """One server-sent event; with the answer, the last one."""
    choice: ChoicePiece = {"index": 0, "delta": delta, "finish_reason": finish_reason(answer) if answer else None}
    chunk: ChatPiece = {
        "id": head["id"],
        "created": head["created"],
        "model": head["model"],
        "object": "chat.completion.chunk",
        "choices": [choice],
    }
    if answer:
        chunk["usage"] = usage(answer)
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def describe_answer(head: Head, answer: Answer) -> ChatReply:
    """A whole answer."""
    choice: Choice = {"index": 0, "message": describe_message(answer), "finish_reason": finish_reason(answer)}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage(answer)}


def describe_message(answer: Answer) -> AssistantReply:
    """The assistant's message."""
    message: AssistantReply = {"role": "assistant", "content": answer.completion.text}
    if answer.completion.tool_calls:
        message["tool_calls"] = [describe_call(call) for call in answer.completion.tool_calls]
    return message


def describe_call(call: ToolCall) -> ToolCallReply:
    """A tool call, with an id of nine letters and digits even where the model gave none."""
    made = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(9))
    function: CalledFunction = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or made, "type": "function", "function": function}


def finish_reason(answer: Answer) -> str:
    """Why the answer ended."""
    return "tool_calls" if answer.completion.tool_calls else answer.completion.finish_reason


def usage(answer: Answer) -> Usage:
    """Tokens read and written."""
    read, written = answer.num_prompt_tokens, answer.completion.num_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
