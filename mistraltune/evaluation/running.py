"""Evaluating and comparing models by reference: what was computed before is found again, what was not is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from mistraltune.abilities import SharedBase, SharingBackend
from mistraltune.data.conversation import Conversation, message_dicts
from mistraltune.evaluation.comparing import compare
from mistraltune.evaluation.evaluator import call_results
from mistraltune.evaluation.jobs import (
    EvalJob,
    Evaluation,
    find_evaluation,
    plan_evaluation,
    write_figures,
    write_report,
)
from mistraltune.evaluation.leakage import overlap_with_training, refuse_overlap
from mistraltune.evaluation.options import JudgeOptions, open_evaluator
from mistraltune.evaluation.slicing import Groups, group_rows, slice_comparison, slice_report
from mistraltune.interfaces import ChatModel, Sampling
from mistraltune.registry import get_backend
from mistraltune.results import Answer, AnswerPair, Comparison, EvalReport, ModelRef, Overlap

Watch = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and of how much."""

OpenModel = Callable[[], ChatModel]
"""The loaded model; loaded when first called."""


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
    options: JudgeOptions = JudgeOptions(),  # noqa: B008 - immutable
    by: Sequence[str] = (),
    limit: int | None = None,
    allow_overlap: bool = False,
    output_dir: Path | None = None,
    watch: Watch = ignore,
) -> Evaluation:
    """The evaluation of a model on a file: computed and written down, or found as an earlier call left it.

    Args:
        ref: The model.
        eval_file: JSONL whose rows end with the right answer.
        sampling: How answers are generated.
        evaluator: Name of an installed evaluator.
        options: How it judges.
        by: Fields of the rows; the report gets the metrics of each group of rows that have the same value there.
        limit: Only the first rows.
        allow_overlap: Evaluate a run though rows are in its training data; their number is in the report either way.
        output_dir: Where the files go; unset means the run's `evals/`, or `outputs/evals/` for models that are no run.
        watch: Hears of the progress.

    Raises:
        ConfigError: The evaluator does not exist or takes no such option, no row has the field `by`, or the output
            cannot be written.
        DataError: The file is refused, rows have no reference, or are in the data that the run was trained on.
    """
    job = plan_evaluation(
        ref,
        eval_file,
        sampling=sampling,
        evaluator=evaluator,
        options=options,
        limit=limit,
        output_dir=output_dir,
    )
    groups = {field: group_rows(job.file, field, len(job.rows)) for field in by}
    begun = begin_evaluation(job, allow_overlap=allow_overlap)
    with opening(ref, watch) as open_model:
        evaluation = finish_evaluation(begun, open_model, watch)
    slices = [one for field in by for one in slice_report(evaluation.report, field, groups[field])]
    return replace(evaluation, report=evaluation.report.model_copy(update={"slices": slices}))


def compare_models(  # noqa: PLR0913 - options by name
    base: ModelRef,
    fine_tuned: ModelRef,
    *,
    eval_file: Path | None = None,
    prompts: Sequence[Conversation] = (),
    sampling: Sampling = Sampling(),  # noqa: B008 - immutable
    evaluator: str = "text",
    options: JudgeOptions = JudgeOptions(),  # noqa: B008 - immutable
    by: Sequence[str] = (),
    limit: int | None = None,
    allow_overlap: bool = False,
    output_dir: Path | None = None,
    watch: Watch = ignore,
) -> ModelComparison:
    """Two models on the same evaluation file, the same prompts, or both; one is open at a time, a shared base once.

    The base is held in memory as the fine-tuned model is (`held_like`). Evaluations are found or left where
    `evaluate_model` has them.

    Raises:
        ConfigError: The evaluator does not exist or takes no such option, no row has the field `by`, or the output
            cannot be written.
        DataError: The file is refused, rows have no reference, or are in the data that a run was trained on.
    """
    refs = (held_like(base, fine_tuned), fine_tuned)
    # Both jobs are checked before the first model is loaded.
    jobs = [
        plan_evaluation(
            ref,
            eval_file,
            sampling=sampling,
            evaluator=evaluator,
            options=options,
            limit=limit,
            output_dir=output_dir,
        )
        for ref in refs
        if eval_file
    ]
    groups = {field: group_rows(job.file, field, len(job.rows)) for job in jobs[:1] for field in by}
    begun = [begin_evaluation(job, allow_overlap=allow_overlap) for job in jobs]
    evaluations: list[Evaluation] = []
    answers: list[list[Answer]] = []
    with sharing_base(*refs, watch=watch) as opening_one:
        for index, ref in enumerate(refs):
            with opening_one(ref) as open_model:
                if begun:
                    evaluations.append(finish_evaluation(begun[index], open_model, watch))
                answers.append(list(answer(prompts, open_model, sampling, watch)) if prompts else [])
    pairs = zip(prompts, *answers, strict=True)
    return ModelComparison(
        base=refs[0],
        fine_tuned=refs[1],
        sampling=sampling,
        evaluations=(evaluations[0], evaluations[1]) if evaluations else None,
        comparison=compare_reports(evaluations[0].report, evaluations[1].report, groups) if evaluations else None,
        answers=[AnswerPair(prompt=message_dicts(prompt), base=a, fine_tuned=b) for prompt, a, b in pairs],
    )


def compare_reports(base: EvalReport, fine_tuned: EvalReport, groups: Mapping[str, Groups]) -> Comparison:
    """Both reports side by side, as a whole and on each group of rows."""
    whole = compare(base, fine_tuned)
    slices = [one for field, rows in groups.items() for one in slice_comparison(base, fine_tuned, field, rows)]
    return whole.model_copy(update={"slices": slices})


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
            model = stack.enter_context(closing(get_backend(ref.backend).chat_model(ref)))
            if hasattr(model, "on_wait"):
                model.on_wait = lambda text: watch(text, 0, 0)
            return model

        yield open_model


@contextmanager
def sharing_base(
    base: ModelRef, fine_tuned: ModelRef, *, watch: Watch
) -> Iterator[Callable[[ModelRef], AbstractContextManager[OpenModel]]]:
    """Yield `opening`; where the one model is an adapter of the other, both answer on one base that is loaded once."""
    backend = get_backend(base.backend)
    is_adapter_of_base = not base.adapter and base == fine_tuned.base
    if not is_adapter_of_base or not hasattr(backend, "shared_base"):
        yield lambda ref: opening(ref, watch)
        return
    with ExitStack() as stack:

        @cache
        def open_base() -> SharedBase:
            watch(f"loading {base}", 0, 0)
            return stack.enter_context(closing(cast("SharingBackend", backend).shared_base(base)))

        yield lambda ref: nullcontext(lambda: open_base().answering_as(ref.adapter))


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


@dataclass(frozen=True, slots=True)
class BegunEvaluation:
    """An evaluation that may go on: nothing stands against it.

    Attributes:
        job: What is evaluated.
        found: The evaluation as an earlier call left it; None where it must be computed.
        overlap: What the rows share with the data that the model was trained on.
    """

    job: EvalJob
    found: Evaluation | None
    overlap: Overlap | None


def begin_evaluation(job: EvalJob, *, allow_overlap: bool) -> BegunEvaluation:
    """Look for an earlier evaluation, and for rows that the model was trained on; no model is loaded.

    Rows are compared once: later calls read in the report what was found, unless they could not be compared.

    Raises:
        DataError: Rows are in the data that the run was trained on, which is not allowed.
    """
    found = find_evaluation(job)
    known = found.report.overlap if found else None
    is_settled = known is not None and not known.problem
    overlap = known if is_settled else overlap_with_training(job.ref, job.rows, eval_sha256=job.eval_sha256)
    refuse_overlap(overlap, is_allowed=allow_overlap)
    if found and overlap and overlap != known:
        found = replace(found, report=found.report.model_copy(update={"overlap": overlap}))
        write_figures(job, found.report)
    return BegunEvaluation(job, found, overlap)


def finish_evaluation(begun: BegunEvaluation, open_model: OpenModel, watch: Watch) -> Evaluation:
    """The evaluation that was found, or else one that is computed now and written down."""
    if begun.found:
        return begun.found
    job = begun.job
    num_rows = len(job.conversations)
    model = open_model()
    text = f"evaluating {job.ref}"
    watch(text, 0, num_rows)
    before = usage_of(model)
    report = open_evaluator(job.evaluator, job.options).evaluate(
        model,
        job.ref,
        job.conversations,
        sampling=job.sampling,
        on_progress=lambda num_done: watch(text, num_done, num_rows),
    )
    usage = {kind: count - before.get(kind, 0) for kind, count in usage_of(model).items()}
    about = {
        "eval_file": job.eval_file,
        "eval_sha256": job.eval_sha256,
        "limit": len(job.rows) if len(job.rows) < len(job.file) else None,
        "options": job.options.as_dict(),
        "overlap": begun.overlap,
        "usage": usage or None,
    }
    report = report.model_copy(update=about)
    write_report(job, report)
    return Evaluation(report, job.report_file, job.predictions_file, is_reused=False, num_left_out=job.num_left_out)


def usage_of(model: ChatModel) -> dict[str, int]:
    """Tokens that the model has counted so far; empty where it counts none."""
    return dict(getattr(model, "usage", {}))
