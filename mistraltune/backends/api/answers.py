"""What an API's answer means when it is no success: one map from statuses and broken connections to our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2
from mistralai.client import errors as sdk_errors
from pydantic import BaseModel, ValidationError

from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.data.characters import escaped
from mistraltune.errors import ApiError, ConfigError, MistralTuneError, TemporaryError
from mistraltune.secrets import masked

A = TypeVar("A", bound=BaseModel)

BUSY = (407, 408, 425, 429, 511)
"""Statuses that another try may change; so may all from 500 on but those of `NEVER`, and a `CONFLICT` in reading."""

CONFLICT = 409

NEVER = (501, 505)

MAX_SHOWN = 500
"""Characters of a server's message that are repeated."""

JOB_ROUTES = "/v1/fine_tuning/jobs"
SUNSET_HINT = (
    "`mistraltune serve` answers the same requests on a machine of yours (--endpoint local), "
    "and `mistraltune train local` needs no API"
)

RERUN = "the same command may be run again"

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


class BusyError(TemporaryError):
    """No answer, or one that another try may change. What was asked may have been done all the same.

    Attributes:
        status: The HTTP status; None where no whole answer came.
        retry_after: The header of that name, as it came.
        is_unserved: Whether nothing listens at an address of this machine.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: str | None = None,
        hint: str = RERUN,
        is_unserved: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_unserved = is_unserved
        self.status = status
        self.retry_after = retry_after


class RefusedError(ApiError):
    """The API understood, and said no.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint, details={"status": status})
        self.status = status


class BadResponseError(ApiError):
    """An answer that says success and is none that the protocol knows. What was asked may have been done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="is this the address of such an API?", details={"error_id": "bad-response"})


def refuse_failure(endpoint: Endpoint, response: httpx2.Response) -> None:
    """Raise for every answer that is no success; its body is read as far as it may be.

    Raises:
        BusyError: Another try may help.
        RefusedError: It would not.
    """
    status = response.status_code
    if response.is_success:
        return
    if 300 <= status < 400:
        raise RefusedError(
            f"{endpoint.url} answers with a redirect ({status}) to {plain(response.headers.get('location', '?'))}",
            status=status,
            hint="it is not followed: the key goes to its own endpoint only",
        )
    response.read()
    said = message_of(response)
    told = f"{endpoint.url} answers {status}" + (f": {said}" if said else "") + request_id(response)
    is_passing = status == CONFLICT and response.request.method == "GET"  # else it refuses a change
    if is_passing or status in BUSY or (status >= 500 and status not in NEVER):
        raise BusyError(told, status=status, retry_after=response.headers.get("retry-after"))
    if is_sunset(endpoint, response, said):
        ended = "Mistral AI has ended its hosted fine-tuning, and no job can be made there"
        raise RefusedError(f"{endpoint.url} answers {status}: {ended}", status=status, hint=SUNSET_HINT)
    raise RefusedError(told, status=status, hint=advice(endpoint, response, said))


def is_sunset(endpoint: Endpoint, response: httpx2.Response, said: str) -> bool:
    """Whether an answer to a job route says that there is no fine-tuning here any more."""
    path = response.request.url.path
    if JOB_ROUTES not in path:
        return False
    if response.status_code == 410 or (response.status_code in (404, 422) and "not available" in said.lower()):
        return True
    return response.status_code == 404 and endpoint.is_mistral and path.endswith(JOB_ROUTES)


def advice(endpoint: Endpoint, response: httpx2.Response, said: str) -> str:
    """What to do about a refusal."""
    match response.status_code:
        case 401 | 403 if endpoint.key_variable:
            return f"is {endpoint.key_variable} the key of {endpoint.url}?"
        case 401 | 403:
            return f"{endpoint.name} has no `key_variable` in endpoints.yaml"
        case 404 if not said:
            return "is this the address of such an API, without a path?"
        case _:
            return ""


def message_of(response: httpx2.Response) -> str:
    """What an answer says is wrong: Mistral's, OpenAI's and FastAPI's shapes, else its text; fit to be shown."""
    text = response.text
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        is_page = "html" in response.headers.get("content-type", "") or text.lstrip()[:1] == "<"
        return "a web page" if is_page else plain(text)
    if isinstance(body, dict):
        error = body.get("error")
        for found in (error.get("message") if isinstance(error, dict) else error, body.get("message")):
            if isinstance(found, str) and found:
                return plain(found)
        body = body.get("detail", body)
    if isinstance(body, list) and body and all(isinstance(each, dict) and "msg" in each for each in body):
        places = (".".join(map(str, each.get("loc") or ())) for each in body)
        body = "; ".join(f"{place}: {each['msg']}" for place, each in zip(places, body, strict=True))
    return plain(body if isinstance(body, str) else json.dumps(body))


def plain(text: str) -> str:
    """A server's text, fit to be shown: no escape sequences, one line, not too long, and no key that it echoes."""
    line = " ".join(masked(_ESCAPE_SEQUENCE.sub("", text[: 20 * MAX_SHOWN])).split())
    return escaped(line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 3]}...")


def masked_values(value: Any) -> Any:
    """JSON-like values without the secrets that a server may have echoed in them."""
    return json.loads(masked(json.dumps(value)))


def request_id(response: httpx2.Response) -> str:
    """The number by which the server's people find the request, where it has one."""
    names = ("x-request-id", "request-id", "mistral-correlation-id")
    found = next((response.headers[name] for name in names if name in response.headers), "")
    return f" (request {plain(found)[:80]})" if found else ""


@contextmanager
def understanding(endpoint: Endpoint) -> Iterator[None]:
    """Turn what HTTP, the SDK and pydantic raise in the block into our errors; those pass as they are.

    Raises:
        BusyError: The connection failed or broke.
        BadResponseError: The answer has another shape than the protocol's.
    """
    try:
        yield
    except MistralTuneError:
        raise
    except httpx2.InvalidURL as error:
        raise ConfigError(f"{endpoint.url} is no address: {plain(str(error))}") from error
    except httpx2.DecodingError as error:
        raise BadResponseError(f"{endpoint.url} answers what cannot be decoded") from error
    except (httpx2.TransportError, httpx2.StreamError, sdk_errors.NoResponseError) as error:
        reason = plain(str(error)) or type(error).__name__
        is_unserved = isinstance(error, httpx2.ConnectError) and endpoint.is_loopback
        start = f"start `mistraltune serve`, or what else is to answer there; then {RERUN}"
        raise BusyError(
            f"{endpoint.url} cannot be reached: {reason}",
            hint=start if is_unserved else RERUN,
            is_unserved=is_unserved,
        ) from error
    except sdk_errors.MistralError as error:  # of another shape, as `refuse_failure` has raised for every failure
        raise BadResponseError(bad_shape(endpoint, error.raw_response) + request_id(error.raw_response)) from error
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:  # of a stream's piece
        raise BadResponseError(f"{endpoint.url} answers what the protocol does not know") from error


def read(endpoint: Endpoint, response: httpx2.Response, answer_type: type[A]) -> A:
    """A success, in the shape that the protocol gives it.

    Raises:
        BadResponseError: It has another.
    """
    try:
        return answer_type.model_validate_json(response.content)
    except ValidationError as error:
        reason = f"{bad_shape(endpoint, response)}; {first_problem(error)}"
    raise BadResponseError(reason + request_id(response))


def bad_shape(endpoint: Endpoint, response: httpx2.Response) -> str:
    """What to say of a success that has another shape; its content is not repeated."""
    kind = plain(response.headers.get("content-type", "no content type"))
    return f"{endpoint.url} answers {response.status_code}, and what the protocol does not know ({kind})"


def first_problem(error: ValidationError) -> str:
    """One line about a body of another shape; without the body."""
    problem = error.errors(include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return plain(f"{place}: {problem['msg']}" if place else problem["msg"])
