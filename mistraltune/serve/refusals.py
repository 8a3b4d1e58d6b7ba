"""Requests that are refused, in the words and shapes that Mistral's and OpenAI's clients read."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import TypedDict

from mistraltune.errors import LockedError, MistralTuneError, TemporaryError
from mistraltune.secrets import masked


class Hint(TypedDict):
    """What to do about a problem."""

    hint: str


class Detail(TypedDict):
    """One problem of a request: its kind, where it is, what is wrong, and what to do where there is more to say."""

    type: str
    loc: list[str | int]
    msg: str
    ctx: NotRequired[Hint]


class RefusalReply(TypedDict):
    """An error: `message` says what, where and what to do; `detail` lists the problems of a 422."""

    object: Literal["error"]
    message: str
    type: str
    param: None
    code: None
    detail: NotRequired[list[Detail]]


KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


NUM_SHOWN = 3
"""So many problems stand in the one line of a 422; its `detail` has them all."""

TYPE_NAMES = frozenset({"str", "int", "float", "bool", "dict", "list", "tuple"})
"""What Pydantic puts into the place of a problem to say which form of a value it tried, beside names with brackets."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that says no.

    Attributes:
        status: The HTTP status.
        message: What is wrong and what to do.
        details: The problems one by one, where there are several.
        headers: Further headers, such as Retry-After.
    """

    def __init__(
        self, status: int, message: str, *, details: Sequence[Detail] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = list(details)
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The answer as it goes out."""
        body: RefusalReply = {
            "object": "error",
            "message": self.message,
            "type": KINDS.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error"),
            "param": None,
            "code": None,
        }
        if self.status == 422:
            body["detail"] = self.details or [problem("value_error", self.message)]
        return JSONResponse(body, status_code=self.status, headers=self.headers)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or the handshake of a WebSocket: by the same answer where the HTTP server can give one."""
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": self.message})
        else:
            await self.response()(scope, receive, send)


def problem(kind: str, message: str, *place: str | int, hint: str = "") -> Detail:
    """One entry of a 422's `detail`."""
    told: Detail = {"type": kind, "loc": ["body", *place], "msg": message}
    if hint:
        told["ctx"] = {"hint": hint}
    return told


def list_details(errors: Sequence[Mapping[str, Any]]) -> list[Detail]:
    """The problems that Pydantic found, without the values, which may hold a key.

    A list whose items are wrong counts as too short for it too; that is said of no list that is long enough.
    """
    places = [tuple(each["loc"]) for each in errors]
    return [
        {"type": each["type"], "loc": list(place), "msg": each["msg"].removeprefix("Value error, ")}
        for each, place in zip(errors, places, strict=True)
        if each["type"] != "too_short" or not any(len(p) > len(place) and p[: len(place)] == place for p in places)
    ]


def summarize(details: Sequence[Detail]) -> str:
    """The first problems in a line, each with its place in the words of the request."""
    reasons: dict[str, str] = {}
    for detail in details:
        *above, last = detail["loc"][1:] or [""]
        deeper = [other["loc"][1:] for other in details if len(other["loc"]) > len(detail["loc"])]
        if is_type_name(last) and any(other[: len(above)] == above for other in deeper):
            continue  # the value has another form, and what is wrong with it there is told
        place = ".".join(str(part) for part in detail["loc"][1:] if not is_type_name(part)) or "body"
        known = reasons.get(place)
        reasons[place] = f"{known}, or: {detail['msg']}" if known else detail["msg"]
    shown = [f"{place}: {reason}" for place, reason in reasons.items()][:NUM_SHOWN]
    num_more = len(reasons) - len(shown)
    return "; ".join([*shown, *([f"and {num_more} more"] if num_more else [])])


def is_type_name(part: str | int) -> bool:
    """Whether a part of a problem's place is none of the request, but names a form that was tried."""
    return isinstance(part, str) and (part in TYPE_NAMES or "[" in part or part.startswith("constrained-"))


def unknown(noun: str, name: str) -> Refusal:
    """There is no such thing."""
    return Refusal(404, f"there is no {noun} {name[:100]}")


def add_refusals(app: FastAPI) -> None:
    """Let every error that can leave a handler become an answer of the one shape."""

    @app.exception_handler(Refusal)
    async def refuse(request: HTTPConnection, error: Refusal) -> ASGIApp:
        return error.answer

    @app.exception_handler(MistralTuneError)
    async def explain(request: Request, error: MistralTuneError) -> JSONResponse:
        return as_refusal(error).response()

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(WebSocketRequestValidationError)
    async def list_problems(
        request: HTTPConnection, error: RequestValidationError | WebSocketRequestValidationError
    ) -> ASGIApp:
        details = list_details(error.errors())
        return Refusal(422, summarize(details), details=details).answer

    @app.exception_handler(HTTPException)
    async def name_status(request: Request, error: HTTPException) -> JSONResponse:
        return Refusal(error.status_code, str(error.detail), headers=error.headers).response()

    @app.exception_handler(sqlite3.OperationalError)
    async def blame_disk(request: Request, error: sqlite3.OperationalError) -> JSONResponse:
        return Refusal(503, f"the job store cannot be written: {error}", headers={"Retry-After": "10"}).response()

    @app.exception_handler(Exception)
    async def admit_bug(request: Request, error: Exception) -> JSONResponse:
        return Refusal(500, "a bug of the server; its log has the traceback, please report it").response()


def as_refusal(error: MistralTuneError) -> Refusal:
    """The answer that tells of an error of ours, without secrets."""
    message = masked(f"{error.message}; {error.hint}" if error.hint else error.message)
    if isinstance(error, TemporaryError):
        return Refusal(507 if "bytes are free" in message else 503, message)
    if isinstance(error, LockedError):
        return Refusal(409, message)
    findings = error.details.get("findings", ())
    details = [
        problem(finding["rule"], finding["message"], "file", finding["line"], hint=finding["hint"])
        for finding in findings
        if finding["is_error"]
    ]
    return Refusal(422, message, details=details)
