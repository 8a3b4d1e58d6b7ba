"""What takes a while to find out: one thing at a time, each remembered, and no crowd waiting."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from mistraltune.serve.refusals import Refusal

Found = TypeVar("Found")


class Studies:
    """Results by what they are about, found out by one thread at a time.

    Keys must name what never changes: an uploaded file is named by its id, of which the content stays the same.

    Args:
        max_remembered: So many results are kept, the latest used.
        max_waiting: So many may wait for theirs; more are sent away.
    """

    def __init__(self, *, max_remembered: int = 64, max_waiting: int = 8) -> None:
        self.max_remembered = max_remembered
        self.max_waiting = max_waiting
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._num_waiting = 0
        self._lock = threading.Lock()
        self._working = threading.Lock()

    def get(self, key: Hashable, find_out: Callable[[], Found]) -> Found:
        """What `find_out` returned for this key, now or before; what it raises is raised and not remembered.

        Raises:
            Refusal: 503, too many wait already.
        """
        with self._lock:
            if key in self._results:
                return cast("Found", self._remembered(key))
            if self._num_waiting >= self.max_waiting:
                message = "the server is busy with other files; ask again in a moment"
                raise Refusal(503, message, headers={"Retry-After": "5"})
            self._num_waiting += 1
        try:
            return self._find_out(key, find_out)
        finally:
            with self._lock:
                self._num_waiting -= 1

    def _find_out(self, key: Hashable, find_out: Callable[[], Found]) -> Found:
        with self._working:
            with self._lock:
                if key in self._results:  # another one asked for the same
                    return cast("Found", self._remembered(key))
            found = find_out()
            with self._lock:
                self._results[key] = found
                while len(self._results) > self.max_remembered:
                    self._results.popitem(last=False)
            return found

    def _remembered(self, key: Hashable) -> Any:
        self._results.move_to_end(key)
        return self._results[key]
