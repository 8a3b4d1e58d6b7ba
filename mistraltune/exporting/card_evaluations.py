"""Which of a run's evaluations its model card shows, and why the others are not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from mistraltune.results import EvalReport

TRAINED_ON = "on training or validation data"
OTHER_MODEL = "of another model"
FIRST_ROWS = "of the first rows of a file that was evaluated whole"
OLDER = "of the same rows and options as a newer one"


class CardEvaluations(NamedTuple):
    """The evaluations of a run, sorted out for its card.

    Attributes:
        shown: Those that say how good the model is, the newest first.
        left_out: How many were left out, by the reason.
    """

    shown: Sequence[EvalReport]
    left_out: Mapping[str, int]

    def note(self) -> str:
        """What was left out, in a sentence; empty where nothing was."""
        if not self.left_out:
            return ""
        return f"Evaluations left out: {', '.join(f'{number} {reason}' for reason, number in self.left_out.items())}."


def card_evaluations(folder: Path, *, trained_on: set[str]) -> CardEvaluations:
    """The evaluations in `folder` that belong on the card.

    Args:
        folder: The run's `evals`.
        trained_on: SHA-256 of the files that the run was trained and validated on.
    """
    left_out: Counter[str] = Counter()
    fair: list[EvalReport] = []
    for report in read_reports(folder):
        if not report.model.adapter:
            left_out[OTHER_MODEL] += 1
        elif report.eval_sha256 in trained_on or num_seen(report):
            left_out[TRAINED_ON] += 1
        else:
            fair.append(report)
    whole = {report.eval_sha256 for report in fair if report.limit is None}
    shown: dict[str, EvalReport] = {}
    for report in fair:
        asked = conditions(report)
        if report.limit is not None and report.eval_sha256 in whole:
            left_out[FIRST_ROWS] += 1
        elif asked in shown:
            left_out[OLDER] += 1
        else:
            shown[asked] = report
    return CardEvaluations(list(shown.values()), dict(left_out))


def read_reports(folder: Path) -> list[EvalReport]:
    """The evaluations that a run holds, the newest first."""
    reports = []
    for file in sorted(folder.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name), reverse=True):
        try:
            reports.append(EvalReport.model_validate_json(file.read_bytes()))
        except ValidationError:  # a comparison, or a file of another kind
            continue
    return reports


def num_seen(report: EvalReport) -> int:
    """Evaluated rows that stand, exactly or nearly, in the training data, as far as that is known."""
    return (report.overlap.num_exact or 0) + (report.overlap.num_near or 0) if report.overlap else 0


def conditions(report: EvalReport) -> str:
    """What two evaluations have in common whose figures measure the same."""
    asked: dict[str, Any] = report.model_dump(include={"eval_sha256", "limit", "evaluator", "sampling", "options"})
    return json.dumps(asked, sort_keys=True)


def describe_evaluation(report: EvalReport) -> str:
    """What was evaluated and how, in a sentence without a path."""
    options = report.options
    every_answer = options.get("turns", "last") == "all"
    facts = {
        "limit": f"the first {report.limit:,} rows" if report.limit is not None else "none",
        "max_new_tokens": report.sampling.get("max_new_tokens", "not recorded"),
        "turns": "all" if every_answer else "last",
        "language": options.get("language", "en"),
        "metrics": ", ".join(options.get("metrics", ())) or "the evaluator's own",
    }
    told = "; ".join(f"{name}: {value}" for name, value in facts.items())
    # The name alone: where the file lay is nobody's business. It may have been named on another system.
    name = report.eval_file.replace("\\", "/").rpartition("/")[2].replace("`", "'")
    source = f"`{name}`, SHA-256 `{report.eval_sha256}`"
    compared = report.overlap is not None and not report.overlap.problem
    unknown = "" if compared else " The rows were not compared with the training data."
    rows = "answers in rows" if every_answer else "rows"
    return f"{report.num_examples:,} {rows} of {source}, {report.evaluator} evaluator ({told}).{unknown}"
