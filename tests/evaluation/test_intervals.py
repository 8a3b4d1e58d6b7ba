from functools import cache

import numpy as np
import pytest
from scipy import stats

from mistraltune.evaluation.intervals import (
    are_binary,
    bootstrap_interval,
    difference_interval,
    mean_interval,
    newcombe_interval,
    resampled_means,
    wilson_interval,
)
from mistraltune.results import Interval


def covers(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("num_trials", [1, 2, 10, 40, 110, 1000])
def test_wilson_equals_scipy(num_trials):
    for num_successes in range(0, num_trials + 1, max(1, num_trials // 10)):
        oracle = stats.binomtest(num_successes, num_trials).proportion_ci(method="wilson")
        found = wilson_interval(num_successes, num_trials)
        assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_wilson_reaches_the_edges_exactly():
    assert wilson_interval(0, 40).low == 0.0
    assert wilson_interval(40, 40).high == 1.0
    assert wilson_interval(0, 40).high == pytest.approx(1 - wilson_interval(40, 40).low)


def test_without_rows_nothing_is_known():
    assert wilson_interval(0, 0) == Interval(low=0.0, high=1.0)
    assert newcombe_interval(both=0, first_only=0, second_only=0, neither=0) == Interval(low=-1.0, high=1.0)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([])


@cache
def intervals_by_successes(num_rows: int) -> list[tuple[Interval, Interval]]:
    """Wilson and percentile bootstrap for every possible number of successes."""
    rows = [[1.0] * successes + [0.0] * (num_rows - successes) for successes in range(num_rows + 1)]
    return [(mean_interval(values), bootstrap_interval(values)) for values in rows]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
def test_wilson_covers_the_true_share_in_forty_rows(share):
    drawn = np.random.default_rng(1).binomial(40, share, size=20_000)
    wilson = np.mean([covers(intervals_by_successes(40)[successes][0], share) for successes in drawn])
    assert wilson >= 0.92


def test_the_percentile_bootstrap_would_cover_half_as_often_near_the_edge():
    drawn = np.random.default_rng(1).binomial(40, 0.98, size=20_000)
    bootstrap = np.mean([covers(intervals_by_successes(40)[successes][1], 0.98) for successes in drawn])
    assert bootstrap == pytest.approx(0.55, abs=0.02)


@pytest.mark.parametrize(
    ("table", "difference", "interval"),
    [
        # Fagerland, Lydersen and Laake, "Statistical Analysis of Contingency Tables" (2017), chapter 8, as their
        # R package contingencytables computes it: complete response before and after therapy (Cavo et al. 2012).
        ((59, 6, 16, 80), -0.0621, (-0.1186, -0.0046)),
        # The same package's test of a table with perfect agreement.
        ((1, 0, 0, 1), 0.0, (-0.5734, 0.5734)),
        # Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875: airway hyper-responsiveness
        # before and after stem cell transplantation (Bentur et al. 2009); quoted by the tests of the R package ratesci.
        ((1, 1, 7, 12), -0.2857, (-0.507, -0.026)),
    ],
)
def test_newcombe_equals_published_examples(table, difference, interval):
    both, first_only, second_only, neither = table
    found = newcombe_interval(both=both, first_only=first_only, second_only=second_only, neither=neither)
    assert (first_only - second_only) / sum(table) == pytest.approx(difference, abs=5e-5)
    digits = 4 if len(str(interval[0])) > 6 else 3
    assert (round(found.low, digits), round(found.high, digits)) == interval


def test_newcombe_keeps_a_width_where_all_rows_agree():
    for both, neither in ((40, 0), (0, 40), (20, 20)):
        found = newcombe_interval(both=both, first_only=0, second_only=0, neither=neither)
        assert found.low < 0 < found.high
        assert found.low == pytest.approx(-found.high)


def test_newcombe_stays_within_its_range_and_turns_with_its_arguments():
    for table in [(0, 40, 0, 0), (0, 0, 40, 0), (5, 30, 2, 3), (38, 1, 1, 0)]:
        both, first_only, second_only, neither = table
        one = newcombe_interval(both=both, first_only=first_only, second_only=second_only, neither=neither)
        other = newcombe_interval(both=both, first_only=second_only, second_only=first_only, neither=neither)
        assert -1.0 <= one.low <= (first_only - second_only) / 40 <= one.high <= 1.0
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@pytest.mark.parametrize(
    "shares", [(0.5, 0.2, 0.1, 0.2), (0.96, 0.02, 0.0, 0.02), (0.02, 0.0, 0.02, 0.96), (0, 0.9, 0, 0.1)]
)
def test_newcombe_covers_the_true_difference_in_forty_rows(shares):
    tables = np.random.default_rng(2).multinomial(40, shares, size=5000)
    names = ("both", "first_only", "second_only", "neither")
    hits = [
        covers(newcombe_interval(**dict(zip(names, map(int, table), strict=True))), shares[1] - shares[2])
        for table in tables
    ]
    assert np.mean(hits) >= 0.92


def test_the_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(3).beta(2, 1, size=60)
    oracle = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(4)
    ).confidence_interval
    found = bootstrap_interval(values.tolist())
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.006)


def test_the_bootstrap_is_repeatable():
    values = [0.1, 0.5, 0.9, 1.0]
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_a_long_column_is_resampled_in_blocks_of_bounded_size():
    blocks = list(resampled_means(np.linspace(0, 1, 3000)))
    assert sum(map(len, blocks)) == 10_000
    assert max(map(len, blocks)) * 3000 <= 1_000_000


def test_scores_that_are_all_equal_have_the_interval_that_their_scale_allows():
    assert mean_interval([1.0] * 10) == wilson_interval(10, 10)
    same = mean_interval([0.5] * 10)
    assert (same.low, same.high) == pytest.approx((0.5, 0.5))


def test_a_difference_is_fine_tuned_minus_base_over_pairs():
    base, tuned = [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]
    assert difference_interval(base, tuned) == newcombe_interval(both=1, first_only=2, second_only=1, neither=0)
    paired = difference_interval([0.1, 0.5, 0.9] * 4, [0.2, 0.6, 1.0] * 4)
    assert (paired.low, paired.high) == pytest.approx((0.1, 0.1))  # every pair gains the same: no spread
    with pytest.raises(ValueError, match="shorter"):
        difference_interval([0.0], [0.0, 1.0])


def test_only_zeros_and_ones_are_a_proportion():
    assert are_binary([0.0, 1.0, 1])
    assert not are_binary([0.0, 0.5])


@pytest.mark.parametrize("num_rows", [1, 3, 9])
def test_of_few_rows_a_difference_of_scores_is_no_more_certain_than_they_allow(num_rows):
    generator = np.random.default_rng(7)
    scores = np.concatenate([np.zeros(30), np.ones(40), generator.uniform(0.2, 0.9, 30)])  # as F1 may be
    better = np.minimum(scores + 0.1, 1.0)
    rows = [generator.integers(0, 100, num_rows) for _ in range(400)]
    held = [covers(difference_interval(scores[row], better[row]), np.mean(better - scores)) for row in rows]
    assert np.mean(held) > 0.97  # the bootstrap's: 0, 0.74 and 0.88
