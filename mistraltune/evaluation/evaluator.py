"""The built-in evaluator `text`: every answer against its reference, every mean with its interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from mistraltune.data.conversation import Conversation, Message, message_dicts
from mistraltune.errors import DataError
from mistraltune.evaluation.metrics import tool_call_match
from mistraltune.evaluation.rows import LazyRows
from mistraltune.evaluation.summarising import summarise
from mistraltune.evaluation.text_metrics import DEFAULT_METRICS, Score, score_functions
from mistraltune.evaluation.turns import TurnRows
from mistraltune.interfaces import ChatModel, Completion, Sampling
from mistraltune.results import EvalReport, ModelRef, Prediction, ToolCallResult

NUM_ROWS_NAMED = 5


class TextEvaluator:
    """Scores text answers by exact match and F1, or by other metrics, and tool calls, apart from them, by agreement.

    A row whose reference calls tools is judged by its calls alone, any other row by its text alone; each metric is the
    mean over the rows that it judges, or one score of all their answers together (`bleu`). Of `TurnRows`, the turns of
    a conversation count as one cluster. Beside the scores a report has, over all rows: `average_length` in words,
    `average_length_tokens` in generated tokens, `share_cut` (answers that reached the token limit) and
    `tokens_per_second` (generated tokens over the time from the first prompt to the last answer).

    Attributes:
        scores: The metrics that say how good an answer is: 0 to 1, higher is better.
    """

    name: ClassVar[str] = "text"

    def __init__(self, metrics: Sequence[str] = DEFAULT_METRICS, language: str = "en") -> None:
        self.scores: tuple[str, ...] = (*metrics, "tool_call_match")
        self._score_functions = score_functions(metrics, language)

    def with_options(self, *, metrics: Sequence[str], language: str) -> TextEvaluator:
        """The evaluator with other metrics of text, or for another language.

        Args:
            metrics: Names, see `text_metrics`; empty means the default ones.
            language: Whose articles do not count, see `normalising`.
        """
        return TextEvaluator(metrics or DEFAULT_METRICS, language)

    def evaluate(
        self,
        model: ChatModel,
        ref: ModelRef,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling,
        on_progress: Callable[[int], None] = lambda num_done: None,
    ) -> EvalReport:
        """Generate one answer per conversation and score it; `on_progress` hears how many are done.

        Raises:
            DataError: There are no rows, or a row has no reference.
        """
        require_references(conversations)
        prompts = LazyRows(conversations, lambda conversation: conversation.prompt)
        started = time.perf_counter()
        predictions: list[Prediction] = []
        for conversation, completion in zip(conversations, model.generate(prompts, sampling), strict=True):
            place = place_of(conversations, len(predictions))
            predictions.append(predict(place, conversation, completion, self._score_functions))
            on_progress(len(predictions))
        seconds = time.perf_counter() - started
        summary = summarise(predictions)
        num_tokens = sum(prediction.num_tokens for prediction in predictions)
        return EvalReport(
            model=ref,
            evaluator=self.name,
            num_examples=len(predictions),
            metrics=summary.metrics | {"tokens_per_second": num_tokens / seconds},
            intervals=summary.intervals,
            sampling=sampling.as_json(),
            predictions=predictions,
        )


def require_references(conversations: Sequence[Conversation]) -> None:
    """Make sure that every row can be judged.

    Raises:
        DataError: There are no rows, or rows without a reference; the first of them are named.
    """
    if not conversations:
        raise DataError("there is no row to evaluate")
    rows = enumerate(conversations, start=1)
    missing = [row.source or f"row {number}" for number, row in rows if not judgeable(row)]
    if not missing:
        return
    named = ", ".join(missing[:NUM_ROWS_NAMED])
    more = f" and {len(missing) - NUM_ROWS_NAMED} more" if len(missing) > NUM_ROWS_NAMED else ""
    raise DataError(
        f"{len(missing)} of {len(conversations)} rows have no reference: {named}{more}",
        hint="a row to evaluate ends with the assistant message that is the right answer, or has `references`",
        details={"rows_without_reference": missing},
    )


def judgeable(conversation: Conversation) -> bool:
    """Whether there is anything to compare an answer with."""
    return bool(text_references(conversation) or expected_calls(conversation))


def text_references(conversation: Conversation) -> list[str]:
    """Accepted answers: the last assistant message first, then the row's `references`, none twice."""
    completion = conversation.completion
    last = [completion.content] if completion and completion.content else []
    return list(dict.fromkeys([*last, *conversation.references]))


def expected_calls(conversation: Conversation) -> list[ToolCallResult]:
    """The tool calls of the last assistant message."""
    return call_results(conversation.completion) if conversation.completion else []


def call_results(answer: Message | Completion) -> list[ToolCallResult]:
    """The tool calls of a message or a completion, as results keep them."""
    return [ToolCallResult(name=call.name, arguments=call.arguments) for call in answer.tool_calls]


def place_of(conversations: Sequence[Conversation], index: int) -> tuple[int, int | None]:
    """The row, counted from 1, and where each of its answers is judged the turn."""
    return conversations.place(index) if isinstance(conversations, TurnRows) else (index + 1, None)


def predict(
    place: tuple[int, int | None],
    conversation: Conversation,
    completion: Completion,
    score_functions: Mapping[str, Score],
) -> Prediction:
    """One row's prediction with its scores."""
    row, turn = place
    references = text_references(conversation)
    return Prediction(
        row=row,
        turn=turn,
        prompt=message_dicts(conversation.prompt),
        references=references,
        text=completion.text,
        reference_tool_calls=expected_calls(conversation),
        tool_calls=call_results(completion),
        num_tokens=completion.num_tokens,
        finish_reason=completion.finish_reason,
        scores=score(conversation, references, completion, score_functions),
    )


def score(
    conversation: Conversation,
    references: Sequence[str],
    completion: Completion,
    score_functions: Mapping[str, Score],
) -> dict[str, float]:
    """The scores of one answer: `tool_call_match` where tools are to be called, else those of its text."""
    expected = conversation.completion.tool_calls if conversation.completion else ()
    if expected:
        return {"tool_call_match": tool_call_match(completion.tool_calls, expected)}
    return {name: function(completion.text, references) for name, function in score_functions.items()}
