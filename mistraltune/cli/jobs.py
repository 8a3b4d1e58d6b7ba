"""`mistraltune jobs ...`: the fine-tuning jobs and the models of an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show

if TYPE_CHECKING:
    from mistraltune.backends.api.client import ApiClient
    from mistraltune.backends.api.wire import Job

PATIENCE = 20.0
"""Seconds for which a command that somebody waits for tries again."""

app = typer.Typer(no_args_is_help=True, help="List, watch, start and cancel the jobs of an API.")

Endpoint = Annotated[str, typer.Option("--endpoint", help="mistral, local, or a name in your endpoints.yaml.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, as `jobs list` shows it.")]
ModelId = Annotated[str, typer.Argument(metavar="ID", help="The model's id, such as ft:open-mistral-7b:....")]
Status = Annotated[str | None, typer.Option("--status", help="Only jobs of this status, such as RUNNING.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


@app.command("list")
def list_(
    endpoint: Endpoint = "mistral", status: Status = None, limit: Limit = 100, as_json: JsonOption = False
) -> None:
    """List the jobs, newest first."""
    with client_of(endpoint) as client:
        jobs = client.jobs(limit=limit, status=status.upper() if status else None)
    if as_json:
        print_answer({"jobs": [summarise(job) for job in jobs]})
        return
    if not jobs:
        note(f"no jobs at {endpoint}")
        return
    from mistraltune.cli.tables import Column, show_table

    columns = [
        Column("job"),
        Column("status"),
        Column("model", gives_way=True),
        Column("created", gives_way=True),
        Column("fine-tuned model"),
    ]
    rows = [
        list(map(shown, (job.id, job.status, job.model, moment(job.created_at), job.fine_tuned_model))) for job in jobs
    ]
    show_table(columns, rows)


@app.command("show")
def show_job(job_id: JobId, endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """Show one job: what it does, its events, its figures."""
    with client_of(endpoint) as client:
        job = client.job(job_id)
    report(job, endpoint=endpoint, as_json=as_json)


@app.command("watch")
def watch(job_id: JobId, endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """Follow a job to its end: exit 0 where it succeeded, 6 where not. Ctrl-C detaches; a started job goes on."""
    from mistraltune.backends.api.launching import job_failed
    from mistraltune.backends.api.watching import Watch
    from mistraltune.backends.api.wire import SUCCESS
    from mistraltune.cli.progress import RunProgress
    from mistraltune.cli.signals import stop_on_signals

    with (
        stop_on_signals() as stop,
        client_of(endpoint, should_stop=stop) as client,
        RunProgress(as_json=as_json) as progress,
    ):

        def tell(event: str, **fields: Any) -> None:
            entry = {"event": event, **fields}
            stop.hear(entry)
            progress(entry)

        job = Watch(client, job_id, tell=tell).follow(stop)
    if job.status != SUCCESS:
        raise job_failed(job, hint=f"`mistraltune jobs show {job.id} --endpoint {endpoint}` tells all of it")
    report(job, endpoint=endpoint, as_json=as_json)


@app.command("start")
def start(job_id: JobId, endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """Let a job run whose data was checked; one that runs already is left as it is, one that has ended is refused."""
    from mistraltune.backends.api.launching import start_once
    from mistraltune.errors import ApiError, TemporaryError

    with client_of(endpoint) as client:
        job = client.job(job_id)
        if job.has_ended or job.status == "CANCELLATION_REQUESTED":
            raise ApiError(
                f"job {job.id} is {job.status} and cannot be started",
                hint=f"`mistraltune jobs show {job.id} --endpoint {endpoint}` says how that came",
            )
        if job.status == "VALIDATING":
            raise TemporaryError(
                f"job {job.id} cannot be started yet: its data is being checked",
                hint="the same command starts it then",
            )
        if job.status in ("STARTED", "RUNNING"):
            note("it runs already")
        else:
            job = start_once(client, job_id)
    report_change(job, endpoint=endpoint, as_json=as_json)


@app.command("cancel")
def cancel(job_id: JobId, endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """Stop a job; one that has ended is left as it is."""
    with client_of(endpoint) as client:
        job = client.job(job_id)
        if not job.has_ended:
            job = client.cancel_job(job_id)
    report_change(job, endpoint=endpoint, as_json=as_json)


@app.command("models")
def models(endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """List the models that can be asked, as `api:ID@ENDPOINT` wherever a model is named."""
    with client_of(endpoint) as client:
        cards = client.models()
    if as_json:
        print_answer({"models": [card.model_dump() | {"reference": f"api:{card.id}@{endpoint}"} for card in cards]})
        return
    for card in cards:
        show(f"api:{shown(card.id)}@{endpoint}")


@app.command("delete-model")
def delete_model(model_id: ModelId, endpoint: Endpoint = "mistral", as_json: JsonOption = False) -> None:
    """Have a fine-tuned model served no longer."""
    with client_of(endpoint) as client:
        client.delete_model(model_id.removeprefix("api:").removesuffix(f"@{endpoint}"))
    if as_json:
        print_answer({"model": model_id, "deleted": True})
        return
    show(f"{model_id} is deleted")


@contextmanager
def client_of(endpoint: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[ApiClient]:
    """Yield the API of that name; its waits end early where `should_stop` says so."""
    from contextlib import closing

    from mistraltune.backends.api.client import ApiClient
    from mistraltune.backends.api.endpoints import find_endpoint
    from mistraltune.backends.api.retrying import Retrier

    retry = Retrier(patience=PATIENCE, on_wait=note, should_stop=should_stop)
    with closing(ApiClient(find_endpoint(endpoint), retry=retry)) as client:
        yield client


def report_change(job: Job, *, endpoint: str, as_json: bool) -> None:
    """What became of a job by a command."""
    if as_json:
        print_answer(summarise(job))
        return
    show(f"job {shown(job.id)}: {shown(job.status)}")
    if job.status in ("QUEUED", "VALIDATING"):
        note("it waits for its turn, or for the check of its data, after which it can be started")
    if not job.has_ended:
        note(f"`mistraltune jobs watch {job.id} --endpoint {endpoint}` follows it")


def report(job: Job, *, endpoint: str, as_json: bool) -> None:
    """All about one job."""
    if as_json:
        print_answer(
            summarise(job)
            | {
                "events": [event.model_dump() for event in job.told_events()],
                "checkpoints": [{"step": each.step_number, **each.metrics.model_dump()} for each in job.steps()],
                "reference": f"api:{job.fine_tuned_model}@{endpoint}" if job.fine_tuned_model else None,
            }
        )
        return
    from mistraltune.backends.api.watching import describe_events

    plan = job.plan
    facts = {
        "job": job.id,
        "status": job.status,
        "model": job.model,
        "fine-tuned model": f"api:{job.fine_tuned_model}@{endpoint}" if job.fine_tuned_model else None,
        "created": moment(job.created_at),
        "steps": job.num_steps,
        "epochs": f"{job.epochs:.2f}" if job.epochs else None,
        "tokens": plan.data_tokens,
        "trained on in all": plan.train_tokens,
        "cost": f"{plan.cost:.2f} {plan.cost_currency or ''}".strip() if plan.cost is not None else None,
    }
    for name, value in facts.items():
        if value is not None:
            show(f"{name}: {shown(value)}")
    for line in describe_events(job.told_events()):
        show(f"  {line}")
    show_figures(job)


def show_figures(job: Job) -> None:
    """The losses of a job, in nats per trained token, and the validation's perplexity."""
    import math

    from mistraltune.cli.sparkline import sparkline

    losses = [each.metrics.train_loss for each in job.steps() if each.metrics.train_loss is not None]
    if losses:
        show(f"training loss: {losses[0]:.4f} {sparkline(losses)} {losses[-1]:.4f}")
    validations = [each.metrics.valid_loss for each in job.steps() if each.metrics.valid_loss is not None]
    if validations:
        last = validations[-1]
        show(f"validation loss: {sparkline(validations)} {last:.4f} (perplexity {math.exp(min(last, 700)):.2f})")


def summarise(job: Job) -> dict[str, Any]:
    """A job without its events and checkpoints, JSON-like."""
    return job.model_dump(mode="json", exclude={"events", "checkpoints"})


def print_answer(value: dict[str, Any]) -> None:
    """What a server said, as one JSON object, without a key that it repeats."""
    from mistraltune.backends.api.answers import masked_values

    print_json(masked_values(value))


def shown(value: Any) -> str:
    """A server's word, fit for a terminal."""
    from mistraltune.backends.api.answers import plain

    return plain(str(value)) if value is not None else ""


def moment(at: float) -> str:
    """A time in seconds since 1970, in UTC."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return ""
