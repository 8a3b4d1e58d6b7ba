"""Random tokens for browsers: only their hashes are kept, each as the name of an empty file.

A file can be made by one process (`serve link`) and used up by another (the server), and taking it away is what makes a
token good for once: of two that try, one finds nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from pathlib import Path


class Tickets:
    """The valid tokens of one kind.

    Args:
        folder: Holds a file for each.
        seconds: How long one is valid.
        limit: So many are valid at a time; one more, and the oldest is none any longer.
    """

    def __init__(self, folder: Path, *, seconds: float, limit: int) -> None:
        self.folder = folder
        self.seconds = seconds
        self.limit = limit

    def issue(self) -> str:
        """A new token of 256 bits, fit for a URL and a cookie."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        token = secrets.token_urlsafe(32)
        self._path(token).touch(mode=0o600, exist_ok=False)
        return token

    def is_valid(self, token: str) -> bool:
        """Whether a token was issued here, is not too old, and was not revoked."""
        try:
            return time.time() - self._path(token).stat().st_mtime < self.seconds
        except FileNotFoundError:
            return False

    def use_up(self, token: str) -> bool:
        """Whether a token was valid; it is not from now on."""
        was_valid = self.is_valid(token)
        try:
            self._path(token).unlink()
        except FileNotFoundError:  # somebody else was quicker
            return False
        return was_valid

    def _path(self, token: str) -> Path:
        return self.folder / hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    def _sweep(self) -> None:
        ages: list[tuple[float, Path]] = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                ages.append((time.time() - path.stat().st_mtime, path))
        ages.sort()
        for place, (age, path) in enumerate(ages):
            if age >= self.seconds or place >= self.limit - 1:
                path.unlink(missing_ok=True)
