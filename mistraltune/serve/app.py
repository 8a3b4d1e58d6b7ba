"""The application: its parts put together, its routes behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from mistraltune import __version__
from mistraltune.publishing import sweep
from mistraltune.results import ModelRef
from mistraltune.serve.bodies import WholeBodies
from mistraltune.serve.chat import chat_routes
from mistraltune.serve.comparisons import Comparisons, comparison_routes
from mistraltune.serve.datasets import Datasets, dataset_routes
from mistraltune.serve.documentation import add_documentation
from mistraltune.serve.engine import Engine
from mistraltune.serve.evaluations import Evaluations, evaluation_routes
from mistraltune.serve.events import Sockets, event_routes
from mistraltune.serve.files import Files, file_routes
from mistraltune.serve.grouping import Grouping, grouping_routes
from mistraltune.serve.jobs import Jobs, job_routes, resume_routes
from mistraltune.serve.known_runs import KnownRuns, run_routes
from mistraltune.serve.metrics import metric_routes
from mistraltune.serve.models import Models, model_routes
from mistraltune.serve.once import Once
from mistraltune.serve.pages import Pages
from mistraltune.serve.queue import Queue
from mistraltune.serve.refusals import RefusalReply, add_refusals
from mistraltune.serve.security import Guard
from mistraltune.serve.server_status import server_routes
from mistraltune.serve.sessions import Sessions, session_routes
from mistraltune.serve.store import Store
from mistraltune.serve.supervisor import Supervisor
from mistraltune.settings import ServerSettings
from mistraltune.shipped import console_dir

REFUSED = {"model": RefusalReply, "description": "The request is refused."}


@dataclass(frozen=True)
class Server:
    """The parts of a server, before anybody speaks to it.

    Attributes:
        settings: Its limits.
        store: The index.
        files: Uploads.
        jobs: Trainings asked for.
        models: What can be asked.
        evaluations: Evaluations asked for.
        comparisons: Comparisons asked for.
        grouping: By what the rows of files can be told apart.
        engine: What answers.
        supervisor: What carries jobs on.
        sockets: Who watches.
        sessions: Browsers that have signed in.
        datasets: What files are like.
        runs: Run directories to look at.
    """

    settings: ServerSettings
    store: Store
    files: Files
    jobs: Jobs
    models: Models
    evaluations: Evaluations
    comparisons: Comparisons
    grouping: Grouping
    engine: Engine
    supervisor: Supervisor
    sockets: Sockets
    sessions: Sessions
    datasets: Datasets
    runs: KnownRuns

    def close(self) -> None:
        """Have trainers save, models finish, and the index closed."""
        self.supervisor.stop()
        self.engine.close()
        self.store.close()


def open_server(  # noqa: PLR0913 - options by name
    data_dir: Path,
    settings: ServerSettings,
    catalogue: Mapping[str, ModelRef],
    *,
    runs_dirs: Sequence[Path] = (),
    max_parallel_jobs: int = 1,
    keep_loaded: bool = False,
) -> Server:
    """A server on a data directory, which the caller has locked.

    Raises:
        ConfigError: The index is damaged.
    """
    file_dir, job_dir = data_dir / "files", data_dir / "jobs"
    for folder in (file_dir, job_dir):
        folder.mkdir(parents=True, exist_ok=True)
    sweep(file_dir)
    store = Store(data_dir)
    files = Files(store, file_dir)
    queue = Queue(store, job_dir, settings)
    models = Models(store, job_dir, catalogue)
    grouping = Grouping(files)
    engine = Engine(keep_loaded=keep_loaded, max_questions=settings.max_parallel_chats)
    return Server(
        settings=settings,
        store=store,
        files=files,
        jobs=Jobs(queue, files, catalogue),
        models=models,
        evaluations=Evaluations(queue, files, models, grouping),
        comparisons=Comparisons(queue, files, models, grouping),
        grouping=grouping,
        engine=engine,
        supervisor=Supervisor(store, job_dir, engine, max_parallel_jobs=max_parallel_jobs),
        sockets=Sockets(settings.max_sockets),
        sessions=Sessions(data_dir),
        datasets=Datasets(files, models),
        runs=KnownRuns(store, job_dir, runs_dirs),
    )


def create_app(server: Server, *, key: str, hosts: Collection[str] = ()) -> FastAPI:
    """The ASGI application.

    Args:
        server: What it speaks for.
        key: What clients have to send.
        hosts: Names beside the loopback ones that it answers to.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(server.supervisor.start)
        try:
            yield
        finally:
            await run_in_threadpool(server.close)

    app = FastAPI(
        title="MistralTune",
        summary="Mistral's fine-tuning API on a machine of one's own.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": REFUSED, "5XX": REFUSED},
        middleware=[
            Middleware(Guard, key=key, sessions=server.sessions, hosts=hosts),
            Middleware(Pages, root=console_dir()),
            Middleware(WholeBodies, settings=server.settings),
            Middleware(Once, store=server.store),
        ],
    )
    add_refusals(app)
    app.include_router(file_routes(server.files, server.settings))
    app.include_router(job_routes(server.jobs, server.supervisor))
    app.include_router(resume_routes(server.jobs))
    app.include_router(evaluation_routes(server.evaluations, server.supervisor))
    app.include_router(comparison_routes(server.comparisons, server.supervisor))
    app.include_router(event_routes(server.store, server.sockets))
    app.include_router(model_routes(server.models))
    app.include_router(chat_routes(server.engine, server.models, server.settings))
    app.include_router(metric_routes(server.store, server.engine, server.sockets))
    app.include_router(session_routes(server.sessions))
    app.include_router(dataset_routes(server.datasets))
    app.include_router(grouping_routes(server.grouping))
    app.include_router(run_routes(server.runs))
    app.include_router(server_routes(server.settings, server.store, server.models, server.engine, server.supervisor))
    add_documentation(app)

    @app.get("/healthz", tags=["server"])
    def healthz() -> dict[str, str]:
        """Whether the server is up; takes no key."""
        return {"status": "ok"}

    return app


def describe_api() -> dict[str, Any]:
    """The OpenAPI document of any server: it depends on the version alone."""
    with TemporaryDirectory() as folder:
        server = open_server(Path(folder), ServerSettings(), catalogue={})
        try:
            return create_app(server, key="").openapi()
        finally:
            server.store.close()
