"""Whether two models differ on the rows where one is right and the other is wrong."""

from __future__ import annotations

from math import exp, fsum, lgamma, log


def mcnemar_p_value(first_only: int, second_only: int) -> float:
    """The two-sided p-value of McNemar's exact test: how often chance alone parts the rows so unevenly, or more so.

    Under the null hypothesis each row that only one of two models gets right falls to either with probability 1/2.

    Args:
        first_only: Rows that only the first gets right.
        second_only: Rows that only the second gets right.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947); exact by the binomial distribution, both tails.
    """
    num_rows = first_only + second_only
    fewer = min(first_only, second_only)
    if 2 * fewer == num_rows:
        return 1.0
    tail = fsum(exp(_log_probability(num_rows, count)) for count in range(fewer + 1))
    return min(1.0, 2 * tail)


def _log_probability(num_rows: int, count: int) -> float:
    """The logarithm of the probability that a fair coin falls on one side `count` times of `num_rows`."""
    return lgamma(num_rows + 1) - lgamma(count + 1) - lgamma(num_rows - count + 1) - num_rows * log(2)
