"""Figures for Prometheus, read off when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from mistraltune import __version__
from mistraltune.serve.engine import Engine
from mistraltune.serve.events import Sockets
from mistraltune.serve.records import KINDS, JobRecord, Status
from mistraltune.serve.store import Store


class ServerCollector(Collector):
    """What the parts of a server count."""

    def __init__(self, store: Store, engine: Engine, sockets: Sockets) -> None:
        self.store = store
        self.engine = engine
        self.sockets = sockets

    def collect(self) -> Iterable[Metric]:
        """Today's figures."""
        yield InfoMetricFamily("mistraltune", "The server.", value={"version": __version__})
        counts = Counter((job.kind, job.status) for job in self.store.jobs(JobRecord))
        jobs = GaugeMetricFamily("mistraltune_jobs", "Jobs by kind and status.", labels=["kind", "status"])
        for kind, status in product(KINDS, Status):
            jobs.add_metric([kind, status], counts[kind, status])
        yield jobs
        yield gauge("mistraltune_files", "Uploaded files.", len(self.store.files()))
        yield gauge("mistraltune_chats_open", "Chat requests that are answered or wait.", self.engine.num_open)
        yield gauge("mistraltune_models_loaded", "Base models in memory.", self.engine.num_loaded)
        yield gauge("mistraltune_websockets_open", "Open WebSockets.", self.sockets.num_open)


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """One figure."""
    return GaugeMetricFamily(name, meaning, value=value)


def metric_routes(store: Store, engine: Engine, sockets: Sockets) -> APIRouter:
    """`/metrics`."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(store, engine, sockets))
    ProcessCollector(registry=registry)
    routes = APIRouter(tags=["server"])

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Figures in Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
