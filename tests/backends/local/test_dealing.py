from __future__ import annotations

import pytest
from torch.utils.data import SequentialSampler

from mistraltune.backends.local.dealing import DealtBatches


def deal(num_rows: int, *, batch_size: int, num_processes: int) -> list[list[list[int]]]:
    """The batches of every process."""
    order = SequentialSampler(range(num_rows))
    return [
        list(DealtBatches(order, batch_size=batch_size, rank=rank, num_processes=num_processes))
        for rank in range(num_processes)
    ]


def test_a_process_alone_gets_every_batch() -> None:
    assert deal(5, batch_size=2, num_processes=1) == [[[0, 1], [2, 3], [4]]]


def test_where_rows_run_out_the_last_batches_are_smaller_or_empty_and_no_row_comes_twice() -> None:
    assert deal(7, batch_size=2, num_processes=3) == [[[0, 1], [6]], [[2, 3], []], [[4, 5], []]]


@pytest.mark.parametrize("num_rows", [1, 4, 7, 12, 13])
@pytest.mark.parametrize("num_processes", [1, 2, 3, 8])
def test_each_step_has_the_rows_that_one_process_with_the_whole_batch_would_have(
    num_rows: int, num_processes: int
) -> None:
    dealt = deal(num_rows, batch_size=2, num_processes=num_processes)
    (alone,) = deal(num_rows, batch_size=2 * num_processes, num_processes=1)
    together = [[row for share in shares for row in share] for shares in zip(*dealt, strict=True)]
    assert together == alone


def test_as_many_batches_are_promised_as_come() -> None:
    batches = DealtBatches(SequentialSampler(range(7)), batch_size=2, rank=2, num_processes=3)
    assert len(batches) == len(list(batches)) == 2
