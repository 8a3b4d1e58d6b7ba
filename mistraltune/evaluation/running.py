"""Evaluating and comparing models by reference: what was computed before is found again, what was not is computed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mistraltune.data.conversation import Conversation
from mistraltune.data.reading import ConversationFile
from mistraltune.errors import ConfigError
from mistraltune.evaluation.comparing import compare
from mistraltune.evaluation.evaluator import call_results, message_dicts, require_references
from mistraltune.evaluation.rows import LazyRows
from mistraltune.interfaces import ChatModel, Sampling
from mistraltune.publishing import publish_file, publish_json
from mistraltune.registry import get_backend, get_evaluator
from mistraltune.results import Answer, AnswerPair, Comparison, EvalReport, ModelRef, Prediction
from mistraltune.runs import is_run_dir

FORMAT_VERSION = 1
"""Part of every report's identity; raised when a metric changes, so that no old figure passes for a new one."""

OUTPUT_DIR = Path("outputs/evals")

Watch = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""

OpenModel = Callable[[], ChatModel]
"""The loaded model; loaded when first called."""


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


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Two models side by side, on an evaluation file, on prompts without references, or on both.

    Attributes:
        base: The base model as it was loaded.
        fine_tuned: The other one.
        sampling: How answers were generated.
        evaluations: Base and fine-tuned; None without an evaluation file.
        comparison: Of these evaluations.
        answers: To the prompts, in order.
    """

    base: ModelRef
    fine_tuned: ModelRef
    sampling: Sampling
    evaluations: tuple[Evaluation, Evaluation] | None
    comparison: Comparison | None
    answers: list[AnswerPair]


def ignore(text: str, num_done: int, num_total: int) -> None:
    """Watch nothing."""


def evaluate_model(  # noqa: PLR0913 - options by name
    ref: ModelRef,
    eval_file: Path,
    *,
    sampling: Sampling = Sampling(),  # noqa: B008 - immutable
    evaluator: str = "text",
    limit: int | None = None,
    output_dir: Path | None = None,
    watch: Watch = ignore,
) -> Evaluation:
    """The evaluation of a model on a file: computed and written down, or found as an earlier call left it.

    Args:
        ref: The model.
        eval_file: JSONL whose rows end with the right answer.
        sampling: How answers are generated.
        evaluator: Name of an installed evaluator.
        limit: Only the first rows.
        output_dir: Where the files go; unset means the run's `evals/`, or `outputs/evals/` for models that are no run.
        watch: Hears of the progress.

    Raises:
        ConfigError: The evaluator does not exist, or the output cannot be written.
        DataError: The file is refused, or rows have no reference.
    """
    job = plan_evaluation(ref, eval_file, sampling=sampling, evaluator=evaluator, limit=limit, output_dir=output_dir)
    with opening(ref, watch) as open_model:
        return find_evaluation(job) or run_evaluation(job, open_model, watch)


def compare_models(  # noqa: PLR0913 - options by name
    base: ModelRef,
    fine_tuned: ModelRef,
    *,
    eval_file: Path | None = None,
    prompts: Sequence[Conversation] = (),
    sampling: Sampling = Sampling(),  # noqa: B008 - immutable
    evaluator: str = "text",
    limit: int | None = None,
    output_dir: Path | None = None,
    watch: Watch = ignore,
) -> ModelComparison:
    """Two models on the same evaluation file, the same prompts, or both; one is open at a time.

    The base is held in memory as the fine-tuned model is (`held_like`). Evaluations are found or left where
    `evaluate_model` has them.

    Raises:
        ConfigError: The evaluator does not exist, or the output cannot be written.
        DataError: The file is refused, or rows have no reference.
    """
    refs = (held_like(base, fine_tuned), fine_tuned)
    # Both jobs are checked before the first model is loaded.
    jobs = (
        [
            plan_evaluation(ref, eval_file, sampling=sampling, evaluator=evaluator, limit=limit, output_dir=output_dir)
            for ref in refs
        ]
        if eval_file
        else []
    )
    evaluations: list[Evaluation] = []
    answers: list[list[Answer]] = []
    for index, ref in enumerate(refs):
        with opening(ref, watch) as open_model:
            if jobs:
                evaluations.append(find_evaluation(jobs[index]) or run_evaluation(jobs[index], open_model, watch))
            answers.append(list(answer(prompts, open_model, sampling, watch)) if prompts else [])
    pairs = zip(prompts, *answers, strict=True)
    return ModelComparison(
        base=refs[0],
        fine_tuned=refs[1],
        sampling=sampling,
        evaluations=(evaluations[0], evaluations[1]) if evaluations else None,
        comparison=compare(evaluations[0].report, evaluations[1].report) if evaluations else None,
        answers=[AnswerPair(prompt=message_dicts(prompt), base=a, fine_tuned=b) for prompt, a, b in pairs],
    )


def held_like(base: ModelRef, fine_tuned: ModelRef) -> ModelRef:
    """The base as the fine-tuned model holds it: quantised alike, and of the same revision where it is the same model.

    A 4-bit model against the full weights of its base would measure the quantisation too. An adapter given as the base
    keeps the quantisation that it was trained with.
    """
    if base.backend != "local" or fine_tuned.backend != "local" or base.adapter:
        return base
    changes: dict[str, Any] = {"quantization": fine_tuned.quantization}
    if base.model == fine_tuned.model and base.revision is None:
        changes["revision"] = fine_tuned.revision
    return base.model_copy(update=changes)


@contextmanager
def opening(ref: ModelRef, watch: Watch) -> Iterator[OpenModel]:
    """Yield a function that loads the model when it is first called; the model is closed at the end."""
    with ExitStack() as stack:

        @cache
        def open_model() -> ChatModel:
            watch(f"loading {ref}", 0, 0)
            return stack.enter_context(closing(get_backend(ref.backend).chat_model(ref)))

        yield open_model


def answer(
    prompts: Sequence[Conversation], open_model: OpenModel, sampling: Sampling, watch: Watch
) -> Iterator[Answer]:
    """The model's answers, in the order of the prompts."""
    model = open_model()
    for num_done, completion in enumerate(model.generate(prompts, sampling), start=1):
        watch("answering prompts", num_done, len(prompts))
        yield Answer(
            text=completion.text,
            tool_calls=call_results(completion),
            num_tokens=completion.num_tokens,
            finish_reason=completion.finish_reason,
        )


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
        "sampling": dataclasses.asdict(sampling),
        "evaluator": evaluator,
        "model": model_identity(ref),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = output_dir or default_output_dir(ref)
    report_file = folder / f"{printable(eval_file.stem)[:40]}-{digest[:12]}.json"
    if not report_file.exists():
        check_writable(folder)
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
        identity["adapter"] = {file.name: sha256(file) for file in sorted(Path(ref.adapter).glob("adapter_*"))}
    return identity


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_evaluation(job: EvalJob) -> Evaluation | None:
    """The job's evaluation as an earlier call left it; None where there is none, or not all of it."""
    try:
        report = EvalReport.model_validate_json(job.report_file.read_bytes())
        with job.predictions_file.open("rb") as file:
            predictions = [Prediction.model_validate_json(line) for line in file]
    except (FileNotFoundError, ValidationError):
        return None
    if len(predictions) != report.num_examples:
        return None
    # The model's place is the caller's: a run directory may have been moved since.
    report = report.model_copy(update={"predictions": predictions, "model": job.ref})
    return Evaluation(report, job.report_file, job.predictions_file, is_reused=True)


def run_evaluation(job: EvalJob, open_model: OpenModel, watch: Watch) -> Evaluation:
    """Evaluate, and write the report down."""
    num_rows = len(job.conversations)
    model = open_model()
    text = f"evaluating {job.ref}"
    watch(text, 0, num_rows)
    report = get_evaluator(job.evaluator).evaluate(
        model,
        job.ref,
        job.conversations,
        sampling=job.sampling,
        on_progress=lambda num_done: watch(text, num_done, num_rows),
    )
    report = report.model_copy(update={"eval_file": job.eval_file, "eval_sha256": job.eval_sha256})
    write_report(job, report)
    return Evaluation(report, job.report_file, job.predictions_file, is_reused=False)


def write_report(job: EvalJob, report: EvalReport) -> None:
    """Publish the predictions, then the report: where a report is, its predictions are complete."""
    with publish_file(job.predictions_file) as file:
        for prediction in report.predictions:
            file.write(prediction.model_dump_json().encode() + b"\n")
    publish_json(job.report_file, report.model_dump(mode="json", exclude={"predictions"}))


def check_writable(folder: Path, *, option: str = "--output-dir") -> None:
    """Find out before a model is loaded that nothing can be written.

    Args:
        folder: Is made if need be.
        option: What a user would change.

    Raises:
        ConfigError: `folder` cannot be made or written to.
    """
    probe = folder / f".write-probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder}: {error.strerror or error}", hint=f"choose another {option}"
        ) from error
