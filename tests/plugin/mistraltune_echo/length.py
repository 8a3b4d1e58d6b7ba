"""An evaluator that likes long answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from statistics import fmean

from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import ChatModel, Sampling
from mistraltune.results import EvalReport, Interval, ModelRef, Prediction


class LengthEvaluator:
    """The mean number of words in an answer, between its smallest and its largest."""

    def evaluate(
        self,
        model: ChatModel,
        ref: ModelRef,
        conversations: Sequence[Conversation],
        *,
        sampling: Sampling,
        on_progress: Callable[[int], None] = lambda num_done: None,
    ) -> EvalReport:
        predictions = []
        completions = model.generate([conversation.prompt for conversation in conversations], sampling)
        for row, (conversation, completion) in enumerate(zip(conversations, completions, strict=True), start=1):
            prompt = [{"role": message.role, "content": message.content} for message in conversation.prompt.messages]
            prediction = Prediction(
                row=row,
                prompt=prompt,
                references=[],
                text=completion.text,
                num_tokens=completion.num_tokens,
                finish_reason=completion.finish_reason,
                scores={"length": len(completion.text.split())},
            )
            predictions.append(prediction)
            on_progress(row)
        lengths = [prediction.scores["length"] for prediction in predictions]
        return EvalReport(
            model=ref,
            evaluator="length",
            num_examples=len(predictions),
            metrics={"length": fmean(lengths)},
            intervals={"length": Interval(low=min(lengths), high=max(lengths))},
            sampling=dataclasses.asdict(sampling),
            predictions=predictions,
        )
