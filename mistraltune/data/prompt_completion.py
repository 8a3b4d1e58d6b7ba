"""Rows of a `prompt` and a `completion`, as TRL has them: two texts, or two lists of messages.

Source: https://huggingface.co/docs/trl/dataset_formats, "Prompt-completion". As there, the completion alone is trained.
One thing differs: TRL trains two texts as bare text without a template; here they are a user message and its answer, as
every other row is, because it is chat models that are trained.
"""

from __future__ import annotations

import re
from typing import Any

from mistraltune.data.findings import Problem, excerpt, type_name
from mistraltune.data.message_rules import messages_problems
from mistraltune.data.tool_rules import tools_problems

_PLACE = re.compile(r"\bmessages\[(\d+)\]")
_FORM = "two texts, or two lists of messages"


def prompt_completion_problems(row: dict[str, Any]) -> list[Problem]:
    """Problems of a row with `prompt` and `completion`."""
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        tools = row.get("tools")
        return text_problems(prompt, completion) + (tools_problems(tools) if tools is not None else [])
    if isinstance(prompt, list) and isinstance(completion, list):
        return list_problems(prompt, completion, row.get("tools"))
    found = f"`prompt` is {type_name(prompt)} and `completion` {type_name(completion)}"
    return [Problem("content", found, f"write {_FORM}")]


def text_problems(prompt: str, completion: str) -> list[Problem]:
    """Problems of two texts."""
    problems = []
    if not prompt:
        problems.append(Problem("content", "`prompt` is empty: nothing is asked"))
    if not completion:
        problems.append(Problem("content", "`completion` is empty: nothing to train on"))
    return problems


def list_problems(prompt: list[Any], completion: list[Any], tools: Any) -> list[Problem]:
    """Problems of two lists of messages: those of the conversation that they make, and of where it is parted."""
    problems = border_problems(prompt, completion)
    if not (prompt and completion):
        return problems
    joined = messages_problems(joined_messages(prompt, completion), tools)
    return problems + [_in_place(problem, len(prompt)) for problem in joined]


def border_problems(prompt: list[Any], completion: list[Any]) -> list[Problem]:
    """Errors where the border between the two does not lie between a question and its answer."""
    problems = [
        Problem("content", f"`{name}` is empty", f"write {_FORM}")
        for name, messages in (("prompt", prompt), ("completion", completion))
        if not messages
    ]
    if problems:
        return problems
    if _role(prompt[-1]) == "assistant":
        hint = "an answer is trained whole: move it into `completion`, or end with a user or tool message"
        problems.append(Problem("order", "`prompt` ends with an assistant message", hint))
    if _role(completion[0]) not in ("assistant", None):
        hint = "move what is asked into `prompt`"
        problems.append(Problem("order", f"`completion` begins with a {_role(completion[0])} message", hint))
    for index, message in enumerate(prompt):
        if _role(message) == "assistant" and message.get("weight") not in (None, 0):
            found = f"prompt[{index}].weight is {excerpt(message['weight'])}, but a prompt is not trained"
            problems.append(Problem("weight", found, "remove it, or write the row as `messages`"))
    return problems


def joined_messages(prompt: str | list[Any], completion: str | list[Any]) -> list[Any]:
    """The conversation that both make, in the `messages` format; an assistant message of the prompt has weight 0."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    untrained = [{**message, "weight": 0} if _role(message) == "assistant" else message for message in prompt]
    return [*untrained, *completion]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _in_place(problem: Problem, num_prompt: int) -> Problem:
    """A problem of the joined messages, told by the list in which the author will look for it."""

    def place(match: re.Match[str]) -> str:
        index = int(match.group(1))
        return f"prompt[{index}]" if index < num_prompt else f"completion[{index - num_prompt}]"

    return problem._replace(message=_PLACE.sub(place, problem.message))
