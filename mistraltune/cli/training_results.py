"""What a training came to, or a dry run of one, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mistraltune.cli.console import print_json, show

if TYPE_CHECKING:
    from mistraltune.runs import RunDir
    from mistraltune.training import Plan


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """What the run would do."""
    from mistraltune.cli.progress import describe_data, describe_footprint
    from mistraltune.configuring import dump_yaml

    summary = plan.summary()
    if "request" not in summary:  # which holds all of the configuration that an API is told
        summary["config"] = plan.config.model_dump(mode="json")
    if as_json:
        print_json(summary)
        return
    show(dump_yaml({"request": summary["request"]} if "request" in summary else summary["config"]).rstrip())
    for name, figures in (("training", summary["train"]), ("validation", summary["validation"])):
        if figures:
            show(describe_data(name, figures))
    devices = f" on {plan.num_devices} devices" if plan.num_devices > 1 else ""
    show(f"steps: {plan.num_steps or 'as the API counts them'}{devices}")
    for upload in summary.get("uploads", ()):
        show(f"upload: {upload['file']}, {upload['num_rows']:,} rows, {upload['num_bytes']:,} bytes")
    if "endpoint" in summary:
        show(f"endpoint: {summary['endpoint']['name']} ({summary['endpoint']['url']})")
    for line in describe_footprint(summary):
        show(line)
    show(f"run directory: {plan.path}")


def show_run(run: RunDir, *, as_json: bool) -> None:
    """Where the run lies and its figures."""
    from mistraltune.overview.values import shown

    metrics = run.metrics
    if as_json:
        print_json(
            {
                "run_dir": str(run.path),
                "run_id": run.run_id,
                "status": run.status,
                "reference": reference_of(run),
                "metrics": metrics,
            }
        )
        return
    show(f"run directory: {run.path}")
    reference = reference_of(run)
    if run.status != "finished":
        show(f"status: {run.status}")
    elif reference != str(run.path):
        show(f"model: {reference}")
    for name, value in metrics.items():
        show(f"  {name}: {shown(value)}")


def reference_of(run: RunDir) -> str | None:
    """What `--model` takes for the fine-tuned model: the run directory, or an API's model; None before there is one."""
    if run.status != "finished":
        return None
    return str(run.path) if run.model.adapter else str(run.model)
