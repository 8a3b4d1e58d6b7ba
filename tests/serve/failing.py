"""A store whose disk is full at a chosen moment."""

from __future__ import annotations

import sqlite3
from typing import Any


class FailingConnection:
    """A connection whose Nth statement fails as a full disk makes it fail."""

    def __init__(self, connection: sqlite3.Connection, fail_at: int) -> None:
        self._connection = connection
        self._fail_at = fail_at
        self.num_statements = 0

    def _count(self) -> None:
        self.num_statements += 1
        if self.num_statements == self._fail_at:
            raise sqlite3.OperationalError("database or disk is full")

    def execute(self, *arguments: Any) -> Any:
        if arguments[0] != "ROLLBACK":
            self._count()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._count()
        return self._connection.executemany(*arguments)
