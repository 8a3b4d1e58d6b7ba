"""YAML as a configuration needs it: one small document of plain values that builds nothing and refers to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16

_STR, _INT, _FLOAT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_LOOKS_LIKE_NO_NUMBER = re.compile(r"[-+]?0[0-7_]+|.*:.*")  # octal and base 60, which only YAML 1.1 takes for numbers


class StrictYamlError(ValueError):
    """What is wrong with a YAML text.

    Attributes:
        message: What is wrong, its key path included where there is one; never a value.
        line: Where, counted from 1; 0 where the text as a whole is meant.
    """

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read_text(path: Path) -> str:
    """The text of a file that may be a configuration by its size.

    Raises:
        OSError: It cannot be read.
        StrictYamlError: It is larger than 64 KiB, or no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise StrictYamlError(f"larger than {MAX_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StrictYamlError(f"byte 0x{content[error.start]:02x} is not UTF-8", line=line) from None


def find_key_lines(text: str) -> dict[str, int]:
    """Dotted path of each key to its line, counted from 1, of a text that is safe and unambiguous to load.

    Raises:
        StrictYamlError: The text is no YAML or nested deeper than 16 levels, holds several documents, tags, anchors,
            aliases or duplicate keys, or what YAML 1.1 reads as another number than it looks like.
    """
    try:
        refuse_constructs(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StrictYamlError(error.problem or "not YAML", line=mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise StrictYamlError(str(error).partition("\n")[0]) from None
    return dict(key_lines(root))


def refuse_constructs(text: str) -> None:
    """Raise where the text holds what is no plain value; reads events, which neither recurse nor expand aliases."""
    depth = num_documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        num_documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if num_documents > 1:
            raise StrictYamlError("a second YAML document (`---`) begins here", line=line)
        if depth > MAX_DEPTH:
            raise StrictYamlError(f"nested deeper than {MAX_DEPTH} levels", line=line)
        if getattr(event, "anchor", None):
            raise StrictYamlError("anchors (`&name`) and aliases (`*name`) are not read", line=line)
        if getattr(event, "tag", None):
            raise StrictYamlError("tags (`!name`) are not read", line=line)


def key_lines(node: yaml.Node | None, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each key of a mapping and of the mappings in it, with its line; scalars are checked on the way.

    Raises:
        StrictYamlError: A key stands twice, is no text, or a scalar is read as another number than it looks like.
    """
    if isinstance(node, yaml.ScalarNode):
        refuse_surprising_number(node, prefix.removesuffix("."))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from key_lines(item, prefix)
    elif isinstance(node, yaml.MappingNode):
        yield from mapping_lines(node, prefix)


def mapping_lines(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, int]]:
    """The part of `key_lines` that is about one mapping."""
    first_lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag != _STR:
            name = key.value if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
            raise StrictYamlError(f"{prefix}{name}: a key must be text, and YAML reads another thing here", line=line)
        path = f"{prefix}{key.value}"
        if path in first_lines:
            raise StrictYamlError(f"{path}: duplicate key, it stands on line {first_lines[path]} too", line=line)
        first_lines[path] = line
        yield path, line
        yield from key_lines(value, f"{path}.")


def refuse_surprising_number(node: yaml.ScalarNode, path: str) -> None:
    """Raise where YAML 1.1 reads `017` as 15 or `12:30:45` as 45045."""
    if node.style is None and node.tag in (_INT, _FLOAT) and _LOOKS_LIKE_NO_NUMBER.fullmatch(node.value):
        value = yaml.safe_load(node.value)
        where = f"{path}: " if path else ""
        line = node.start_mark.line + 1
        raise StrictYamlError(
            f"{where}YAML reads {node.value} as the number {value}; write that, or quote it", line=line
        )
