"""The quickstart: the whole line on a real small model and a real little task, from nothing to a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mistraltune.clock import now
from mistraltune.config import train_config_type
from mistraltune.configuring import load_config
from mistraltune.evaluation.report import render_report
from mistraltune.evaluation.running import ModelComparison, Watch, compare_models
from mistraltune.interfaces import Sampling
from mistraltune.provenance import versions
from mistraltune.publishing import publish_text
from mistraltune.registry import find_model, get_backend
from mistraltune.runs import Event, RunDir
from mistraltune.shipped import example_dir
from mistraltune.training import train

EXAMPLE = "support_triage"
LONGEST_LABEL = 16
"""Tokens; the longest label has 7, so that a rambling answer is cut and counted."""


@dataclass(frozen=True)
class Quickstart:
    """What the quickstart leaves.

    Attributes:
        run: The finished training run.
        compared: Base and fine-tuned model on the test split.
        report_file: The comparison as HTML.
    """

    run: RunDir
    compared: ModelComparison
    report_file: Path


def run_quickstart(
    output_dir: Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Watch = lambda text, num_done, num_total: None,
) -> Quickstart:
    """Train on the example, evaluate base and tuned model on its test split, write the report.

    Everything is found again on a second call: a finished run is not trained, an evaluation not computed again.

    Raises:
        MistralTuneError: Any station's own error.
    """
    example = example_dir(EXAMPLE)
    backend = get_backend("local")
    options = {
        "data.train_file": str(example / "train.jsonl"),
        "data.val_file": str(example / "val.jsonl"),
        "output_dir": str(output_dir),
    }
    config_type = train_config_type(backend.name, backend.options)
    config = load_config(config_type, files=[str(example / "train.yaml")], options=options).config
    run = train(backend, config, on_event=on_event, should_stop=should_stop)
    compared = compare_models(
        find_model(config.model),
        run.model,
        eval_file=example / "test.jsonl",
        sampling=Sampling(max_new_tokens=LONGEST_LABEL),
        output_dir=run.path / "evals",
        watch=watch,
    )
    report_file = run.path / "evals" / "quickstart.html"
    if not report_file.exists():
        publish_text(report_file, render_report(compared, created_at=now(), versions=versions()))
    return Quickstart(run=run, compared=compared, report_file=report_file)
