"""Curves with as many points as somebody looks at."""

from __future__ import annotations

from mistraltune.serve.run_series import thinned


def test_thinning_keeps_ends_and_extremes() -> None:
    steps = [{"step": n, "loss": 1.0} for n in range(100_000)]
    steps[12_345]["loss"], steps[67_890]["loss"] = 9.0, -9.0
    for max_points in (4, 5, 100, 2000):
        kept = thinned(steps, max_points, figure="loss")
        assert len(kept) <= max_points
        assert (kept[0]["step"], kept[-1]["step"]) == (0, 99_999)
        assert [each["step"] for each in kept] == sorted(each["step"] for each in kept)
        assert {12_345, 67_890} <= {each["step"] for each in kept}
