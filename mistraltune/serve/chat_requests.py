"""What a client may ask of a model, and the conversation and sampling that it stands for."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mistraltune.data.checking import parse_message, parse_tool
from mistraltune.data.conversation import Conversation
from mistraltune.data.tool_rules import tools_problems
from mistraltune.interfaces import Sampling
from mistraltune.serve.job_requests import Request

MAX_SEED = 2**63 - 1

ECHOED = ("refusal", "audio", "annotations", "index", "parsed", "reasoning_content")
"""What clients send back with an answer that they got, and no model reads."""

IMAGES = ("image_url", "image", "input_image")
"""How clients mark an image among the parts of a message."""


def refuse_true(value: bool) -> bool:
    """False.

    Raises:
        ValueError: It is true.
    """
    if value:
        raise ValueError("is not supported here; leave it out")
    return value


def refuse_false(value: bool) -> bool:
    """True.

    Raises:
        ValueError: It is false.
    """
    if not value:
        raise ValueError("cannot be turned off here; leave it out")
    return value


Unsupported = Annotated[bool, AfterValidator(refuse_true)]
Always = Annotated[bool, AfterValidator(refuse_false)]


class FunctionCall(Request):
    """What a tool call calls."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str | dict[str, Any] = "{}"


class ToolCall(Request):
    """One call of an assistant message."""

    id: Annotated[str, Field(max_length=100)] = "null"
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int = 0


class Chunk(Request):
    """A piece of a message's text."""

    type: Literal["text"] = "text"
    text: str


class ChatMessage(Request):
    """One message of the prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Chunk, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: Annotated[str, Field(max_length=100)] | None = None
    name: Annotated[str, Field(max_length=100)] | None = None
    prefix: Unsupported = False
    """Answers that go on from a given beginning are not supported."""

    @field_validator("content", mode="before")
    @classmethod
    def of_text_alone(cls, content: Any) -> Any:
        """The content, if no part of it is an image.

        Raises:
            ValueError: One is.
        """
        parts = content if isinstance(content, list) else []
        kinds = [part.get("type") for part in parts if isinstance(part, dict)]
        if any(kind in IMAGES for kind in kinds):
            raise ValueError("images are not supported; send text alone")
        return content

    @model_validator(mode="before")
    @classmethod
    def without_echo(cls, values: Any) -> Any:
        """The message without what only answers carry."""
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if key not in ECHOED}


class ResponseFormat(Request):
    """The form of the answer."""

    type: Literal["text"] = "text"


Stop = Annotated[str, Field(min_length=1, max_length=500)]


class StreamOptions(Request):
    """What OpenAI's clients say about streams; usage always comes with the last piece."""

    include_usage: bool = True


class ChatRequest(Request):
    """A chat completion, as `POST /v1/chat/completions` takes it; what cannot be honoured is refused."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, max_length=10_000)]
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """0, or left out, is greedy decoding: the same question gets the same answer."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    random_seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    tools: Annotated[tuple[dict[str, Any], ...], Field(max_length=128)] = ()
    tool_choice: Literal["auto", "none"] = "auto"
    parallel_tool_calls: Always = True
    response_format: ResponseFormat = ResponseFormat()
    stop: Stop | Annotated[tuple[Stop, ...], Field(max_length=16)] = ()
    """The answer ends before the first of these texts."""
    n: Annotated[int, Field(ge=1, le=16)] = 1
    """So many answers; all are equal where the temperature is 0."""
    safe_prompt: Unsupported = False
    presence_penalty: Annotated[float, Field(ge=0, le=0)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] = 0.0
    logprobs: Unsupported = False
    user: str | None = None
    metadata: dict[str, Any] | None = None

    @field_validator("tools")
    @classmethod
    def sound_tools(cls, tools: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        """Tool definitions that a template can show.

        Raises:
            ValueError: One cannot be read.
        """
        errors = [problem for problem in tools_problems([without_nulls(tool) for tool in tools]) if problem.is_error]
        if errors:
            raise ValueError(errors[0].message)
        return tools

    @property
    def conversation(self) -> Conversation:
        """The prompt."""
        tools = () if self.tool_choice == "none" else tuple(parse_tool(without_nulls(tool)) for tool in self.tools)
        return Conversation(messages=tuple(parse_message(as_row(message)) for message in self.messages), tools=tools)

    @property
    def num_different(self) -> int:
        """How many of the `n` answers have to be generated: greedy ones are all equal."""
        return self.n if self.temperature else 1

    def sampling(self, *, max_answer_tokens: int, index: int = 0) -> Sampling:
        """How to give the answer number `index`; `max_answer_tokens` where the client names no length.

        With a seed, each answer is drawn with its own: the first is the one that `n` of 1 gives.
        """
        seed = self.random_seed if self.random_seed is not None else self.seed
        return Sampling(
            max_new_tokens=self.max_completion_tokens or self.max_tokens or max_answer_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=None if seed is None else (seed + index) % (MAX_SEED + 1),
            stop=(self.stop,) if isinstance(self.stop, str) else self.stop,
        )


def as_row(message: ChatMessage) -> dict[str, Any]:
    """A message as it would stand in a data file."""
    row = message.model_dump(exclude_none=True)
    for call in row["tool_calls"]:
        arguments = call["function"]["arguments"]
        if not isinstance(arguments, str):
            call["function"]["arguments"] = json.dumps(arguments, ensure_ascii=False)
    if not isinstance(row["content"], str):
        row["content"] = list(row["content"])
    return row


def without_nulls(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool definition in the one form that is read: of type `function`, null fields left out."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    named = {key: value for key, value in function.items() if value is not None}
    return {"type": tool.get("type") or "function", "function": {"parameters": {}, **named}}
