"""The command that a job stands for: always one of our own, with the job's folder in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from mistraltune.results import ModelRef
from mistraltune.serve.evaluation_requests import AnswerRequest
from mistraltune.serve.mapping import CONFIG_FILE
from mistraltune.serve.records import ComparisonRecord, EvaluationRecord, JobRecord

EVAL_FILE = "evaluation.jsonl"
PROMPTS_FILE = "prompts.jsonl"
EVALS_DIR = "evals"
REPORT_FILE = "report.html"


def command_of(job: JobRecord, folder: Path) -> list[str]:
    """The command that does a job.

    Args:
        job: The job.
        folder: Holds what the command reads, and what it leaves.
    """
    if isinstance(job, EvaluationRecord):
        return [*mistraltune("eval"), *evaluation_options(job, folder), "--json"]
    if isinstance(job, ComparisonRecord):
        return [*mistraltune("compare"), *comparison_options(job, folder), "--json"]
    return [*mistraltune("train", "local"), "--config", str(folder / CONFIG_FILE), "--json"]


def check_of(folder: Path) -> list[str]:
    """The command that checks and measures a training's data."""
    return [*mistraltune("train", "local"), "--config", str(folder / CONFIG_FILE), "--dry-run", "--json"]


def mistraltune(*words: str) -> list[str]:
    """A command of ours, run by the same Python."""
    return [sys.executable, "-m", "mistraltune", *words]


def evaluation_options(job: EvaluationRecord, folder: Path) -> Iterator[str]:
    """What to evaluate, and how."""
    yield from ("--model", model_text(job.model), "--eval-file", str(folder / EVAL_FILE))
    yield from ("--quantization", job.model.quantization)
    yield from answer_options(job.request, folder)


def comparison_options(job: ComparisonRecord, folder: Path) -> Iterator[str]:
    """What to compare, on what, and how."""
    yield from ("--base-model", model_text(job.base), "--fine-tuned-model", model_text(job.fine_tuned))
    yield from ("--quantization", job.fine_tuned.quantization)
    if job.request.prompts:
        yield from ("--prompts-file", str(folder / PROMPTS_FILE))
    else:
        yield from ("--eval-file", str(folder / EVAL_FILE))
    yield from ("--html", str(folder / REPORT_FILE))
    yield from answer_options(job.request, folder)


def answer_options(request: AnswerRequest, folder: Path) -> Iterator[str]:
    """How models answer, how that is judged, and where it is written down; what is usual is left out."""
    yield from ("--max-new-tokens", str(request.max_new_tokens), "--evaluator", request.evaluator)
    if request.limit:
        yield from ("--limit", str(request.limit))
    judging = request.judging
    if judging.metrics:
        yield from ("--metrics", ",".join(judging.metrics))
    if judging.language != AnswerRequest.model_fields["language"].default:
        yield from ("--language", judging.language)
    if judging.turns != "last":
        yield from ("--turns", judging.turns)
    for field in request.by:
        yield f"--by={field}"  # it may begin with a dash
    if request.allow_overlap:
        yield "--allow-overlap"
    yield from ("--output-dir", str(folder / EVALS_DIR))


def model_text(ref: ModelRef) -> str:
    """How the command line names a model that the server serves: by its run directory, or as the catalogue has it."""
    return ref.adapter or ref.model
