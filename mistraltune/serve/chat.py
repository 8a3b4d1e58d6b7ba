"""Chat completions, whole or streamed, of base models and fine-tuned ones."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from itertools import product
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
from mistraltune.serve.engine import Engine
from mistraltune.serve.models import Models
from mistraltune.serve.questions import Answer
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
    """One of the answers."""

    index: int
    message: AssistantReply
    finish_reason: str


class ChatReply(TypedDict):
    """Whole answers."""

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
    """A piece of one of the answers; its last has a reason."""

    index: int
    delta: Delta
    finish_reason: str | None


class ChatPiece(TypedDict):
    """What one server-sent event of streamed answers holds; the last has the usage."""

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
        head: Head = {"id": f"cmpl-{uuid4().hex}", "created": now(), "model": request.model}
        samplings = [
            request.sampling(max_answer_tokens=settings.max_answer_tokens, index=index)
            for index in range(request.num_different)
        ]
        if request.stream:
            return await begin_stream(head, engine, ref, request.conversation, samplings, request.n)
        answers = [await engine.answer(ref, request.conversation, sampling) for sampling in samplings]
        return describe_answers(head, answers * (request.n // len(answers)))

    return routes


async def begin_stream(  # noqa: PLR0913, PLR0917 - all of a request
    head: Head, engine: Engine, ref: ModelRef, prompt: Conversation, samplings: Sequence[Sampling], num_choices: int
) -> StreamingResponse:
    """The answers as server-sent events, one after the other; a single one stands for all.

    The first part is waited for, so that what keeps a model from answering is told by the status. Where tools are on
    offer, an answer comes in one piece: whether it is text or a call is known at its end.
    """
    is_told = not prompt.tools
    streams = [engine.stream(ref, prompt, sampling, in_pieces=is_told) for sampling in samplings]
    first = await anext(streams[0])

    async def events() -> AsyncIterator[bytes]:
        answers: list[Answer] = []
        for number, parts in enumerate(streams):
            indices = range(num_choices) if len(streams) == 1 else range(number, number + 1)
            async with aclosing(parts):
                for index in indices:
                    yield event(head, index, {"role": "assistant", "content": ""})
                try:
                    async for part in parts if number else begun_with(first, parts):
                        if isinstance(part, Answer):
                            answers += [part] * len(indices)
                        for index, (delta, reason) in product(indices, pieces(part, is_told=is_told)):
                            is_last = reason is not None and index == num_choices - 1
                            yield event(head, index, delta, reason, usage(answers) if is_last else None)
                except (MistralTuneError, Refusal) as error:
                    refusal = error if isinstance(error, Refusal) else as_refusal(error)
                    yield b"data: " + bytes(refusal.response().body) + b"\n\n"
                    return
        yield DONE

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


async def begun_with(first: str | Answer, rest: AsyncIterator[str | Answer]) -> AsyncIterator[str | Answer]:
    """A part that was taken already, and those behind it."""
    yield first
    async for part in rest:
        yield part


def pieces(part: str | Answer, *, is_told: bool) -> Iterator[tuple[Delta, str | None]]:
    """What a part of an answer adds to a stream, and the reason where that ends it.

    Args:
        part: A piece of text, or the whole answer at its end.
        is_told: Whether the answer's text was told in pieces.
    """
    if isinstance(part, str):
        yield {"content": part}, None
        return
    if not is_told:
        message = describe_message(part)
        calls: list[ToolCallReply] = [
            {**call, "index": index} for index, call in enumerate(message.get("tool_calls", ()))
        ]
        told: Delta = {"content": message["content"]}
        yield {**told, "tool_calls": calls} if calls else told, None
    yield {"content": ""}, finish_reason(part)


def event(head: Head, index: int, delta: Delta, reason: str | None = None, counts: Usage | None = None) -> bytes:
    """One server-sent event: a piece of the answer number `index`."""
    chunk: ChatPiece = {
        "id": head["id"],
        "created": head["created"],
        "model": head["model"],
        "object": "chat.completion.chunk",
        "choices": [{"index": index, "delta": delta, "finish_reason": reason}],
    }
    if counts:
        chunk["usage"] = counts
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def describe_answers(head: Head, answers: Sequence[Answer]) -> ChatReply:
    """Whole answers."""
    choices: list[Choice] = [
        {"index": index, "message": describe_message(answer), "finish_reason": finish_reason(answer)}
        for index, answer in enumerate(answers)
    ]
    return {**head, "object": "chat.completion", "choices": choices, "usage": usage(answers)}


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


def usage(answers: Sequence[Answer]) -> Usage:
    """Tokens read, once for all answers, and written."""
    read, written = answers[0].num_prompt_tokens, sum(answer.completion.num_tokens for answer in answers)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
