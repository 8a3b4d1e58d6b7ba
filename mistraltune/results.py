"""The JSON that training, evaluation and comparison leave behind; all else is computed from these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

QUICKSTART = "quickstart"
"""The reference that names the small embedded model, wherever a model is named."""


class Result(BaseModel):
    """Base of all results: immutable, strict about its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelRef(Result):
    """Which model, exactly: training writes one, `get_backend(ref.backend).chat_model(ref)` opens it."""

    backend: str = "local"
    """Name of the backend that can open it."""
    model: str
    """Base model: `quickstart`, a directory, a Hub id, or an API's model id."""
    adapter: str | None = None
    """Directory of a LoRA adapter on top of the base."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    quantization: Literal["none", "nf4", "int8"] = "none"
    """How the base is held in memory."""
    endpoint: str | None = None
    """Name of the API endpoint, for API models."""

    @property
    def base(self) -> ModelRef:
        """The model without its adapter, which reads the same tokens."""
        return self.model_copy(update={"adapter": None})

    def __str__(self) -> str:
        """How a report names it."""
        name = self.adapter or (f"{self.backend}:{self.model}@{self.endpoint}" if self.endpoint else self.model)
        notes: list[str] = [self.quantization] if self.quantization != "none" else []
        notes += [f"base {self.model}"] if self.adapter else []
        return f"{name} ({', '.join(notes)})" if notes else name


class Interval(Result):
    """A 95 % confidence interval."""

    low: float
    high: float


class TrainResult(Result):
    """What a trainer hands back; the figures become the run's `metrics.json`."""

    model: ModelRef
    """The fine-tuned model."""
    metrics: dict[str, float | int | None]
    """Final figures, `train_loss` and `train_seconds` among them; losses in nats per trained token."""
    details: dict[str, Any] = {}
    """Facts about the training for the run's metadata: adapters, quantised share, device, dtype."""


class ToolCallResult(Result):
    """A tool call as it stands in a predictions file."""

    name: str
    arguments: str


class Prediction(Result):
    """One evaluated row: what was asked, what was expected, what came, what it scored."""

    row: int
    """1-based number of the row in the evaluation file."""
    turn: int | None = None
    """1-based number of the answer in the row, where every answer of a conversation is judged."""
    prompt: list[dict[str, Any]]
    """The messages that the model saw, in the `messages` format."""
    references: list[str]
    """Accepted answers; a prediction's score is its best over them."""
    text: str
    """What the model answered."""
    reference_tool_calls: list[ToolCallResult] = []
    tool_calls: list[ToolCallResult] = []
    num_tokens: int
    """Generated tokens, the end-of-sequence token counted."""
    finish_reason: Literal["stop", "length"]
    scores: dict[str, float]
    """Metric name to this row's score."""


class Overlap(Result):
    """Evaluated rows that stand in the data that a run was trained or validated on."""

    train_file: str
    """That data."""
    part: Literal["training", "validation"] = "training"
    """What the run used it for."""
    num_exact: int | None = None
    """Rows that say the same as a training row; None where they could not be compared."""
    num_near: int | None = None
    """Other rows that say nearly the same."""
    problem: str = ""
    """Why they could not be compared; empty where they were."""
    rows: list[int] = []
    """Numbers of the first hundred such rows."""


class Slice(Result):
    """Metrics of a group of rows that have the same value in a field."""

    field: str
    value: str
    """The rows' value."""
    num_examples: int
    metrics: dict[str, float]
    intervals: dict[str, Interval]


class EvalReport(Result):
    """Metrics of one model on one file."""

    model: ModelRef
    evaluator: str
    eval_file: str = ""
    """Its path, from any working directory."""
    eval_sha256: str = ""
    limit: int | None = None
    """How many rows of the file were asked, the first ones, where it was not all."""
    num_examples: int
    metrics: dict[str, float]
    """Means over the examples (0 to 1 for `exact_match` and `f1`), and figures such as `tokens_per_second`."""
    intervals: dict[str, Interval]
    """95 % intervals of the metrics that are means over examples; of few examples, those of shares alone."""
    sampling: dict[str, Any]
    """How the answers were generated."""
    options: dict[str, Any] = {}
    """How they were judged, where that is not the usual way: `metrics`, `language`, `turns`."""
    overlap: Overlap | None = None
    """What the rows share with the data that the model was trained on; None for a model that is no run."""
    slices: list[Slice] = []
    """The same metrics on groups of rows, where that was asked for."""
    usage: dict[str, int] | None = None
    """Tokens that an API counted, `prompt_tokens` and `completion_tokens`; None for models that count none."""
    predictions: list[Prediction] = []
    """Every example; kept in a file of its own beside the report."""


class Difference(Result):
    """Fine-tuned minus base, on the same rows."""

    value: float
    interval: Interval
    p_value: float | None = None
    """Of McNemar's exact test, two-sided, where both are shares of the same independent rows."""


class SliceComparison(Result):
    """Two models on a group of rows that have the same value in a field."""

    field: str
    value: str
    """The rows' value."""
    num_examples: int
    base: dict[str, float]
    """Metrics of the base."""
    fine_tuned: dict[str, float]
    differences: dict[str, Difference]
    """Of the metrics that have an interval in both."""


class Comparison(Result):
    """Two models side by side on the same rows."""

    base: EvalReport
    fine_tuned: EvalReport
    differences: dict[str, Difference]
    """Per metric, paired over the rows."""
    wins: int
    """Rows that the fine-tuned model answers better."""
    ties: int
    losses: int
    changed_rows: list[int]
    """Places, from 1, of the predictions whose score changed most, the biggest change first; where one answer a row is
    judged, they are the rows' numbers."""
    slices: list[SliceComparison] = []
    """The same on groups of rows, where that was asked for."""


class Answer(Result):
    """What a model answered to a prompt that has no reference."""

    text: str
    tool_calls: list[ToolCallResult] = []
    num_tokens: int
    """Generated tokens, the end-of-sequence token counted."""
    finish_reason: Literal["stop", "length"]


class AnswerPair(Result):
    """One prompt, answered by both models."""

    prompt: list[dict[str, Any]]
    """The messages that the models saw, in the `messages` format."""
    base: Answer
    fine_tuned: Answer
