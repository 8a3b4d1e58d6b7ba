"""Prompts from a file: plain lines, or rows as they are trained on, with or without an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mistraltune.data.checking import parse_row, row_problems
from mistraltune.data.conversation import Conversation, ask
from mistraltune.data.findings import Finding, Findings
from mistraltune.data.lines import display_name
from mistraltune.data.reading import read_rows
from mistraltune.errors import ConfigError, DataError


def read_prompts(path: Path) -> list[Conversation]:
    """One prompt per line of text, or per row of a JSON Lines file; blank lines are left out.

    A file is JSON Lines when it begins with `{`. A row's last assistant message, where it has one, is what the models
    are asked for, and no part of the prompt.

    Raises:
        ConfigError: There is no such file.
        DataError: It is not UTF-8 text, holds no prompt, or rows of it are refused.
    """
    if not path.is_file():
        raise ConfigError(f"no such file: {display_name(path)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{display_name(path)} is not UTF-8 (byte offset {error.start})") from error
    prompts = read_prompt_rows(path) if text.lstrip().startswith("{") else prompt_lines(text)
    if not prompts:
        raise DataError(f"{display_name(path)} holds no prompt")
    return prompts


def prompt_lines(text: str) -> list[Conversation]:
    """A prompt per line."""
    return [ask(line.strip()) for line in text.split("\n") if line.strip()]


def read_prompt_rows(path: Path) -> list[Conversation]:
    """A prompt per row of a JSON Lines file.

    Raises:
        DataError: Rows are refused; every finding is named.
    """
    name = display_name(path)
    findings = Findings()
    prompts = []
    for row in read_rows(path):
        if row.problem:
            findings.add([row.problem])
            continue
        value = answered(row.value)
        problems = [Finding(name, row.number, *problem) for problem in row_problems(value)]
        findings.add(problems)
        if not any(finding.is_error for finding in problems):
            prompts.append(parse_row(value, f"{name}:{row.number}").prompt)
    findings.refuse_errors()
    return prompts


def answered(row: Any) -> Any:
    """The row as the checks want it, which know rows for training: with an answer at the end."""
    if not isinstance(row, dict):
        return row
    messages = row.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        is_open = messages[-1].get("role") in ("user", "tool")
        return {**row, "messages": [*messages, {"role": "assistant", "content": "-"}]} if is_open else row
    if "prompt" in row:
        anything = "-" if isinstance(row["prompt"], str) else [{"role": "assistant", "content": "-"}]
        return {**row, "completion": row.get("completion") or anything}
    return {**row, "output": row.get("output") or "-"} if "instruction" in row else row
