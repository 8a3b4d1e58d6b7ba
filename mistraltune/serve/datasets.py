"""Uploaded files looked into and made anew, for the console: what `mistraltune data` says of them, as routes.

What is found out about a file stays true, because files never change; so it is remembered by the file's id.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.converting import convert_file
from mistraltune.data.lines import display_name
from mistraltune.data.near_duplicates import NearPair, near_pairs
from mistraltune.data.rendered import RowError
from mistraltune.data.reopening import Reopening
from mistraltune.data.splitting import split_file
from mistraltune.data.statistics import DataStatistics, describe
from mistraltune.data.validating import FileReport, check_files
from mistraltune.errors import ConfigError, DataError
from mistraltune.interfaces import Renderer
from mistraltune.registry import open_renderer
from mistraltune.results import ModelRef
from mistraltune.serve.dataset_replies import (
    ConversionReply,
    FileUse,
    NearDuplicatesReply,
    ReportReply,
    RowList,
    RowReply,
    SplitReply,
    StatisticsReply,
    UsesReply,
    describe_finding,
    describe_messages,
    describe_report,
    describe_sequences,
    describe_statistics,
    line_of,
)
from mistraltune.serve.files import FileReply, Files, reply
from mistraltune.serve.job_requests import Request
from mistraltune.serve.models import Models
from mistraltune.serve.records import ENDED, ComparisonRecord, EvaluationRecord, FileRecord, TrainingRecord
from mistraltune.serve.refusals import Refusal
from mistraltune.serve.studies import Studies
from mistraltune.serve.uploads import Upload

MAX_ROWS = 50
"""Rows of one reply."""

MAX_PAIRS = 200
"""Nearly equal rows of one reply."""

Share = Annotated[float, Field(ge=0, lt=1)]
ModelName = Annotated[str, Query(max_length=200, description="Public name of the model whose tokens are meant.")]


class SplitRequest(Request):
    """How to divide a file."""

    val: Share = 0.1
    """Share of the rows for validation."""
    test: Share = 0.0
    """Share of the rows for the test."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 42
    """Another seed makes another choice."""


class ConversionRequest(Request):
    """What to make of a file."""

    to: Literal["messages", "instruct"]


class Datasets:
    """What can be found out about files, and made of them.

    Args:
        files: The files.
        models: Whose tokens are counted.
    """

    def __init__(self, files: Files, models: Models) -> None:
        self.files = files
        self.models = models
        self._studies = Studies()
        self._rendering = threading.Lock()

    def report(self, file: FileRecord) -> FileReport:
        """What a check finds in a file; its errors were found when it came, so these are warnings."""
        return self._studies.get(("report", file.id), lambda: check_files([self.files.path(file.id)]).files[0])

    def statistics(self, file: FileRecord, model: str, *, max_length: int | None, rows_per_step: int) -> DataStatistics:
        """How long a file's rows are for a model.

        Raises:
            Refusal: 404, there is no such model.
        """
        ref = base_of(self.models.find(model))
        open_this = partial(open_renderer, ref)

        def find_out() -> DataStatistics:
            renderer = open_this()
            return describe(
                self.open(file),
                renderer.render,
                reopening=Reopening(open_this, renderer.fingerprint),
                max_length=max_length,
                rows_per_step=rows_per_step,
            )

        key = ("statistics", file.id, ref.model_dump_json(), max_length, rows_per_step)
        return self._studies.get(key, find_out)

    def near_duplicates(self, file: FileRecord, threshold: float) -> NearDuplicatesReply:
        """The rows of a file that say nearly what an earlier row says."""
        return self._studies.get(("near", file.id, threshold), lambda: self.find_near(file, threshold))

    def find_near(self, file: FileRecord, threshold: float) -> NearDuplicatesReply:
        """Compare the rows of a file; each that is nearly equal to others is told with the one most like it."""
        opened = self.open(file)
        nearest: dict[int, NearPair] = {}
        for pair in near_pairs(opened, threshold):
            nearest.setdefault(pair.row, pair)
        shown = list(nearest.values())[:MAX_PAIRS]
        return {
            "file_id": file.id,
            "threshold": threshold,
            "num_rows": len(opened),
            "num_near_rows": len(nearest),
            "pairs": [
                {
                    "row": pair.row + 1,
                    "line": line_of(opened[pair.row].source),
                    "earlier_row": pair.earlier + 1,
                    "earlier_line": line_of(opened[pair.earlier].source),
                    "similarity": round(pair.similarity, 4),
                }
                for pair in shown
            ],
        }

    def rows(self, file: FileRecord, *, offset: int, limit: int, model: str | None) -> RowList:
        """Some rows of a file, and what a model reads of them.

        Raises:
            Refusal: 404, there is no such model.
        """
        opened = self._studies.get(("rows", file.id), lambda: self.open(file))
        renderer = self.renderer(self.models.find(model)) if model else None
        numbers = range(offset, min(offset + limit, len(opened)))
        rows = [self.row(opened, number, renderer) for number in numbers]
        return {"total": len(opened), "offset": offset, "rows": rows}

    def row(self, opened: ConversationFile, number: int, renderer: Renderer | None) -> RowReply:
        """One row, counted from 0."""
        conversation = opened[number]
        row: RowReply = {
            "row": number + 1,
            "line": line_of(conversation.source),
            "messages": describe_messages(conversation),
            "tools": list(conversation.tools),
            "sequences": None,
            "problem": None,
        }
        if renderer is None:
            return row
        try:
            with self._rendering:  # fast tokenizers answer one thread at a time
                row["sequences"] = describe_sequences(renderer.render(conversation), renderer)
        except RowError as error:
            row["problem"] = error.reason
        return row

    def open(self, file: FileRecord) -> ConversationFile:
        """The rows of a file, which were checked when it came."""
        return ConversationFile.open(self.files.path(file.id), check=False)

    def renderer(self, ref: ModelRef) -> Renderer:
        """What turns rows into the tokens of a model.

        Raises:
            MistralTuneError: The model is not to be had.
        """
        base = base_of(ref)
        return self._studies.get(("renderer", base.model_dump_json()), lambda: open_renderer(base))

    def split(self, file: FileRecord, request: SplitRequest) -> SplitReply:
        """A file divided, its parts kept as files of their own; equal rows share a part.

        Raises:
            Refusal: 422, the shares leave a part without rows.
        """
        with self.working_on(file) as folder:
            done = split_file(self.files.path(file.id), folder, val=request.val, test=request.test, seed=request.seed)
            kept = {part: self.keep(path, beside(file, part)) for part, path in done.files.items()}
        return {
            "train": reply(kept["train"]),
            "val": optional_reply(kept.get("val")),
            "test": optional_reply(kept.get("test")),
            "num_duplicates": done.num_duplicates,
        }

    def convert(self, file: FileRecord, request: ConversionRequest) -> ConversionReply:
        """A file in another format, kept as a file of its own.

        Raises:
            Refusal: 422, a row would lose something.
        """
        with self.working_on(file) as folder:
            done = convert_file(self.files.path(file.id), folder / "converted.jsonl", to=request.to)
            kept = self.keep(done.file, beside(file, request.to))
        return {
            "file": reply(kept),
            "num_rows": done.num_rows,
            "num_tool_calls": done.num_tool_calls,
            "warnings": [describe_finding(warning) for warning in done.warnings],
        }

    @contextmanager
    def working_on(self, file: FileRecord) -> Iterator[Path]:
        """A folder for what is made of a file; what goes wrong is told with the file's own name."""
        try:
            with TemporaryDirectory(prefix=".making-", suffix=".tmp", dir=self.files.folder) as folder:
                yield Path(folder)
        except (ConfigError, DataError) as error:
            words = f"{error.message}; {error.hint}" if error.hint else error.message
            place = display_name(self.files.path(file.id))
            raise Refusal(422, words.replace(place, display_name(Path(file.filename)))) from error

    def keep(self, path: Path, filename: str) -> FileRecord:
        """A file that was made here, kept as if it had been uploaded."""
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = path.stat().st_size
        return self.files.keep(Upload(path, filename, "application/jsonl", num_bytes=size, sha256=digest))

    def uses(self, file: FileRecord) -> UsesReply:
        """The jobs that were made with a file, newest first of each kind."""
        uses = [*self.trainings_with(file), *self.evaluations_with(file)]
        return {
            "file_id": file.id,
            "num_open": sum(use["status"] not in ENDED for use in uses),
            "uses": uses,
        }

    def trainings_with(self, file: FileRecord) -> Iterator[FileUse]:
        """The fine-tuning jobs that train or validate on a file."""
        for job in self.files.store.jobs(TrainingRecord):
            if any(each.file_id == file.id for each in job.request.training_files):
                yield {"id": job.id, "kind": "job", "status": job.status, "role": "training"}
            elif file.id in job.request.validation_files:
                yield {"id": job.id, "kind": "job", "status": job.status, "role": "validation"}

    def evaluations_with(self, file: FileRecord) -> Iterator[FileUse]:
        """The evaluations and comparisons on a file."""
        store = self.files.store
        for evaluation in store.jobs(EvaluationRecord):
            if evaluation.request.file_id == file.id:
                yield {"id": evaluation.id, "kind": "evaluation", "status": evaluation.status, "role": "evaluation"}
        for comparison in store.jobs(ComparisonRecord):
            if comparison.request.file_id == file.id:
                yield {"id": comparison.id, "kind": "comparison", "status": comparison.status, "role": "evaluation"}


def base_of(ref: ModelRef) -> ModelRef:
    """The model without its adapter: both read the same tokens."""
    return ref.model_copy(update={"adapter": None})


def beside(file: FileRecord, word: str) -> str:
    """The name of what was made of a file: `rows.jsonl` becomes `rows.WORD.jsonl`."""
    stem = file.filename.removesuffix(".jsonl").removesuffix(".json")
    return f"{stem}.{word}.jsonl"


def optional_reply(file: FileRecord | None) -> FileReply | None:
    """A file as clients read it, if there is one."""
    return reply(file) if file else None


def dataset_routes(datasets: Datasets) -> APIRouter:
    """`/api/files/{file_id}/...`."""
    routes = APIRouter(prefix="/api/files/{file_id}", tags=["datasets"])
    find = datasets.files.find

    @routes.get("/report")
    def report(file_id: str) -> ReportReply:
        """What a check finds in a file, line by line, and what to do about it."""
        file = find(file_id)
        return describe_report(file, datasets.report(file))

    @routes.get("/statistics")
    def statistics(
        file_id: str,
        model: ModelName,
        max_length: Annotated[int | None, Query(ge=1, le=10_000_000)] = None,
        rows_per_step: Annotated[int, Query(ge=1, le=1_000_000)] = 16,
    ) -> StatisticsReply:
        """Rows, duplicates, tokens and their lengths, as a model counts them."""
        found = datasets.statistics(find(file_id), model, max_length=max_length, rows_per_step=rows_per_step)
        return describe_statistics(file_id, model, found)

    @routes.get("/near-duplicates")
    def near_duplicates(file_id: str, threshold: Annotated[float, Query(ge=0.5, le=1)] = 0.9) -> NearDuplicatesReply:
        """Rows that say nearly what an earlier row says, each with the one most like it."""
        return datasets.near_duplicates(find(file_id), threshold)

    @routes.get("/rows")
    def rows(
        file_id: str,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 20,
        model: ModelName | None = None,
    ) -> RowList:
        """Some rows as messages; with a model, also as the text that it reads, cut where training begins and ends."""
        return datasets.rows(find(file_id), offset=offset, limit=limit, model=model)

    @routes.get("/uses")
    def uses(file_id: str) -> UsesReply:
        """The jobs that were made with a file."""
        return datasets.uses(find(file_id))

    @routes.post("/split")
    def split(file_id: str, request: SplitRequest) -> SplitReply:
        """Divide a file into new files for training, validation and test."""
        return datasets.split(find(file_id), request)

    @routes.post("/convert")
    def convert(file_id: str, request: ConversionRequest) -> ConversionReply:
        """Make a new file with the same rows in another format."""
        return datasets.convert(find(file_id), request)

    return routes
