"""What follows from a series of validation losses."""

from __future__ import annotations

import pytest

from mistraltune.backends.local.validations import Validation, find_best, num_since_lower, read_validations


def losses(*values: float) -> list[Validation]:
    return [Validation(step, loss) for step, loss in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "min_delta", "expected"),
    [
        ((), 0, 0),
        ((2.0,), 0, 0),
        ((2.0, 1.0, 0.5), 0, 0),
        ((2.0, 2.0, 2.0), 0, 2),
        ((2.0, 1.0, 1.5, 1.2), 0, 2),
        ((2.0, 1.95, 1.9), 0.1, 2),
        ((2.0, 1.95, 1.85), 0.1, 0),
        ((float("nan"), float("nan")), 0, 2),
    ],
)
def test_patience_counts_from_the_last_loss_that_was_lower(
    values: tuple[float, ...], min_delta: float, expected: int
) -> None:
    assert num_since_lower(losses(*values), min_delta=min_delta) == expected


def test_of_equal_losses_the_first_is_the_best() -> None:
    assert find_best(losses(2.0, 1.0, 1.0)) == Validation(2, 1.0)
    assert find_best([]) is None


def test_validations_are_read_from_a_history() -> None:
    history = [{"event": "step", "step": 1, "loss": 3.0}, {"event": "validation", "step": 1, "val_loss": 2.0}]
    assert read_validations(history) == [Validation(1, 2.0)]
