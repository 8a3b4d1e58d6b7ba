"""JSON as RFC 7493 (I-JSON) wants it: UTF-8, no duplicate keys, no half surrogates, no numbers that are none."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Any parsed JSON value: dict, list, str, int, float, bool or None."""

MAX_DEPTH = 64
MAX_INT_DIGITS = 4300  # CPython's own default, made independent of PYTHONINTMAXSTRDIGITS

# Possessive, so that an unclosed string costs one pass and no backtracking.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class LineError(ValueError):
    """What is wrong with one piece of JSON.

    Attributes:
        rule: Short id of the broken rule, such as `json` or `duplicate-key`.
        message: What is wrong, column included where it is known.
        position: Index of the offending character (of the byte, where the text is not UTF-8); None where unknown.
        hint: What to do about it; may be empty.
    """

    def __init__(self, rule: str, message: str, *, position: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.position = position
        self.hint = hint

    @property
    def column(self) -> int | None:
        """The offending character's place, counted from 1."""
        return None if self.position is None else self.position + 1


def loads(text: bytes) -> Json:
    """The value of one JSON document.

    Raises:
        LineError: The document breaks JSON (RFC 8259) or I-JSON (RFC 7493), or nests deeper than 64 levels.
    """
    return parse(decode(text))


def decode(data: bytes, *, offset: int = 0) -> str:
    """The text of UTF-8 bytes that begin at byte `offset` of their file.

    Raises:
        LineError: Rule `encoding`; nothing is ever replaced.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = "; the file looks truncated" if error.reason == "unexpected end of data" else ""
        raise LineError(
            "encoding",
            f"byte 0x{data[error.start]:02x} at offset {offset + error.start} is not UTF-8{cut}",
            position=error.start,
            hint="save the file as UTF-8, for one with `iconv -f LATIN1 -t UTF-8`",
        ) from None


def parse(text: str) -> Json:
    """The value of one JSON document that is decoded already.

    Raises:
        LineError: As for `loads`.
    """
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _syntax_error(error) from None
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_surrogates(value)
    return value


def _refuse_depth(text: str) -> None:
    """Raise where brackets nest too deep: before parsing, which recurses."""
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise LineError("depth", f"nested deeper than {MAX_DEPTH} levels")


def _refuse_half_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        escape = f"\\u{ord(error.object[error.start]):04x}"
        raise LineError(
            "surrogate",
            f"{escape} is half of a surrogate pair and stands for no character",
            hint="write the character itself, or both halves of the pair",
        ) from None


def _syntax_error(error: json.JSONDecodeError) -> LineError:
    where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} column {error.colno}"
    if error.msg == "Extra data":
        message, hint = f"a second value starts at {where}", "write one JSON object per line"
    else:
        message, hint = f"{error.msg} at {where}", _syntax_hint(error)
    return LineError("json", message, position=error.pos, hint=hint)


def _syntax_hint(error: json.JSONDecodeError) -> str:
    """Advice for the mistakes that people make, by the character where parsing stopped."""
    match error.doc[error.pos : error.pos + 1]:
        case "'":
            return "strings and keys stand in double quotes"
        case "/" | "#":
            return "JSON has no comments"
        case "}" | "]" | "," if error.doc[: error.pos].rstrip().endswith(","):
            return "remove the comma before it"
        case _ if not error.doc.lstrip().startswith(("{", "[", '"')):  # CSV, for one
            return "a row is one JSON object on a line"
        case _:
            return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
    raise LineError("duplicate-key", f"the key {repeated[:60]!r} stands twice in one object", hint="keep one of them")


def _integer(digits: str) -> int:
    if len(digits) > MAX_INT_DIGITS:
        raise LineError("number", f"an integer of {len(digits)} digits", hint="write it as a string")
    return int(digits)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise LineError("number", f"{text[:40]} is larger than any number that JSON readers agree on")
    return value


def _constant(name: str) -> float:
    raise LineError("number", f"{name} is no JSON number", hint="use null or a string")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
