"""Characters that people do not see, and text that looks like a control token: allowed, but worth a word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from mistraltune.data.findings import Problem
from mistraltune.data.message_rules import join_chunks

# Zero-width joiners are left out: emoji, Persian and the scripts of India need them.
_ODD_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_CONTROL_TOKEN = re.compile(
    r"</?s>|<unk>|<pad>|<\|[a-z_]{1,40}\|>"
    r"|\[/?(?:INST|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\]|\[(?:TOOL_CALLS|TOOL_CONTENT|IMG|PREFIX|SUFFIX)\]"
)
# What must stand in a row's bytes for one of the above to stand in its texts. Patterns that begin with one plain
# character are searched for at memory speed.
_ODD_ESCAPE = re.compile(rb"\\[ubf]")
_ODD_UTF8 = re.compile(rb"\xe2[\x80\x81]|\xc2[\x80-\x9f]|\xef\xbb\xbf")
_CONTROL_ANGLE = re.compile(rb"<[/|sup]")
_CONTROL_BRACKET = re.compile(rb"\[/?[A-Z]")


def character_problems(row: dict[str, Any], text: bytes) -> list[Problem]:
    """Warnings about invisible characters and about text that looks like a control token.

    Args:
        row: The parsed row.
        text: The row's bytes: a look at them tells whether a look at the row is worth its time.
    """
    problems: list[Problem] = []
    if _ODD_ESCAPE.search(text) or b"\x7f" in text or (not text.isascii() and _ODD_UTF8.search(text)):
        problems += first_match(row, _ODD_CHARACTER, _odd_character)
    if _CONTROL_BRACKET.search(text) or _CONTROL_ANGLE.search(text):
        problems += first_match(row, _CONTROL_TOKEN, _control_token)
    return problems


def first_match(
    row: dict[str, Any], pattern: re.Pattern[str], describe: Callable[[str, str], Problem]
) -> list[Problem]:
    """A warning about the first place in a row's texts where `pattern` matches."""
    for where, text in texts_of(row):
        if match := pattern.search(text):
            return [describe(where, match.group())]
    return []


def _odd_character(where: str, character: str) -> Problem:
    name = unicodedata.name(character, "a control character")
    return Problem("invisible-character", f"{where} holds U+{ord(character):04X} ({name})", "", is_error=False)


def _control_token(where: str, token: str) -> Problem:
    return Problem("control-token", f"{where} holds {token}", "it is tokenised as text, not as a token", is_error=False)


def escaped(text: str) -> str:
    """Text for a terminal, with what does not show, or would steer the terminal, written as an escape."""
    return _ODD_CHARACTER.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def texts_of(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each text that a model reads, with its place in the row."""
    for key in ("instruction", "input", "output", "prompt", "completion"):
        if isinstance(row.get(key), str):
            yield f"`{key}`", row[key]
    for key in ("messages", "prompt", "completion"):
        messages = row.get(key)
        for index, message in enumerate(messages if isinstance(messages, list) else ()):
            if isinstance(message, dict) and isinstance(message.get("content"), str | list):
                yield f"{key}[{index}].content", join_chunks(message["content"])
