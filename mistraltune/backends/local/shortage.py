"""Out of memory, told in words: what was being done, and what to lower by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mistraltune.errors import ConfigError

WORDS_OF_TORCH = ("can't allocate memory", "not enough memory", "CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""How torch says that the CPU, or a library on the GPU, has no memory left; there is no error type for that."""


def is_shortage(error: BaseException) -> bool:
    """Whether `error` says that no memory was left: Python's own, CUDA's, or torch's on a CPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS_OF_TORCH)


@contextmanager
def explaining_shortage(doing: Callable[[], str], *, advice: Callable[[], str]) -> Iterator[None]:
    """Tell of memory that ran out.

    Args:
        doing: What was being done, such as `in step 7`.
        advice: What to lower, and how much that saves.

    Raises:
        ConfigError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"out of memory {doing()}: {reason}", hint=advice() or "take a smaller model, or shorter rows"
        ) from error
