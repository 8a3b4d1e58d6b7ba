"""McNemar's exact test, as scipy's binomial test has it."""

import pytest
from scipy.stats import binomtest

from mistraltune.evaluation.significance import mcnemar_p_value


@pytest.mark.parametrize("total", [1, 2, 3, 10, 31, 200, 5_000])
def test_the_p_value_is_that_of_the_binomial_test(total: int):
    for first_only in {0, 1, total // 3, total // 2, total - total // 4, total}:
        expected = binomtest(first_only, total).pvalue
        assert mcnemar_p_value(first_only, total - first_only) == pytest.approx(expected, rel=1e-9)


def test_rows_that_fall_evenly_or_not_at_all_say_nothing():
    assert mcnemar_p_value(0, 0) == 1.0
    assert mcnemar_p_value(7, 7) == 1.0
    assert mcnemar_p_value(3, 9) == mcnemar_p_value(9, 3)


def test_many_rows_are_no_trouble():
    assert mcnemar_p_value(40_000, 60_000) < 1e-300
    assert mcnemar_p_value(50_000, 50_200) == pytest.approx(0.5294, abs=1e-3)
