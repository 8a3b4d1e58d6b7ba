"""Quality gates: what a fine-tuned model must reach for a pipeline to go on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mistraltune.errors import ConfigError, GateError
from mistraltune.results import Comparison

GateKind = Literal["fail-under", "max-regression"]

TOLERANCE = 1e-9
"""0.8 - 0.7 is a little more than 0.1 in floating point; a gate of 0.1 is met all the same."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on a comparison.

    Attributes:
        kind: `fail-under`: the fine-tuned model scores at least `threshold`; `max-regression`: it scores at most
            `threshold` below the base.
        metric: Name of a score, higher being better.
        threshold: Between 0 and 1 where the evaluator's scores are known to be.
    """

    kind: GateKind
    metric: str
    threshold: float

    def __str__(self) -> str:
        """The gate as it is written on the command line."""
        return f"--{self.kind} {self.metric}={self.threshold:g}"

    def is_met(self, comparison: Comparison) -> bool:
        """Whether the comparison meets it, by the measured values; intervals do not enter."""
        if self.kind == "fail-under":
            return comparison.fine_tuned.metrics[self.metric] >= self.threshold - TOLERANCE
        return comparison.differences[self.metric].value >= -self.threshold - TOLERANCE

    def describe(self, comparison: Comparison) -> str:
        """The gate and what was measured."""
        base, tuned = comparison.base.metrics[self.metric], comparison.fine_tuned.metrics[self.metric]
        return f"{self}: {self.metric} is {tuned:.4f}, of the base {base:.4f}"


def parse_gates(fail_under: Iterable[str], max_regression: Iterable[str], *, scores: Collection[str]) -> list[Gate]:
    """The gates that `METRIC=V` options stand for.

    Args:
        fail_under: Values of `--fail-under`.
        max_regression: Values of `--max-regression`.
        scores: Names of the evaluator's scores, all between 0 and 1; empty where they are not known beforehand.

    Raises:
        ConfigError: An option is not METRIC=V, or names no score; the message lists the valid names.
    """
    gates = [parse_gate("fail-under", text, scores) for text in fail_under]
    return gates + [parse_gate("max-regression", text, scores) for text in max_regression]


def parse_gate(kind: GateKind, text: str, scores: Collection[str]) -> Gate:
    """One gate from `METRIC=V`."""
    metric, separator, number = text.partition("=")
    metric = metric.strip()
    if not separator or not metric:
        raise ConfigError(f"--{kind} {text!r} is not METRIC=V", hint=f"for example --{kind} exact_match=0.8")
    if scores:
        require_score(kind, metric, scores)
    try:
        threshold = float(number)
    except ValueError:
        raise ConfigError(f"--{kind} {text!r}: {number!r} is no number") from None
    if not math.isfinite(threshold) or (scores and not 0 <= threshold <= 1):
        raise ConfigError(f"--{kind} {text!r}: {metric} lies between 0 and 1", hint="give 80 percent as 0.8")
    return Gate(kind, metric, threshold)


def require_score(kind: GateKind, metric: str, scores: Collection[str]) -> None:
    """Make sure that `metric` is one of `scores`.

    Raises:
        ConfigError: It is not; the message lists the valid names.
    """
    if metric not in scores:
        raise ConfigError(f"--{kind}: there is no score {metric!r} here", hint=f"valid: {', '.join(scores)}")


def gate_results(comparison: Comparison, gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Each gate with the values it was checked against and whether it is met, for JSON readers.

    Raises:
        ConfigError: A gate names a score that no row has; the message lists those that there are.
    """
    for gate in gates:
        require_score(gate.kind, gate.metric, score_names(comparison))
    return [
        {
            "gate": gate.kind,
            "metric": gate.metric,
            "threshold": gate.threshold,
            "fine_tuned": comparison.fine_tuned.metrics[gate.metric],
            "base": comparison.base.metrics[gate.metric],
            "met": gate.is_met(comparison),
        }
        for gate in gates
    ]


def score_names(comparison: Comparison) -> list[str]:
    """The scores that this comparison has, in the evaluator's order."""
    names = dict.fromkeys(name for prediction in comparison.base.predictions for name in prediction.scores)
    return [name for name in names if name in comparison.base.metrics and name in comparison.fine_tuned.metrics]


def check_gates(comparison: Comparison, gates: Sequence[Gate], *, details: dict[str, Any] | None = None) -> None:
    """Let a comparison pass that meets all gates.

    Args:
        comparison: What was measured.
        gates: The conditions.
        details: Facts for the error's JSON readers.

    Raises:
        ConfigError: A gate names a score that no row has.
        GateError: A gate is not met; the message names every such gate.
    """
    results = gate_results(comparison, gates)
    failed = [gate for gate, result in zip(gates, results, strict=True) if not result["met"]]
    if not failed:
        return
    lines = "".join(f"\n  {gate.describe(comparison)}" for gate in failed)
    count = "1 quality gate is" if len(failed) == 1 else f"{len(failed)} quality gates are"
    raise GateError(f"{count} not met:{lines}", details=details)
