"""`mistraltune compare`: whether fine-tuning made a model better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mistraltune.cli.completion import complete_model
from mistraltune.cli.console import JsonOption, note, print_json, show
from mistraltune.cli.counting import CountingProgress
from mistraltune.cli.evaluate import (
    MODEL_HELP,
    AllowOverlap,
    BatchSize,
    By,
    EvaluatorOption,
    Language,
    LimitOption,
    MaxNewTokens,
    Metrics,
    OutputDir,
    Quantization,
    Turns,
    evaluation_json,
    greedy,
    metric_names,
    model_json,
    tell_conditions,
)

if TYPE_CHECKING:
    from mistraltune.data.conversation import Conversation
    from mistraltune.evaluation.running import ModelComparison


def compare(
    base_model: Annotated[
        str, typer.Option("--base-model", help=MODEL_HELP, show_default=False, autocompletion=complete_model)
    ],
    fine_tuned_model: Annotated[
        str, typer.Option("--fine-tuned-model", help=MODEL_HELP, show_default=False, autocompletion=complete_model)
    ],
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="[PROMPT]...", help="Prompts that both models answer.")
    ] = None,
    more_prompts: Annotated[
        list[str] | None, typer.Option("--prompts", metavar="TEXT", help="A prompt; may be given several times.")
    ] = None,
    prompts_file: Annotated[
        Path | None, typer.Option("--prompts-file", help="A prompt a line, or JSONL with `messages` rows.")
    ] = None,
    eval_file: Annotated[
        Path | None, typer.Option("--eval-file", help="JSONL whose rows end with the right answer.")
    ] = None,
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
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained report.")] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option("--fail-under", metavar="METRIC=V", help="Exit 6 unless the fine-tuned model reaches V (0 to 1)."),
    ] = None,
    max_regression: Annotated[
        list[str] | None,
        typer.Option("--max-regression", metavar="METRIC=V", help="Exit 6 if it falls more than V below the base."),
    ] = None,
    output_dir: OutputDir = None,
    as_json: JsonOption = False,
) -> None:
    """Put a base and a fine-tuned model side by side, on prompts, on an evaluation file, or on both.

    With an evaluation file: metrics, differences with 95% intervals, rows won and lost, what changed most. The base is
    loaded as the fine-tuned model's run was quantised. The two gate options may be given several times.
    """
    from mistraltune.errors import ConfigError
    from mistraltune.evaluation.gates import check_gates, gate_results, parse_gates
    from mistraltune.evaluation.options import judge_options, open_evaluator
    from mistraltune.evaluation.running import compare_models
    from mistraltune.registry import find_model

    options = judge_options(metric_names(metrics), language, turns)
    known_scores = getattr(open_evaluator(evaluator, options), "scores", ())
    gates = parse_gates(fail_under or (), max_regression or (), scores=known_scores)
    if gates and eval_file is None:
        raise ConfigError("a quality gate needs --eval-file", hint="without references there is nothing to measure")
    asked = collect_prompts([*(prompts or ()), *(more_prompts or ())], prompts_file)
    if not asked and eval_file is None:
        raise ConfigError("nothing to compare on", hint="give prompts, --prompts-file or --eval-file")
    check_html(html)
    with CountingProgress(as_json=as_json) as watch:
        compared = compare_models(
            find_model(base_model, quantization=quantization),
            find_model(fine_tuned_model, quantization=quantization),
            eval_file=eval_file,
            prompts=asked,
            sampling=greedy(max_new_tokens, batch_size),
            evaluator=evaluator,
            options=options,
            by=by or (),
            limit=limit,
            allow_overlap=allow_overlap,
            output_dir=output_dir,
            watch=watch,
        )
    for side, evaluation in zip(("base", "fine-tuned"), compared.evaluations or (), strict=False):
        if evaluation.is_reused:
            note(f"{side}: already evaluated; nothing was computed")
        tell_conditions(evaluation)
    if html:
        write_html(html, compared)
    checked = gate_results(compared.comparison, gates) if compared.comparison else []
    summary = comparison_json(compared) | {"html": str(html) if html else None, "gates": checked}
    if not as_json:
        show_compared(compared, html)
    if compared.comparison:
        # The error carries the summary, so that --json prints one object here too.
        check_gates(compared.comparison, gates, details={"comparison": summary})
    if as_json:
        print_json(summary)


def collect_prompts(texts: list[str], file: Path | None) -> list[Conversation]:
    """The prompts of the command line, then those of the file."""
    from mistraltune.data.conversation import ask
    from mistraltune.evaluation.prompts import read_prompts

    return [ask(text) for text in texts] + (read_prompts(file) if file else [])


def check_html(path: Path | None) -> None:
    """Find out before any model is loaded that the report cannot be written.

    Raises:
        ConfigError: `path` is a directory, or its directory cannot be written to.
    """
    from mistraltune.errors import ConfigError
    from mistraltune.publishing import check_writable

    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"--html {path} is a directory", hint="name a file")
    check_writable(path.parent, option="--html")


def write_html(path: Path, compared: ModelComparison) -> None:
    """Write the report, dated now."""
    from mistraltune.clock import now
    from mistraltune.evaluation.report import render_report
    from mistraltune.provenance import versions
    from mistraltune.publishing import publish_text

    publish_text(path, render_report(compared, created_at=now(), versions=versions()))


def show_compared(compared: ModelComparison, html: Path | None) -> None:
    """The comparison for people, and where its files are."""
    from mistraltune.cli.comparison import show_answers, show_comparison

    show(f"base:       {compared.base}\nfine-tuned: {compared.fine_tuned}")
    show_answers(compared.answers)
    if compared.comparison:
        show_comparison(compared.comparison)
    for name, evaluation in zip(("base", "fine-tuned"), compared.evaluations or (), strict=False):
        show(f"predictions ({name}): {evaluation.predictions_file}")
    if html:
        show(f"report: {html}")


def comparison_json(compared: ModelComparison) -> dict[str, Any]:
    """A comparison without its predictions, for `--json`; they are in the two `predictions_file`s."""
    summary: dict[str, Any] = {
        "base": {"model": model_json(compared.base)},
        "fine_tuned": {"model": model_json(compared.fine_tuned)},
        "answers": [pair.model_dump() for pair in compared.answers],
    }
    if not (compared.evaluations and compared.comparison):
        return summary
    base, fine_tuned = compared.evaluations
    figures = compared.comparison.model_dump(exclude={"base", "fine_tuned"})
    return summary | {"base": evaluation_json(base), "fine_tuned": evaluation_json(fine_tuned)} | figures
