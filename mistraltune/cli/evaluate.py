"""`mistraltune eval`: how good a model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mistraltune.cli.completion import complete_model
from mistraltune.cli.console import JsonOption, note, print_json, show
from mistraltune.cli.counting import CountingProgress

if TYPE_CHECKING:
    from mistraltune.evaluation.jobs import Evaluation
    from mistraltune.interfaces import Sampling
    from mistraltune.results import ModelRef

MODEL_HELP = "A run, adapter or model directory, a Hub id, quickstart, api:ID or api:ID@ENDPOINT."

EvaluatorOption = Annotated[str, typer.Option("--evaluator", metavar="NAME", help="What judges the answers.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N rows.")]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")]
BatchSize = Annotated[
    str, typer.Option("--batch-size", metavar="N|auto", help="Prompts generated together; auto: the backend chooses.")
]
Quantization = Annotated[
    Literal["none", "nf4", "int8"],
    typer.Option("--quantization", help="How a model that is no run is held; a run is held as it was trained."),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="NAME,...",
        help="exact_match, f1, rouge_l, chrf, bleu, json_valid, edit_similarity; the most telling first.",
        show_default="exact_match,f1",
    ),
]
Language = Annotated[
    str, typer.Option("--language", metavar="XX", help="Whose articles do not count: de, en, es, fr, it, nl, pt.")
]
Turns = Annotated[
    Literal["last", "all"],
    typer.Option("--turns", help="Judge a conversation's last answer, or all, each with its own history."),
]
By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="FIELD", help="Metrics by the rows' value in a field, such as tag; repeatable."),
]
AllowOverlap = Annotated[
    bool, typer.Option("--allow-overlap", help="Evaluate though rows are in the run's training data; it is recorded.")
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir", help="Where predictions and report go.", show_default="the run's evals/, or outputs/evals"
    ),
]


def evaluate(
    model: Annotated[str, typer.Option("--model", help=MODEL_HELP, show_default=False, autocompletion=complete_model)],
    eval_file: Annotated[
        Path, typer.Option("--eval-file", help="JSONL whose rows end with the right answer.", show_default=False)
    ],
    max_new_tokens: MaxNewTokens = 256,
    batch_size: BatchSize = "auto",
    limit: LimitOption = None,
    evaluator: EvaluatorOption = "text",
    metrics: Metrics = None,
    language: Language = "en",
    turns: Turns = "last",
    by: By = None,
    allow_overlap: AllowOverlap = False,
    quantization: Quantization = "none",
    output_dir: OutputDir = None,
    as_json: JsonOption = False,
) -> None:
    """Answer every row of a file greedily and score the answers: exact match, F1, tool calls, with intervals.

    Rows that stand, exactly or nearly, in a run's training data are refused. With --turns all the intervals know that
    turns of one conversation are not independent.

    Every prediction is written down. The same command again finds the report and computes nothing.
    """
    from mistraltune.evaluation.options import judge_options
    from mistraltune.evaluation.running import evaluate_model
    from mistraltune.registry import find_model

    options = judge_options(metric_names(metrics), language, turns)
    ref = find_model(model, quantization=quantization)
    with CountingProgress(as_json=as_json) as watch:
        evaluation = evaluate_model(
            ref,
            eval_file,
            sampling=greedy(max_new_tokens, batch_size),
            evaluator=evaluator,
            options=options,
            by=by or (),
            limit=limit,
            allow_overlap=allow_overlap,
            output_dir=output_dir,
            watch=watch,
        )
    if evaluation.is_reused:
        note("already evaluated; nothing was computed")
    tell_conditions(evaluation)
    if as_json:
        print_json(evaluation_json(evaluation))
        return
    from mistraltune.cli.comparison import show_metrics, show_slices
    from mistraltune.data.lines import display_name
    from mistraltune.evaluation.wording import rows

    show(f"{evaluation.report.model} on {rows(evaluation.report)} of {display_name(eval_file)}")
    show_metrics(evaluation.report)
    show_slices(evaluation.report)
    if usage := evaluation.report.usage:
        show("counted by the API: " + ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in usage.items()))
    show(f"predictions: {evaluation.predictions_file}\nreport: {evaluation.report_file}")


def tell_conditions(evaluation: Evaluation) -> None:
    """Say what a reader of the figures must know: answers left out, rows that were trained on or not compared."""
    from mistraltune.data.findings import counted
    from mistraltune.evaluation.leakage import describe_overlap

    if evaluation.num_left_out:
        note(f"{counted(evaluation.num_left_out, 'answer')} of weight 0, or to nothing, not judged")
    if evaluation.report.overlap and (text := describe_overlap(evaluation.report.overlap)):
        note(text)


def metric_names(metrics: str | None) -> list[str]:
    """The names of `--metrics`."""
    return [name.strip() for name in metrics.split(",")] if metrics is not None else []


def greedy(max_new_tokens: int, batch_size: str) -> Sampling:
    """Greedy decoding as the options ask for it.

    Raises:
        ConfigError: `batch_size` is neither a positive number nor `auto`.
    """
    from mistraltune.errors import ConfigError
    from mistraltune.interfaces import Sampling

    if batch_size == "auto":
        return Sampling(max_new_tokens=max_new_tokens)
    if not batch_size.isdecimal() or int(batch_size) == 0:
        raise ConfigError(f"--batch-size {batch_size!r} is neither a number above 0 nor auto")
    return Sampling(max_new_tokens=max_new_tokens, batch_size=int(batch_size))


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation's figures and files, for `--json`."""
    report = evaluation.report
    return {
        "model": model_json(report.model),
        "evaluator": report.evaluator,
        "eval_file": report.eval_file,
        "eval_sha256": report.eval_sha256,
        "limit": report.limit,
        "num_examples": report.num_examples,
        "metrics": report.metrics,
        "intervals": {name: interval.model_dump() for name, interval in report.intervals.items()},
        "sampling": report.sampling,
        "options": report.options,
        "overlap": report.overlap.model_dump() if report.overlap else None,
        "slices": [one.model_dump() for one in report.slices],
        "usage": report.usage,
        "predictions_file": str(evaluation.predictions_file),
        "report_file": str(evaluation.report_file),
        "already_evaluated": evaluation.is_reused,
    }


def model_json(ref: ModelRef) -> dict[str, Any]:
    """A model reference without what it leaves open."""
    return ref.model_dump(exclude_none=True)
