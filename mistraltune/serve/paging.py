"""Lists, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query

Page = Annotated[int, Query(ge=0, le=10**9)]
"""Number of a page, from 0."""

PageSize = Annotated[int, Query(ge=1, le=1000)]
"""Entries of a page."""

Entry = TypeVar("Entry")


def on_page(entries: Sequence[Entry], page: int, page_size: int) -> list[Entry]:
    """The entries that stand on a page; none behind the last."""
    return list(entries[page * page_size : (page + 1) * page_size])
