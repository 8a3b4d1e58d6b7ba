"""What a client may ask of an evaluation or a comparison."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from mistraltune.serve.job_requests import Request

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
FileId = Annotated[str, Field(min_length=1, max_length=100)]


class AnswerRequest(Request):
    """How models answer, greedily, and who judges."""

    max_new_tokens: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Longest answer, in tokens."""
    limit: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Only the first rows of the file."""
    evaluator: Annotated[str, Field(min_length=1, max_length=100)] = "text"
    """Name of an installed evaluator."""
    allow_overlap: bool = False
    """Evaluate though rows stand, exactly or nearly, in the model's training data."""


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
            ValueError: It names both a file and prompts, or neither, or limits prompts.
        """
        if bool(self.prompts) == bool(self.file_id):
            raise ValueError("give either file_id or prompts")
        if self.prompts and self.limit:
            raise ValueError("limit counts rows of a file; leave it out where prompts are given")
        return self
