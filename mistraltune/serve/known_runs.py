"""Every run directory that the server knows: those of its jobs, and those below folders that it was told of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response

from mistraltune.runs import RunDir, find_runs, is_run_dir
from mistraltune.serve.mapping import RUN_ID
from mistraltune.serve.paging import Page, PageSize, on_page
from mistraltune.serve.records import TrainingRecord
from mistraltune.serve.refusals import unknown
from mistraltune.serve.run_replies import (
    KnownRun,
    RunDetails,
    RunList,
    RunReply,
    describe_details,
    describe_run,
    files_of,
)
from mistraltune.serve.run_series import SeriesReply, describe_series
from mistraltune.serve.store import Store


class KnownRuns:
    """The runs that can be looked at.

    Args:
        store: Knows the jobs.
        job_dir: Holds their run directories.
        folders: Hold further run directories, as `--output-dir` of `mistraltune train` does.
    """

    def __init__(self, store: Store, job_dir: Path, folders: Sequence[Path] = ()) -> None:
        self.store = store
        self.job_dir = job_dir
        self.folders = tuple(folder.resolve() for folder in folders)
        self._finished: dict[str, RunReply] = {}

    def summaries(self) -> list[RunReply]:
        """All runs, the newest first; of one that has finished, nothing changes any more."""
        summaries = []
        for known in self:
            summary = self._finished.get(known.id) or describe_run(known)
            if summary["status"] == "finished":
                self._finished[known.id] = summary
            summaries.append(summary)
        return sorted(summaries, key=lambda summary: summary["started_at"], reverse=True)

    def __iter__(self) -> Iterator[KnownRun]:
        """All of them."""
        for job in self.store.jobs(TrainingRecord):
            if is_run_dir(self.job_dir / job.id / RUN_ID):
                yield KnownRun(job.id, RunDir(self.job_dir / job.id / RUN_ID), job.id)
        for folder in self.folders:
            for run in find_runs(folder):
                yield KnownRun(hashlib.sha256(str(run.path).encode("utf-8", "replace")).hexdigest()[:32], run)

    def find(self, run_id: str) -> KnownRun:
        """The run of that id.

        Raises:
            Refusal: 404.
        """
        for known in self:
            if known.id == run_id:
                return known
        raise unknown("run", run_id)


def run_routes(runs: KnownRuns) -> APIRouter:
    """`/api/runs`."""
    routes = APIRouter(prefix="/api/runs", tags=["runs"])

    @routes.get("")
    def list_all(
        page: Page = 0,
        page_size: PageSize = 100,
    ) -> RunList:
        """The runs of the server's jobs and of the folders that it was told of, newest first."""
        found = runs.summaries()
        return {"total": len(found), "runs": on_page(found, page, page_size)}

    @routes.get("/{run_id}")
    def get(run_id: str) -> RunDetails:
        """One run: configuration, metadata, figures, evaluations, files."""
        return describe_details(runs.find(run_id))

    @routes.get("/{run_id}/metrics")
    def metrics(
        run_id: str,
        after_step: Annotated[int, Query(ge=0, le=10**12)] = 0,
        max_points: Annotated[int, Query(ge=4, le=100_000)] = 2000,
    ) -> SeriesReply:
        """Losses, learning rate and speed by step, those behind `after_step`, thinned to `max_points` steps."""
        return describe_series(runs.find(run_id).run, run_id, after_step=after_step, max_points=max_points)

    @routes.get("/{run_id}/file", response_class=FileResponse)
    def file(run_id: str, name: Annotated[str, Query(max_length=1000)]) -> Response:
        """One of the run's files, to keep."""
        path = files_of(runs.find(run_id).run).get(name)
        if path is None:
            raise unknown("file", name)
        headers = {"content-disposition": f"attachment; filename*=utf-8''{quote(path.name, safe='')}"}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    return routes
