"""Uploaded files looked into, for the console: what `mistraltune data` says of them, as routes.

What is found out about a file stays true, because files never change; so it is remembered by the file's id.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.near_duplicates import NearPair, near_pairs
from mistraltune.data.rendered import RowError
from mistraltune.data.reopening import Reopening
from mistraltune.data.statistics import DataStatistics, describe
from mistraltune.data.validating import FileReport, check_files
from mistraltune.interfaces import Renderer
from mistraltune.registry import open_renderer
from mistraltune.results import ModelRef
from mistraltune.serve.dataset_replies import (
    NearDuplicatesReply,
    ReportReply,
    StatisticsReply,
    describe_report,
    describe_statistics,
)
from mistraltune.serve.derived_files import ConversionReply, ConversionRequest, DerivedFiles, SplitReply, SplitRequest
from mistraltune.serve.file_uses import UsesReply, describe_uses
from mistraltune.serve.files import Files
from mistraltune.serve.models import Models
from mistraltune.serve.records import FileRecord
from mistraltune.serve.row_replies import RowList, RowReply, describe_messages, describe_sequences, line_of
from mistraltune.serve.studies import Studies

MAX_ROWS = 50
"""Rows of one reply."""

MAX_PAIRS = 200
"""Nearly equal rows of one reply."""

ModelName = Annotated[str, Query(max_length=200, description="Public name of the model whose tokens are meant.")]


class Datasets:
    """What can be found out about files.

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
        ref = self.models.find(model).base
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
        return self._studies.get(("renderer", ref.base.model_dump_json()), lambda: open_renderer(ref.base))


def dataset_routes(datasets: Datasets) -> APIRouter:
    """`/api/files/{file_id}/...`."""
    routes = APIRouter(prefix="/api/files/{file_id}", tags=["datasets"])
    derived = DerivedFiles(datasets.files)
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
        return describe_uses(datasets.files.store, find(file_id))

    @routes.post("/split")
    def split(file_id: str, request: SplitRequest) -> SplitReply:
        """Divide a file into new files for training, validation and test."""
        return derived.split(find(file_id), request)

    @routes.post("/convert")
    def convert(file_id: str, request: ConversionRequest) -> ConversionReply:
        """Make a new file with the same rows in another format."""
        return derived.convert(find(file_id), request)

    return routes
