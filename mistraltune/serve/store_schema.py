"""The tables of the store, by version, and an open file brought to the present one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mistraltune.errors import ConfigError
from mistraltune.serve.records import Status

VERSION = 2
"""`PRAGMA user_version` of a store that this code reads."""

REPLIES = """
CREATE TABLE replies (
    key TEXT PRIMARY KEY, created_at INTEGER NOT NULL, request_sha256 TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
"""

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE files (
    id TEXT PRIMARY KEY, created_at INTEGER NOT NULL, sha256 TEXT NOT NULL, filename TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, created_at INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ({", ".join(f"'{status}'" for status in Status)})),
    log_offset INTEGER NOT NULL DEFAULT 0, document TEXT NOT NULL
) STRICT;
CREATE TABLE events (
    job_id TEXT NOT NULL REFERENCES jobs (id), seq INTEGER NOT NULL, created_at INTEGER NOT NULL,
    name TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_status ON jobs (status);
{REPLIES}
PRAGMA user_version = {VERSION};
COMMIT;
"""

FROM_VERSION_1 = f"BEGIN IMMEDIATE; {REPLIES} PRAGMA user_version = {VERSION}; COMMIT;"


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of an older version up to date; from here on, what is committed is on the disk.

    Args:
        connection: In autocommit mode.
        path: The file, for messages.

    Raises:
        ConfigError: A newer MistralTune wrote the file.
        sqlite3.DatabaseError: It is damaged, or no database.
    """
    execute = connection.execute
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA foreign_keys = ON")
    version = execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(SCHEMA)
    elif version == 1:
        connection.executescript(FROM_VERSION_1)
    elif version != VERSION:
        raise ConfigError(f"{path} is of version {version}, not {VERSION}", hint="upgrade MistralTune")
    damage = execute("PRAGMA quick_check").fetchone()[0]
    if damage != "ok":
        raise sqlite3.DatabaseError(damage)
