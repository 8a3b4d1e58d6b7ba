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
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.evaluation.evaluator import require_references
from mistraltune.evaluation.options import JudgeOptions, open_evaluator
from mistraltune.evaluation.rows import LazyRows
from mistraltune.evaluation.turns import TurnRows
from mistraltune.interfaces import Sampling
from mistraltune.publishing import adapter_sha256, check_writable, publish_file, publish_json
from mistraltune.registry import get_backend
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
        file: The evaluation file, open.
        rows: Its rows, or the first of them.
        conversations: What is asked, each with a reference: the rows, or each of their answers.
        eval_file: Where the rows come from, as an absolute path that can be written down.
        eval_sha256: The file's hash.
        evaluator: Name of the evaluator.
        options: How the answers are judged.
        sampling: How answers are generated.
        report_file: Where the report is, or will be.
    """

    ref: ModelRef
    file: ConversationFile
    rows: Sequence[Conversation]
    conversations: Sequence[Conversation]
    eval_file: str
    eval_sha256: str
    evaluator: str
    options: JudgeOptions
    sampling: Sampling
    report_file: Path

    @property
    def num_left_out(self) -> int:
        """Answers that are not judged where each is, see `TurnRows`."""
        return self.conversations.num_left_out if isinstance(self.conversations, TurnRows) else 0

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
        num_left_out: Answers of the rows that are not judged where each is, see `TurnRows`.
    """

    report: EvalReport
    report_file: Path
    predictions_file: Path
    is_reused: bool
    num_left_out: int = 0


def plan_evaluation(  # noqa: PLR0913 - options by name
    ref: ModelRef,
    eval_file: Path,
    *,
    sampling: Sampling,
    evaluator: str,
    options: JudgeOptions,
    limit: int | None,
    output_dir: Path | None,
) -> EvalJob:
    """A checked job: the evaluator exists, the file can be read, every row has a reference. No model is loaded.

    Raises:
        ConfigError: The evaluator does not exist or takes no such option, or the output cannot be written.
        DataError: The file is refused, or rows have no reference.
    """
    open_evaluator(evaluator, options)
    file = ConversationFile.open(eval_file)
    rows = LazyRows(file, limit=limit)
    conversations = TurnRows(rows) if options.turns == "all" else rows
    require_references(conversations)
    identity: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "eval_sha256": file.sha256,
        "num_rows": len(rows),
        "sampling": sampling.as_json(),
        "evaluator": evaluator,
        "model": model_identity(ref),
    }
    if told := options.as_dict():
        identity["options"] = told
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = output_dir or default_output_dir(ref)
    report_file = folder / f"{printable(eval_file.stem)[:40]}-{digest[:12]}.json"
    if not report_file.exists():
        check_writable(folder, option="--output-dir")
    return EvalJob(
        ref=ref,
        file=file,
        rows=rows,
        conversations=conversations,
        eval_file=printable(eval_file.resolve()),
        eval_sha256=file.sha256,
        evaluator=evaluator,
        options=options,
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
        identity["adapter"] = adapter_sha256(Path(ref.adapter))
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
    return Evaluation(report, job.report_file, job.predictions_file, is_reused=True, num_left_out=job.num_left_out)


def read_predictions(path: Path) -> list[Prediction]:
    """The predictions of a file that `write_report` wrote."""
    with path.open("rb") as file:
        return [Prediction.model_validate_json(line) for line in file]


def write_report(job: EvalJob, report: EvalReport) -> None:
    """Publish the predictions, then the report: where a report is, its predictions are complete."""
    with publish_file(job.predictions_file) as file:
        for prediction in report.predictions:
            file.write(prediction.model_dump_json().encode() + b"\n")
    write_figures(job, report)


def write_figures(job: EvalJob, report: EvalReport) -> None:
    """Publish the report beside its predictions; groups of rows are told anew each time, and not written down."""
    publish_json(job.report_file, report.model_dump(mode="json", exclude={"predictions", "slices"}))
