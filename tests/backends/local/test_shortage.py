"""Every way in which memory runs out is told in one message with advice."""

from __future__ import annotations

import pytest
import torch

from mistraltune.backends.local.shortage import explaining_shortage
from mistraltune.errors import ConfigError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"), "CUDA out of memory. Tried"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "CUDA error"),
    ],
)
def test_a_shortage_is_told_with_its_place_and_advice(error: Exception, reason: str) -> None:
    with pytest.raises(ConfigError) as told, explaining_shortage(lambda: "in step 7", advice=lambda: "lower it"):
        raise error
    assert told.value.message.startswith(f"out of memory in step 7: {reason}")
    assert "\n" not in told.value.message
    assert told.value.hint == "lower it"
    assert told.value.exit_code == 2


def test_torchs_own_shortage_on_a_cpu_is_known_by_its_words() -> None:
    with (
        pytest.raises(ConfigError, match="out of memory while loading"),
        explaining_shortage(lambda: "while loading", advice=str),
    ):
        torch.empty(2**60)
