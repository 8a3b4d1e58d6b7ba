"""Turns of one conversation are no independent rows: intervals that know it cover, those that do not are too narrow."""

import random

import numpy as np
import pytest

from mistraltune.evaluation.clusters import (
    bootstrap_clusters,
    clustered_difference_interval,
    clustered_mean_interval,
    effective_size,
)
from mistraltune.evaluation.intervals import bootstrap_interval, mean_interval, newcombe_interval, wilson_interval


def conversations(generator: random.Random, number: int, share: float) -> tuple[list[float], list[int]]:
    """Answers in conversations of one to eight turns, of which some go well throughout and others badly."""
    values, clusters = [], []
    for cluster in range(number):
        luck = generator.betavariate(share, 1 - share)
        turns = generator.randrange(1, 9)
        values += [float(generator.random() < luck) for _ in range(turns)]
        clusters += [cluster] * turns
    return values, clusters


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_interval_of_a_share_covers_where_the_naive_one_does_not(share: float):
    generator = random.Random(11)
    covered = naive = 0
    num_trials = 400
    for _ in range(num_trials):
        values, clusters = conversations(generator, 60, share)
        found, plain = clustered_mean_interval(values, clusters), mean_interval(values)
        covered += found.low <= share <= found.high
        naive += plain.low <= share <= plain.high
    assert covered >= 0.92 * num_trials
    assert naive <= 0.85 * num_trials


def test_the_interval_of_a_mean_covers_where_the_naive_one_does_not():
    generator = random.Random(12)
    covered = naive = 0
    num_trials = 60
    for _ in range(num_trials):
        values, clusters = [], []
        for cluster in range(60):
            centre = generator.uniform(0.2, 0.8)
            turns = generator.randrange(1, 9)
            values += [centre + generator.uniform(-0.1, 0.1) for _ in range(turns)]
            clusters += [cluster] * turns
        found, plain = clustered_mean_interval(values, clusters), bootstrap_interval(values)
        covered += found.low <= 0.5 <= found.high
        naive += plain.low <= 0.5 <= plain.high
    assert covered >= 0.88 * num_trials
    assert naive <= 0.8 * num_trials


def test_clusters_of_one_answer_are_independent_rows():
    values = [1.0] * 30 + [0.0] * 12
    alone = list(range(42))
    assert effective_size(values, alone) == pytest.approx(41, abs=1)
    found, plain = clustered_mean_interval(values, alone), wilson_interval(30, 42)
    assert found.low == pytest.approx(plain.low, abs=0.005)
    assert found.high == pytest.approx(plain.high, abs=0.005)


def test_answers_that_repeat_within_a_conversation_count_once():
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0] * 20
    clusters = [place // 3 for place in range(len(values))]
    assert effective_size(values, clusters) == pytest.approx(40, abs=1.1)


def test_without_any_difference_each_conversation_counts_once():
    clusters = [place // 5 for place in range(100)]
    assert effective_size([1.0] * 100, clusters) == 20
    assert clustered_mean_interval([1.0] * 100, clusters) == wilson_interval(20, 20)
    assert clustered_difference_interval([1.0] * 100, [1.0] * 100, clusters) == newcombe_interval(
        both=20, first_only=0, second_only=0, neither=0
    )


def test_one_conversation_is_one_observation():
    assert effective_size([1.0, 0.0, 1.0], [4, 4, 4]) == 1


def test_a_difference_in_clusters_is_wider_than_between_independent_rows():
    generator = random.Random(13)
    base, tuned, clusters = [], [], []
    for cluster in range(30):
        is_better = generator.random() < 0.6
        for _ in range(6):
            base.append(float(not is_better))
            tuned.append(float(is_better))
            clusters.append(cluster)
    found = clustered_difference_interval(base, tuned, clusters)
    naive = clustered_difference_interval(base, tuned, list(range(len(base))))
    assert found.high - found.low > 2 * (naive.high - naive.low)
    assert found.low <= np.mean(tuned) - np.mean(base) <= found.high


def test_the_bootstrap_of_a_mean_is_that_of_independent_rows_where_each_is_a_cluster():
    generator = random.Random(14)
    values = [generator.random() for _ in range(50)]
    sums = np.column_stack([values, np.ones(50)])
    found = bootstrap_clusters(sums, lambda drawn: drawn[:, 0] / drawn[:, 1])
    plain = bootstrap_interval(values)
    assert found.low == pytest.approx(plain.low, abs=0.01)
    assert found.high == pytest.approx(plain.high, abs=0.01)
