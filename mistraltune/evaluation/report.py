"""A comparison as one HTML file: no script, no external asset, readable on a phone, on paper and in the dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.evaluation import wording
from mistraltune.evaluation.comparing import Pair, paired
from mistraltune.evaluation.gates import score_names
from mistraltune.evaluation.intervals import FEWEST_ROWS
from mistraltune.evaluation.leakage import describe_overlap
from mistraltune.evaluation.running import ModelComparison
from mistraltune.interfaces import Sampling
from mistraltune.results import Comparison, Interval, ModelRef

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE = "report.html.jinja"
WORDS = ("label", "figure", "gain", "span", "signed_span", "probability", "row_name", "rows")
"""What the template takes from `wording`."""
METRIC_NOTES = {
    "rouge_l": "ROUGE-L: F measure of rouge-score (Lin 2004) without stemming, words of any script.",
    "chrf": "chrF: mean of sacrebleu's sentence chrF2 (Popović 2015).",
    "bleu": (
        "BLEU: sacrebleu's corpus BLEU, tokenizer 13a, a score of all answers together and no mean over rows; "
        "a row's badge shows its sentence BLEU."
    ),
    "json_valid": "Valid JSON: the share of answers that are JSON from the first character to the last.",
    "edit_similarity": "Edit similarity: 1 minus the Levenshtein distance in characters over the longer length.",
}
"""What a reader must know of a metric."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One value with its interval on a chart's axis, in percent of the axis' width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Axis:
    """A chart's horizontal scale.

    Attributes:
        low: Value at the left end.
        high: Value at the right end.
        step: Distance of the ticks.
        in_percent: Whether ticks are written in percent, as shares are.
    """

    low: float
    high: float
    step: float
    in_percent: bool

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the width; beyond an end it lies at that end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def mark(self, value: float, interval: Interval) -> Mark:
        """A value and its interval on this axis."""
        return Mark(at=self.place(value), low=self.place(interval.low), high=self.place(interval.high))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and text of each tick, both ends included; on an axis with a negative side, texts have a sign."""
        values = [self.low + index * self.step for index in range(round((self.high - self.low) / self.step) + 1)]
        return [(self.place(value), self.tick_text(value)) for value in values]

    def tick_text(self, value: float) -> str:
        """The value as a tick says it."""
        sign = "+" if self.low < 0 < value else ""
        return f"{sign}{100 * value:.0f}" if self.in_percent else f"{sign}{value:g}"


def template_environment(folder: Path) -> Environment:
    """Jinja for the HTML templates of a folder: everything is escaped, and a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_report(compared: ModelComparison, *, created_at: str, versions: Mapping[str, str]) -> str:
    """The report's HTML.

    Args:
        compared: What was found.
        created_at: The date, as it shall be printed.
        versions: Of the libraries that took part.
    """
    environment = template_environment(Path(__file__).parent)
    environment.globals.update({name: getattr(wording, name) for name in WORDS})
    comparison = compared.comparison
    return environment.get_template(TEMPLATE).render(
        headline=wording.headline(comparison) if comparison else "Two models, side by side",
        comparison=comparison,
        findings=comparison_part(comparison) if comparison else None,
        answers=compared.answers,
        fewest_rows=FEWEST_ROWS,
        models={"Base": model_facts(compared.base), "Fine-tuned": model_facts(compared.fine_tuned)},
        facts=dict(run_facts(compared, created_at=created_at, versions=versions)),
        created_at=created_at,
    )


def comparison_part(comparison: Comparison) -> dict[str, Any]:
    """What the template needs to draw a comparison."""
    pairs = list(paired(comparison.base, comparison.fine_tuned))
    scores = score_names(comparison)
    reports = (comparison.base, comparison.fine_tuned)
    return {
        "evidence": wording.evidence(comparison),
        "scores": scores,
        "charted": [name for name in scores if all(name in report.intervals for report in reports)],
        "shapes": [name for name in comparison.differences if name not in scores],
        "score_axis": score_axis(comparison, scores),
        "difference_axis": difference_axis(comparison, scores),
        "verdicts": {name: wording.verdict(difference) for name, difference in comparison.differences.items()},
        "has_p_values": any(difference.p_value is not None for difference in comparison.differences.values()),
        "slices": {field: list(slices) for field, slices in groupby(comparison.slices, key=attrgetter("field"))},
        "changed": [pairs[place - 1] for place in comparison.changed_rows],
        "pairs": pairs,
        "notes": [METRIC_NOTES[name] for name in scores if name in METRIC_NOTES],
        "summary": summary,
    }


def score_axis(comparison: Comparison, scores: Sequence[str]) -> Axis:
    """An axis from 0 to 1, or to a round number beyond the highest score of an evaluator with another scale."""
    reports = (comparison.base, comparison.fine_tuned)
    highs = (report.intervals[name].high for report in reports for name in scores if name in report.intervals)
    reach = max(highs, default=1.0)
    end = 1.0 if reach <= 1 else float(math.ceil(reach))
    return Axis(0.0, end, end / 4, in_percent=wording.SHARES.issuperset(scores))


def difference_axis(comparison: Comparison, scores: Sequence[str]) -> Axis:
    """A symmetric axis around 0 that holds all intervals, its ends and ticks round numbers."""
    intervals = [comparison.differences[name].interval for name in scores]
    reach = max((max(abs(interval.low), abs(interval.high)) for interval in intervals), default=1.0)
    end = next((end for end in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if reach <= end), float(math.ceil(reach)))
    return Axis(-end, end, end / 2, in_percent=wording.SHARES.issuperset(scores))


def summary(pair: Pair) -> str:
    """The start of a row's last user message, on one line."""
    contents = [message["content"] for message in pair.base.prompt if message["role"] == "user"]
    return wording.shorten(str(contents[-1])) if contents else ""


def model_facts(ref: ModelRef) -> dict[str, str]:
    """Which model it was, exactly."""
    facts = {
        "Adapter": ref.adapter,
        "Base model" if ref.adapter else "Model": ref.model,
        "Revision": ref.revision,
        "Quantization": ref.quantization,
        "Backend": ref.backend,
        "Endpoint": ref.endpoint,
    }
    return {name: value for name, value in facts.items() if value}


def run_facts(compared: ModelComparison, *, created_at: str, versions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What one must know to repeat it."""
    if compared.comparison:
        report = compared.comparison.base
        yield "Evaluation file", Path(report.eval_file).name  # a page is passed on, its hash says which file it was
        yield "SHA-256", report.eval_sha256
        yield "Rows", wording.rows(report)
        yield "Evaluator", report.evaluator
        for name, value in report.options.items():
            yield name.capitalize(), ", ".join(value) if isinstance(value, list) else str(value)
        if overlap := compared.comparison.fine_tuned.overlap:
            yield "Training data", describe_overlap(overlap) or f"no row of {overlap.train_file} is evaluated"
    yield "Decoding", describe_sampling(compared.sampling)
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "Report made", created_at


def describe_sampling(sampling: Sampling) -> str:
    """How answers were generated, in words."""
    if sampling.temperature == 0:
        return f"greedy, at most {sampling.max_new_tokens} new tokens"
    seed = f", seed {sampling.seed}" if sampling.seed is not None else ""
    return (
        f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}{seed}, "
        f"at most {sampling.max_new_tokens} new tokens"
    )
