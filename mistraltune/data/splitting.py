"""A file of rows divided into train, validation and test, duplicates kept together."""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mistraltune.data.checking import parse_row
from mistraltune.data.conversation import Conversation
from mistraltune.data.findings import Findings, counted
from mistraltune.data.lines import Lines, display_name, open_data
from mistraltune.data.reading import checked_rows
from mistraltune.data.strict_json import LineError
from mistraltune.data.writing import write_files
from mistraltune.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAIN, VAL, TEST = range(3)
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """How a file was divided.

    Attributes:
        files: The file of each part that was asked for: `train`, and `val` and `test` where their share is above 0.
        num_rows: The rows of each of these parts.
        num_duplicates: Rows that repeat an earlier one, letter case, width and white space aside.
        num_near: Further rows that are nearly equal to another one, where that was asked for.
        written: The files that were written; the others held the same rows already.
    """

    files: dict[str, Path]
    num_rows: dict[str, int]
    num_duplicates: int
    num_near: int
    written: tuple[Path, ...]


def split_file(  # noqa: PLR0913 - the options of one command
    source: Path,
    out_dir: Path,
    *,
    val: float = 0.1,
    test: float = 0.0,
    seed: int = 42,
    near: float | None = None,
    replace: bool = False,
    on_progress: Callable[[int], None] = lambda num_done: None,
) -> Split:
    """Divide a JSON Lines file; lines are copied byte for byte, in their order.

    Which part a row falls into follows from the seed and what the row says, so that duplicates share a part. Memory
    holds 8 bytes a row, and some 20 more while the parts are chosen.

    Args:
        source: The file.
        out_dir: Gets `train.jsonl`, and `val.jsonl` and `test.jsonl` where their share is above 0.
        val: Share of the rows for validation, 0 to 1.
        test: Share of the rows for the test.
        seed: Another seed makes another choice.
        near: Least similarity of rows that must share a part too, see `near_duplicates`; None leaves it at equal rows.
        replace: Whether other files of these names may be replaced.
        on_progress: Hears how many rows have been looked at for near-duplicates.

    Raises:
        ConfigError: The shares leave nothing to train on, or a file of that name holds something else.
        DataError: Rows are refused, or too few to give every part one.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise ConfigError(f"shares of {val} and {test} leave nothing to train on", hint="0 <= val + test < 1")
    keys = content_keys(source, seed)
    num_duplicates = len(keys) - len(set(keys))
    if near is not None:
        join_near_rows(source, keys, near, on_progress=on_progress)
    parts, num_joined = assign_parts(keys, shares={VAL: val, TEST: test})
    wanted = [part for part, share in ((TRAIN, 1.0), (VAL, val), (TEST, test)) if share > 0]
    num_rows = {PARTS[part]: parts.count(part) for part in wanted}
    for name, number in num_rows.items():
        if number == 0:
            rows = f"{counted(len(keys), 'row')}, {num_joined} of them duplicates"
            raise DataError(f"{display_name(source)}: no rows would be left for {name} ({rows})")
    files = {PARTS[part]: out_dir / f"{PARTS[part]}.jsonl" for part in wanted}
    outputs = {files[PARTS[part]]: partial(lines_of_part, source, parts, part) for part in wanted}
    written = write_files(outputs, sources=[source], replace=replace)
    return Split(files, num_rows, num_duplicates, num_joined - num_duplicates, tuple(written))


def content_keys(source: Path, seed: int) -> array[int]:
    """A seeded 64-bit key of what each row says.

    Raises:
        DataError: Rows are refused; every finding is named.
    """
    findings = Findings()
    keys = array("Q")
    for row, found in checked_rows(source):
        findings.add(found)
        if row.problem is None and not findings.errors:
            keys.append(content_key(parse_row(row.value), seed=seed))
    findings.refuse_errors()
    return keys


def join_near_rows(source: Path, keys: array[int], threshold: float, *, on_progress: Callable[[int], None]) -> None:
    """Give rows that are nearly equal the same key, and with them all that are equal or nearly equal to one of them.

    Args:
        source: The file.
        keys: One per row; changed in place.
        threshold: Least similarity.
        on_progress: Hears how many rows have been looked at.
    """
    from mistraltune.data.conversation_file import ConversationFile
    from mistraltune.data.near_duplicates import near_pairs

    joined_to: dict[int, int] = {}  # a forest of keys, each pointing to one that stands for it

    def root(key: int) -> int:
        while (parent := joined_to.get(key)) is not None:
            joined_to[key] = joined_to.get(parent, parent)  # the next time the way is half as long
            key = parent
        return key

    for pair in near_pairs(ConversationFile.open(source, check=False), threshold, on_progress=on_progress):
        first, second = root(keys[pair.earlier]), root(keys[pair.row])
        if first != second:
            joined_to[second] = first
    for row, key in enumerate(keys):
        keys[row] = root(key)


def content_key(conversation: Conversation, *, seed: int = 0) -> int:
    """64 bits of what a conversation says: equal for conversations that differ in letter case or white space only."""
    digest = hashlib.blake2b(digest_size=8, key=str(seed).encode())
    for message in conversation.messages:
        digest.update(f"\x1e{message.role}\x1f{normalised(message.content)}".encode())
        for call in message.tool_calls:
            digest.update(f"\x1f{call.name}\x1f{normalised(call.arguments)}".encode())
    return int.from_bytes(digest.digest(), "big")


def normalised(text: str) -> str:
    """Text without what makes no difference: Unicode NFKC, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def assign_parts(keys: Sequence[int], *, shares: dict[int, float]) -> tuple[bytes, int]:
    """The part of each row, a byte each, and the number of duplicates.

    Groups of equal keys are dealt out in the order of their keys, which is random and yet always the same: to the
    first part that has room for the whole group, else to train. A part that came out short then takes groups from
    train while that brings it closer to its share.

    Args:
        keys: One per row.
        shares: Share of the rows, by part; train takes the rest.
    """
    import numpy as np

    _, groups, sizes = np.unique(np.asarray(keys, dtype=np.uint64), return_inverse=True, return_counts=True)
    room = {part: max(1, round(share * len(keys))) for part, share in shares.items() if share > 0}
    parts = np.full(len(sizes), TRAIN, dtype=np.uint8)
    for group, size in enumerate(sizes.tolist()):
        part = next((part for part, left in room.items() if size <= left), TRAIN)
        if part != TRAIN:
            parts[group] = part
            room[part] -= size
        elif not any(room.values()):
            break
    for part, left in room.items():
        _top_up(parts, sizes, part, left)
    return parts[groups].tobytes(), len(keys) - len(sizes)


def _top_up(parts: NDArray[np.uint8], sizes: NDArray[np.int64], part: int, room: int) -> None:
    """Move groups that are larger than the room left from train to `part`, smallest first, while it gets closer."""
    if room == 0:
        return
    candidates = [int(group) for group in sizes.argsort(kind="stable") if parts[group] == TRAIN]
    for group in candidates[:-1]:  # one group stays for training
        if sizes[group] >= 2 * room:
            return
        parts[group] = part
        room -= int(sizes[group])
        if room <= 0:
            return


def lines_of_part(source: Path, parts: bytes, part: int) -> Iterator[bytes]:
    """The lines of a file whose rows belong to `part`, line ends included.

    Raises:
        DataError: The file has changed since its rows were read.
    """
    row = 0
    with open_data(source) as file:
        lines = Lines(file)
        while True:
            try:
                text = next(lines)
            except StopIteration:
                break
            except LineError as error:
                raise _changed(source) from error
            if not text.strip(" \t"):
                continue
            if row == len(parts):
                raise _changed(source)
            if parts[row] == part:
                yield lines.text + (b"\r\n" if lines.raw.endswith(b"\r\n") else b"\n")
            row += 1
    if row != len(parts):
        raise _changed(source)


def _changed(source: Path) -> DataError:
    return DataError(f"{display_name(source)} changed while it was read", hint="start again")
