"""Tool calls as Mistral's formats write them: read out of a completion, and compared."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from mistraltune.data.conversation import ToolCall
from mistraltune.data.mistral_tokens import MistralTokens


def parse_completion(tokens: MistralTokens, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and tool calls of a completion, read up to its end-of-sequence token.

    Calls that cannot be read stay in the text, control tokens shown.
    """
    token_ids = list(itertools.takewhile(lambda token: token != tokens.eos, token_ids))
    if tokens.tool_calls not in token_ids:
        return tokens.decode(token_ids), ()
    first_call = token_ids.index(tokens.tool_calls)
    try:
        calls = _parse_calls(tokens, token_ids[first_call:])
    except (ValueError, LookupError, TypeError, RecursionError):
        return tokens.decode(token_ids, skip_special_tokens=False), ()
    return tokens.decode(token_ids[:first_call]), calls


def same_calls(rendered: Sequence[ToolCall], given: Sequence[ToolCall]) -> bool:
    """Whether calls are equal by name, JSON arguments and, in formats that write one, id."""
    return len(rendered) == len(given) and all(
        mine.name == theirs.name
        and mine.id in ("", theirs.id)
        and json_value(mine.arguments, members=tuple) == json_value(theirs.arguments, members=tuple)
        for mine, theirs in zip(rendered, given, strict=True)
    )


def json_value(text: str, *, members: Callable[[list[tuple[str, Any]]], object] = dict) -> object:
    """What mistral-common reads in arguments or results: JSON, nothing as an empty object, else the text itself.

    Args:
        text: The arguments or the result.
        members: What to make of an object's members; a tuple of them shows a name that occurs twice.
    """
    try:
        return json.loads(text or "{}", object_pairs_hook=members)
    except ValueError:
        return text


def _parse_calls(tokens: MistralTokens, token_ids: list[int]) -> tuple[ToolCall, ...]:
    """The calls in `[TOOL_CALLS]` and what follows it: one JSON list, or since v11 one section per call."""
    if tokens.args not in token_ids:
        entries = _strict_json(tokens.decode(token_ids))
        return tuple(
            ToolCall(id=entry.get("id", ""), name=entry["name"], arguments=_text(entry["arguments"]))
            for entry in entries
        )
    starts = [index for index, token in enumerate(token_ids) if token == tokens.tool_calls]
    sections = itertools.pairwise([*starts, len(token_ids)])
    return tuple(_parse_section(tokens, token_ids[start + 1 : end]) for start, end in sections)


def _parse_section(tokens: MistralTokens, token_ids: list[int]) -> ToolCall:
    """One call as v11 and later write it: `name[CALL_ID]id[ARGS]{...}`, the id left out since v13."""
    args = token_ids.index(tokens.args) if tokens.args is not None else len(token_ids)
    name_end = token_ids.index(tokens.call_id) if tokens.call_id in token_ids[:args] else args
    arguments = _strict_json(tokens.decode(token_ids[args + 1 :]))
    return ToolCall(
        id=tokens.decode(token_ids[name_end:args]), name=tokens.decode(token_ids[:name_end]), arguments=_text(arguments)
    )


def _strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _text(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
