"""Losses as a row of characters."""

from __future__ import annotations

from mistraltune.cli.sparkline import curve_line, sparkline


def test_values_lie_between_their_smallest_and_their_largest() -> None:
    assert sparkline([4.0, 3.0, 2.0, 0.0]) == "█▆▅▁"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([]) == ""


def test_more_values_than_places_become_means_of_neighbours() -> None:
    assert sparkline([7.0, 7.0, 3.0, 5.0, 0.0, 0.0], width=3) == "█▅▁"


def test_a_curve_falls_with_the_loss_and_ends_where_the_run_does() -> None:
    points = [(step, 8.0 - step) for step in range(8)]
    assert curve_line(points, low=0.0, high=8.0, last=8, width=8) == "█▇▆▅▅▄▃▂"
    assert curve_line(points, low=0.0, high=8.0, last=16, width=8) == "█▆▄▂"
    assert curve_line([(4, 1.0)], low=1.0, high=1.0, last=8, width=8) == "    ▁"
    assert curve_line([], low=0.0, high=1.0, last=8) == ""
