"""Evaluations and comparisons as clients read them."""

from __future__ import annotations

from typing import Any, Literal

from mistraltune.evaluation.comparing import Outcome, Pair
from mistraltune.evaluation.options import Turns
from mistraltune.results import Answer, AnswerPair, Overlap, Prediction, Result, ToolCallResult
from mistraltune.serve.evaluation_figures import ComparisonFigures, EvaluationFigures
from mistraltune.serve.evaluation_requests import AnswerRequest, Language, Metric
from mistraltune.serve.records import ComparisonRecord, EvaluationRecord, Status
from mistraltune.serve.store import Store


class Progress(Result):
    """How far a job's present part is."""

    text: str
    """What is being done."""
    num_done: int
    num_total: int
    """0 stands for work that cannot be counted."""


class StandingReply(Result):
    """What evaluations and comparisons have in common."""

    id: str
    status: Status
    created_at: int
    """Seconds since 1970."""
    modified_at: int
    progress: Progress | None
    """Null before the work has begun, and once it has ended."""
    error: str | None
    """Why it failed."""
    refused_overlap: Overlap | None
    """The rows that are in a model's training data, where it failed for them: `allow_overlap` would allow it."""
    max_new_tokens: int
    limit: int | None
    evaluator: str
    metrics: tuple[Metric, ...]
    """As they were asked for; none means `exact_match` and `f1`."""
    language: Language
    turns: Turns
    by: tuple[str, ...]
    allow_overlap: bool


class EvaluationReply(StandingReply):
    """An evaluation of one model on a file."""

    object: Literal["evaluation"] = "evaluation"
    model: str
    file_id: str
    figures: EvaluationFigures | None
    """Null before it has succeeded."""


class EvaluationList(Result):
    """Evaluations, newest first."""

    object: Literal["list"] = "list"
    data: list[EvaluationReply]
    total: int


class ComparisonReply(StandingReply):
    """A comparison of two models, on a file or on prompts."""

    object: Literal["comparison"] = "comparison"
    base_model: str
    fine_tuned_model: str
    file_id: str | None
    num_prompts: int
    figures: ComparisonFigures | None
    """Null before it has succeeded, and where it is on prompts: those have no right answers."""


class ComparisonList(Result):
    """Comparisons, newest first."""

    object: Literal["list"] = "list"
    data: list[ComparisonReply]
    total: int


class ModelAnswer(Result):
    """What a model answered to a row."""

    text: str
    tool_calls: list[ToolCallResult]
    num_tokens: int
    """Generated tokens, the end-of-sequence token counted."""
    finish_reason: Literal["stop", "length"]
    scores: dict[str, float]
    """Empty where there is no right answer."""


class Row(Result):
    """A row that models answered."""

    row: int
    """1-based number in the file, or among the prompts."""
    turn: int | None
    """1-based number of the answer in the row, where every answer of a conversation is judged."""
    prompt: list[dict[str, Any]]
    """The messages that the models saw."""
    references: list[str]
    """Accepted answers."""
    reference_tool_calls: list[ToolCallResult]


class EvaluationRow(Row):
    """A row with a model's answer."""

    answer: ModelAnswer


class EvaluationRows(Result):
    """Rows of an evaluation, in the order of the file."""

    object: Literal["list"] = "list"
    data: list[EvaluationRow]
    total: int


class ComparisonRow(Row):
    """A row with both models' answers."""

    base: ModelAnswer
    fine_tuned: ModelAnswer
    outcome: Outcome | None
    """Whether the fine-tuned model answers better; null where there is no right answer."""


class ComparisonRows(Result):
    """Rows of a comparison: those whose scores changed most first, losses before wins; prompts in their order."""

    object: Literal["list"] = "list"
    data: list[ComparisonRow]
    total: int


class Deleted(Result):
    """Something that is gone."""

    id: str
    object: Literal["evaluation", "comparison"]
    deleted: Literal[True] = True


def describe_evaluation(job: EvaluationRecord, store: Store) -> EvaluationReply:
    """An evaluation as it stands."""
    asked = job.request
    return EvaluationReply(**standing(job, store), model=asked.model, file_id=asked.file_id, figures=job.figures)


def describe_comparison(job: ComparisonRecord, store: Store) -> ComparisonReply:
    """A comparison as it stands."""
    asked = job.request
    return ComparisonReply(
        **standing(job, store),
        base_model=asked.base_model,
        fine_tuned_model=asked.fine_tuned_model,
        file_id=asked.file_id,
        num_prompts=len(asked.prompts),
        figures=job.figures,
    )


def standing(job: EvaluationRecord | ComparisonRecord, store: Store) -> dict[str, Any]:
    """The fields of a `StandingReply`."""
    progress = error = overlap = None
    if job.status in (Status.RUNNING, Status.CANCELLATION_REQUESTED) and (last := store.last_event(job.id, "progress")):
        progress = Progress(text=last.data["text"], num_done=last.data["done"], num_total=last.data["total"])
    if job.status == Status.FAILED and (last := store.last_event(job.id, "error")):
        error, overlap = last.data["message"], last.data.get("overlap")
    return {
        **job.model_dump(include={"id", "status", "created_at", "modified_at"}),
        "progress": progress,
        "error": error,
        "refused_overlap": overlap,
        **{name: getattr(job.request, name) for name in AnswerRequest.model_fields},
    }


def describe_prediction(prediction: Prediction) -> EvaluationRow:
    """A row of an evaluation."""
    return EvaluationRow(**asked_in(prediction), answer=model_answer(prediction, prediction.scores))


def describe_pair(pair: Pair) -> ComparisonRow:
    """A row of a comparison on a file."""
    return ComparisonRow(
        **asked_in(pair.base),
        base=model_answer(pair.base, pair.base.scores),
        fine_tuned=model_answer(pair.fine_tuned, pair.fine_tuned.scores),
        outcome=pair.outcome,
    )


def describe_prompt(number: int, pair: AnswerPair) -> ComparisonRow:
    """A row of a comparison on prompts."""
    return ComparisonRow(
        row=number,
        turn=None,
        prompt=pair.prompt,
        references=[],
        reference_tool_calls=[],
        base=model_answer(pair.base, {}),
        fine_tuned=model_answer(pair.fine_tuned, {}),
        outcome=None,
    )


def asked_in(prediction: Prediction) -> dict[str, Any]:
    """The fields of a `Row`."""
    return {name: getattr(prediction, name) for name in Row.model_fields}


def model_answer(answer: Prediction | Answer, scores: dict[str, float]) -> ModelAnswer:
    """An answer with its scores."""
    return ModelAnswer(
        text=answer.text,
        tool_calls=answer.tool_calls,
        num_tokens=answer.num_tokens,
        finish_reason=answer.finish_reason,
        scores=scores,
    )
