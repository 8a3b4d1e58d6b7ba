"""Comparisons: two served models side by side, on an uploaded file or on prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from mistraltune.errors import DataError
from mistraltune.evaluation.comparing import Outcome, Pair, by_change
from mistraltune.evaluation.jobs import read_predictions
from mistraltune.evaluation.prompts import read_prompts
from mistraltune.publishing import publish_text
from mistraltune.results import AnswerPair
from mistraltune.serve.commands import PROMPTS_FILE, REPORT_FILE
from mistraltune.serve.evaluation_replies import (
    ComparisonList,
    ComparisonReply,
    ComparisonRow,
    ComparisonRows,
    Deleted,
    describe_comparison,
    describe_pair,
    describe_prompt,
)
from mistraltune.serve.evaluation_requests import ComparisonRequest
from mistraltune.serve.evaluations import (
    copy_rows,
    last_words,
    named_file,
    named_model,
    predictions_file,
    require_evaluator,
)
from mistraltune.serve.files import Files
from mistraltune.serve.grouping import Grouping
from mistraltune.serve.models import Models
from mistraltune.serve.paging import Page, PageSize, on_page
from mistraltune.serve.queue import Queue, new_id, refusing_illegal_steps
from mistraltune.serve.records import ComparisonRecord
from mistraltune.serve.refusals import Refusal, as_refusal, problem
from mistraltune.serve.store import now
from mistraltune.serve.supervisor import Supervisor

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A report needs its own styles and nothing else, wherever it is opened."""


class Comparisons:
    """The comparisons of a data directory.

    Args:
        queue: Where they stand among other jobs.
        files: What models are compared on.
        models: What can be compared.
        grouping: By what the rows of a file can be told apart.
    """

    def __init__(self, queue: Queue, files: Files, models: Models, grouping: Grouping) -> None:
        self.queue = queue
        self.files = files
        self.models = models
        self.grouping = grouping

    def find(self, job_id: str) -> ComparisonRecord:
        """The comparison of that id.

        Raises:
            Refusal: 404.
        """
        return self.queue.find(job_id, ComparisonRecord, noun="comparison")

    def create(self, request: ComparisonRequest) -> ComparisonRecord:
        """A new comparison, with a copy of its rows.

        Raises:
            Refusal: 409 one like it is open, 422 evaluator, models, file or a field of its rows are unknown, or a
                prompt is refused, 429 too many jobs.
        """
        require_evaluator(request)
        at = now()
        job = ComparisonRecord(
            id=new_id(),
            created_at=at,
            modified_at=at,
            request=request,
            base=named_model(self.models, request.base_model, "base_model"),
            fine_tuned=named_model(self.models, request.fine_tuned_model, "fine_tuned_model"),
        )
        if request.file_id:
            self.grouping.require(named_file(self.files, request.file_id), request)
        self.queue.add(job, lambda staging: self.fill(staging, request))
        return job

    def fill(self, staging: Path, request: ComparisonRequest) -> None:
        """Write down what both models answer."""
        if request.file_id:
            copy_rows(self.files, request.file_id, staging)
            return
        rows = ({"messages": [{"role": "user", "content": prompt}]} for prompt in request.prompts)
        publish_text(staging / PROMPTS_FILE, "".join(json.dumps(row) + "\n" for row in rows))
        try:
            read_prompts(staging / PROMPTS_FILE)
        except DataError as error:
            details = [
                problem(each["type"], each["msg"], "prompts", int(each["loc"][-1]) - 1)
                for each in as_refusal(error).details
            ]
            raise Refusal(422, f"a prompt cannot be asked: {details[0]['msg']}", details=details) from error

    def rows(self, job: ComparisonRecord, outcome: Outcome | None) -> list[ComparisonRow]:
        """What both models answered, as `ComparisonRows` has it; all, or those of one outcome.

        Raises:
            Refusal: 409, there is nothing yet.
        """
        folder = self.queue.folder / job.id
        words = last_words(job, folder)
        if job.request.prompts:
            answers = enumerate(words["answers"], start=1)
            rows = [describe_prompt(number, AnswerPair.model_validate(pair)) for number, pair in answers]
            return [row for row in rows if outcome is None]
        sides = (read_predictions(predictions_file(words[side], folder)) for side in ("base", "fine_tuned"))
        pairs = by_change(list(map(Pair, *sides)))
        return [describe_pair(pair) for pair in pairs if outcome in (None, pair.outcome)]

    def report(self, job: ComparisonRecord) -> Path:
        """The report as one HTML file.

        Raises:
            Refusal: 409, there is none yet.
        """
        folder = self.queue.folder / job.id
        last_words(job, folder)
        return folder / REPORT_FILE


def comparison_routes(comparisons: Comparisons, supervisor: Supervisor) -> APIRouter:
    """`/api/comparisons`."""
    routes = APIRouter(prefix="/api/comparisons", tags=["comparisons"])
    store = comparisons.queue.store

    @routes.post("")
    def create(request: ComparisonRequest) -> ComparisonReply:
        """Put two models side by side; the base is held in memory as the fine-tuned model is."""
        return describe_comparison(comparisons.create(request), store)

    @routes.get("")
    def list_comparisons(page: Page = 0, page_size: PageSize = 100) -> ComparisonList:
        """The comparisons, newest first."""
        found = store.jobs(ComparisonRecord)
        shown = on_page(found, page, page_size)
        return ComparisonList(data=[describe_comparison(job, store) for job in shown], total=len(found))

    @routes.get("/{job_id}")
    def get(job_id: str) -> ComparisonReply:
        """One comparison, with its figures once it has succeeded."""
        return describe_comparison(comparisons.find(job_id), store)

    @routes.get("/{job_id}/rows")
    def rows(
        job_id: str,
        outcome: Annotated[Outcome | None, Query()] = None,
        page: Page = 0,
        page_size: PageSize = 100,
    ) -> ComparisonRows:
        """Every row with both answers, what changed most first; `outcome` picks wins, ties or losses."""
        found = comparisons.rows(comparisons.find(job_id), outcome)
        return ComparisonRows(data=on_page(found, page, page_size), total=len(found))

    @routes.get("/{job_id}/report", response_class=FileResponse)
    def report(job_id: str) -> Response:
        """The comparison as one HTML file that needs nothing else."""
        job = comparisons.find(job_id)
        headers = {
            "content-disposition": f'attachment; filename="comparison-{job.id[:8]}.html"',
            "content-security-policy": REPORT_POLICY,
        }
        return FileResponse(comparisons.report(job), media_type="text/html; charset=utf-8", headers=headers)

    @routes.post("/{job_id}/cancel")
    def cancel(job_id: str) -> ComparisonReply:
        """Stop a comparison."""
        with refusing_illegal_steps("cancelled"):
            return describe_comparison(supervisor.cancel(comparisons.find(job_id)), store)

    @routes.delete("/{job_id}")
    def delete(job_id: str) -> Deleted:
        """Delete a comparison that has ended, with all that it left."""
        comparisons.queue.forget(comparisons.find(job_id))
        return Deleted(id=job_id, object="comparison")

    return routes
