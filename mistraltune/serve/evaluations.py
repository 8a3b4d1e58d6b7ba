"""Evaluations: how good a served model is on an uploaded file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from mistraltune.errors import ConfigError
from mistraltune.evaluation.jobs import read_predictions
from mistraltune.evaluation.options import open_evaluator
from mistraltune.evaluation.text_metrics import METRICS
from mistraltune.results import ModelRef, Prediction
from mistraltune.serve.commands import EVAL_FILE, EVALS_DIR
from mistraltune.serve.evaluation_replies import (
    Deleted,
    EvaluationList,
    EvaluationReply,
    EvaluationRows,
    describe_evaluation,
    describe_prediction,
)
from mistraltune.serve.evaluation_requests import AnswerRequest, EvaluationRequest
from mistraltune.serve.files import Files
from mistraltune.serve.grouping import Grouping
from mistraltune.serve.models import Models
from mistraltune.serve.paging import Page, PageSize, on_page
from mistraltune.serve.parts import note_parts
from mistraltune.serve.processes import JOB, ending
from mistraltune.serve.queue import Queue, new_id, refusing_illegal_steps
from mistraltune.serve.records import EvaluationRecord, FileRecord, JobRecord, Status
from mistraltune.serve.refusals import Refusal, problem
from mistraltune.serve.store import now
from mistraltune.serve.supervisor import Supervisor


class Evaluations:
    """The evaluations of a data directory.

    Args:
        queue: Where they stand among other jobs.
        files: What models are evaluated on.
        models: What can be evaluated.
        grouping: By what its rows can be told apart.
    """

    def __init__(self, queue: Queue, files: Files, models: Models, grouping: Grouping) -> None:
        self.queue = queue
        self.files = files
        self.models = models
        self.grouping = grouping

    def find(self, job_id: str) -> EvaluationRecord:
        """The evaluation of that id.

        Raises:
            Refusal: 404.
        """
        return self.queue.find(job_id, EvaluationRecord, noun="evaluation")

    def create(self, request: EvaluationRequest) -> EvaluationRecord:
        """A new evaluation, with a copy of its rows.

        Raises:
            Refusal: 409 one like it is open, 422 evaluator, model, file or a field of its rows are unknown, 429 too
                many jobs are open.
        """
        require_evaluator(request)
        at = now()
        job = EvaluationRecord(
            id=new_id(),
            created_at=at,
            modified_at=at,
            request=request,
            model=named_model(self.models, request.model, "model"),
        )
        self.grouping.require(named_file(self.files, request.file_id), request)
        self.queue.add(job, lambda staging: copy_rows(self.files, request.file_id, staging))
        return job

    def predictions(self, job: EvaluationRecord) -> list[Prediction]:
        """What the model answered, in the order of the rows.

        Raises:
            Refusal: 409, there is nothing yet.
        """
        folder = self.queue.folder / job.id
        return read_predictions(predictions_file(last_words(job, folder), folder))


def named_model(models: Models, name: str, field: str) -> ModelRef:
    """The model that a request names.

    Raises:
        Refusal: 422, it is unknown or archived.
    """
    try:
        return models.find(name)
    except Refusal as refusal:
        details = [problem("unknown_model", refusal.message, field)]
        raise Refusal(422, refusal.message, details=details) from refusal


def copy_rows(files: Files, file_id: str, folder: Path) -> None:
    """Put the rows to answer into a job's folder."""
    note_parts(folder, {EVAL_FILE: files.join([file_id], folder / EVAL_FILE)})


def require_evaluator(request: AnswerRequest) -> None:
    """Make sure that the evaluator that a request names is here, and judges as it is told to.

    Raises:
        Refusal: 422, it is not, takes no such option, or is told to judge by nothing.
    """
    # Here, not in the request's type: records that were stored without metrics hold an empty list.
    if "metrics" in request.model_fields_set and not request.metrics:
        words = f"no metric is named; name some of {', '.join(METRICS)}, or leave metrics out"
        raise Refusal(422, words, details=[problem("no_metric", words, "metrics")])
    try:
        open_evaluator(request.evaluator, request.judging)
    except ConfigError as error:
        words = f"{error.message}; {error.hint}"
        raise Refusal(422, words, details=[problem("unfit_evaluator", words, "evaluator")]) from error


def named_file(files: Files, file_id: str) -> FileRecord:
    """The file that a request names.

    Raises:
        Refusal: 422, there is none.
    """
    file = files.store.find_file(file_id)
    if file is None:
        message = f"there is no file {file_id[:100]}"
        raise Refusal(422, message, details=[problem("unknown_file", message, "file_id")])
    return file


def last_words(job: JobRecord, folder: Path) -> dict[str, Any]:
    """What a job that has succeeded printed at its end.

    Raises:
        Refusal: 409, it has not.
    """
    words = ending(folder, JOB).result
    if job.status != Status.SUCCESS or words is None:
        raise Refusal(409, f"the job is {job.status}; what it finds can be read when it has succeeded")
    return words


def predictions_file(words: dict[str, Any], folder: Path) -> Path:
    """Where an evaluation that printed `words` has its predictions, wherever its folder lies now."""
    return folder / EVALS_DIR / Path(words["predictions_file"]).name


def evaluation_routes(evaluations: Evaluations, supervisor: Supervisor) -> APIRouter:
    """`/api/evaluations`."""
    routes = APIRouter(prefix="/api/evaluations", tags=["evaluations"])
    store = evaluations.queue.store

    @routes.post("")
    def create(request: EvaluationRequest) -> EvaluationReply:
        """Evaluate a model on an uploaded file, greedily."""
        return describe_evaluation(evaluations.create(request), store)

    @routes.get("")
    def list_evaluations(page: Page = 0, page_size: PageSize = 100) -> EvaluationList:
        """The evaluations, newest first."""
        found = store.jobs(EvaluationRecord)
        shown = on_page(found, page, page_size)
        return EvaluationList(data=[describe_evaluation(job, store) for job in shown], total=len(found))

    @routes.get("/{job_id}")
    def get(job_id: str) -> EvaluationReply:
        """One evaluation, with its figures once it has succeeded."""
        return describe_evaluation(evaluations.find(job_id), store)

    @routes.get("/{job_id}/rows")
    def rows(job_id: str, page: Page = 0, page_size: PageSize = 100) -> EvaluationRows:
        """Every row with the model's answer and what it scored, in the order of the file."""
        found = evaluations.predictions(evaluations.find(job_id))
        shown = on_page(found, page, page_size)
        return EvaluationRows(data=[describe_prediction(prediction) for prediction in shown], total=len(found))

    @routes.post("/{job_id}/cancel")
    def cancel(job_id: str) -> EvaluationReply:
        """Stop an evaluation; nothing of it is kept."""
        with refusing_illegal_steps("cancelled"):
            return describe_evaluation(supervisor.cancel(evaluations.find(job_id)), store)

    @routes.delete("/{job_id}")
    def delete(job_id: str) -> Deleted:
        """Delete an evaluation that has ended, with all that it left."""
        evaluations.queue.forget(evaluations.find(job_id))
        return Deleted(id=job_id, object="evaluation")

    return routes
