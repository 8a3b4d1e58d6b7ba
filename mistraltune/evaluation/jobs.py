"""One evaluation on disk: where it belongs, whether it is there already, how it is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mistraltune.data.conversation import Conversation
from mistraltune.data.reading import ConversationFile
from mistraltune.evaluation.evaluator import require_references
from mistraltune.evaluation.rows import LazyRows
from mistraltune.interfaces import Sampling
from mistraltune.publishing import check_writable, file_sha256, publish_file, publish_json
from mistraltune.registry import get_backend, get_evaluator
from mistraltune.results import EvalReport, ModelRef, Prediction
from mistraltune.runs import is_run_dir

FORMAT_VERSION = 1
"""Part of every report's identity; raised when a metric changes, so that no old figure passes for a new one."""

OUTPUT_DIR = Path("outputs/evals")


@dataclass(frozen=True, slots=True)
class EvalJob:
    """An evaluation that is checked and has a place, but is not necessarily computed.

    Attributes:
        ref: The model.
        conversations: The rows, each with a reference.
        eval_file: Where the rows come from, as text that can be written down.
        eval_sha256: The file's hash.
        evaluator: Name of the evaluator.
        sampling: How answers are generated.
        report_file: Where the report is, or will be.
    """

    ref: ModelRef
    conversations: Sequence[Conversation]
    eval_file: str
    eval_sha256: str
    evaluator: str
    sampling: Sampling
    report_file: Path

    @property
    def predictions_file(self) -> Path:
        """Where the report's predictions are, or will be: one JSON object a line."""
        return self.report_file.with_suffix(".predictions.jsonl")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A report and the files that hold it.

    Attributes:
        report: With all predictions.
        report_file: The report without its predictions.
        predictions_file: The predictions.
        is_reused: Whether it was found, not computed.
    """

    report: EvalReport
    report_file: Path
    predictions_file: Path
    is_reused: bool


def plan_evaluation(  # noqa: PLR0913 - options by name
    ref: ModelRef, eval_file: Path, *, sampling: Sampling, evaluator: str, limit: int | None, output_dir: Path | None
) -> EvalJob:
    """A checked job: the evaluator exists, the file can be read, every row has a reference. No model is loaded.

    Raises:
        ConfigError: The evaluator does not exist, or the output cannot be written.
        DataError: The file is refused, or rows have no reference.
    """
    get_evaluator(evaluator)
    file = ConversationFile.open(eval_file)
    conversations = LazyRows(file, limit=limit)
    require_references(conversations)
    identity = {
        "format_version": FORMAT_VERSION,
        "eval_sha256": file.sha256,
        "num_rows": len(conversations),
        "sampling": sampling.as_json(),
        "evaluator": evaluator,
        "model": model_identity(ref),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = output_dir or default_output_dir(ref)
    report_file = folder / f"{printable(eval_file.stem)[:40]}-{digest[:12]}.json"
    if not report_file.exists():
        check_writable(folder, option="--output-dir")
    return EvalJob(
        ref=ref,
        conversations=conversations,
        eval_file=printable(eval_file),
        eval_sha256=file.sha256,
        evaluator=evaluator,
        sampling=sampling,
        report_file=report_file,
    )


def default_output_dir(ref: ModelRef) -> Path:
    """The run's own `evals/`, or `outputs/evals/` for a model that is no run."""
    return Path(ref.adapter) / "evals" if ref.adapter and is_run_dir(Path(ref.adapter)) else OUTPUT_DIR


def printable(path: Path | str) -> str:
    """`path` as text that UTF-8 can hold: a file name may be any bytes."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def model_identity(ref: ModelRef) -> dict[str, Any]:
    """What decides a model's answers, wherever an adapter happens to lie."""
    identity = ref.model_dump(exclude={"adapter", "revision"})
    identity["revision"] = get_backend(ref.backend).revision(ref)
    if ref.adapter:
        identity["adapter"] = {file.name: file_sha256(file) for file in sorted(Path(ref.adapter).glob("adapter_*"))}
    return identity


def find_evaluation(job: EvalJob) -> Evaluation | None:
    """The job's evaluation as an earlier call left it; None where there is none, or not all of it."""
    try:
        report = EvalReport.model_validate_json(job.report_file.read_bytes())
        predictions = read_predictions(job.predictions_file)
    except (FileNotFoundError, ValidationError):
        return None
    if len(predictions) != report.num_examples:
        return None
    # The model's place is the caller's: a run directory may have been moved since.
    report = report.model_copy(update={"predictions": predictions, "model": job.ref})
    return Evaluation(report, job.report_file, job.predictions_file, is_reused=True)


def read_predictions(path: Path) -> list[Prediction]:
    """The predictions of a file that `write_report` wrote."""
    with path.open("rb") as file:
        return [Prediction.model_validate_json(line) for line in file]


def write_report(job: EvalJob, report: EvalReport) -> None:
    """Publish the predictions, then the report: where a report is, its predictions are complete."""
    with publish_file(job.predictions_file) as file:
        for prediction in report.predictions:
            file.write(prediction.model_dump_json().encode() + b"\n")
    publish_json(job.report_file, report.model_dump(mode="json", exclude={"predictions"}))
