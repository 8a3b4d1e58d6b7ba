"""What a client may ask of an evaluation or a comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from mistraltune.errors import ConfigError
from mistraltune.evaluation.normalising import LANGUAGES
from mistraltune.evaluation.options import JudgeOptions, Turns, judge_options, require_language
from mistraltune.evaluation.text_metrics import METRICS, require_metrics
from mistraltune.serve.job_requests import Request

T = TypeVar("T")

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
FileId = Annotated[str, Field(min_length=1, max_length=100)]
FieldName = Annotated[str, Field(min_length=1, max_length=200)]


def known(require: Callable[[T], T]) -> AfterValidator:
    """Refuses what `require` refuses, in its words."""

    def check(value: T) -> T:
        try:
            return require(value)
        except ConfigError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error

    return AfterValidator(check)


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in their order, none twice."""
    return tuple(dict.fromkeys(names))


Metric = Annotated[str, known(lambda name: require_metrics([name])[0]), Field(json_schema_extra={"enum": [*METRICS]})]
Language = Annotated[str, known(require_language), Field(json_schema_extra={"enum": [*LANGUAGES]})]


class AnswerRequest(Request):
    """How models answer, greedily, and how that is judged."""

    max_new_tokens: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Longest answer, in tokens."""
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Only the first rows of the file."""
    evaluator: Annotated[str, Field(min_length=1, max_length=100)] = "text"
    """Name of an installed evaluator."""
    metrics: Annotated[tuple[Metric, ...], Field(max_length=100), AfterValidator(each_once)] = ()
    """Scores of a text, the most telling first; left out they are `exact_match` and `f1`."""
    language: Language = "en"
    """Whose articles do not count."""
    turns: Turns = "last"
    """Judge a conversation's last answer, or all, each with its own history."""
    by: Annotated[tuple[FieldName, ...], Field(max_length=20), AfterValidator(each_once)] = ()
    """Fields of the rows: the figures are also told for each group of rows that have the same value there."""
    allow_overlap: bool = False
    """Evaluate though rows stand, exactly or nearly, in the model's training data."""

    @property
    def judging(self) -> JudgeOptions:
        """How the evaluator judges."""
        return judge_options(self.metrics, self.language, self.turns)


class EvaluationRequest(AnswerRequest):
    """An evaluation, as `POST /api/evaluations` takes it."""

    model: ModelName
    """A public name or an `ft:` name."""
    file_id: FileId
    """An uploaded file whose rows end with the right answer."""


class ComparisonRequest(AnswerRequest):
    """A comparison, as `POST /api/comparisons` takes it: on a file or on prompts."""

    base_model: ModelName
    fine_tuned_model: ModelName
    file_id: FileId | None = None
    """An uploaded file whose rows end with the right answer."""
    prompts: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100_000)], ...], Field(max_length=1000)] = ()
    """Questions without a right answer, put to both models."""

    @model_validator(mode="after")
    def of_one_kind(self) -> Self:
        """The request, if it says what to compare on, once.

        Raises:
            ValueError: It names both a file and prompts, or neither, or wants prompts to be judged.
        """
        if bool(self.prompts) == bool(self.file_id):
            raise ValueError("give either file_id or prompts")
        concerning_rows: dict[str, Any] = {"limit": self.limit, **self.judging.as_dict(), "by": self.by}
        if self.prompts and (given := [name for name, value in concerning_rows.items() if value]):
            names = " and ".join(given)
            raise ValueError(f"{names}: about rows of a file with right answers; leave out where prompts are given")
        return self
