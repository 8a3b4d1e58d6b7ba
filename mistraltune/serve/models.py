"""The models that are served: bases by their public names, fine-tuned ones by the names that their jobs gave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired

from fastapi import APIRouter
from typing_extensions import TypedDict

from mistraltune.results import ModelRef
from mistraltune.runs import RunDir
from mistraltune.serve.catalogue import describe_unknown, max_context_length
from mistraltune.serve.job_requests import ModelChanges
from mistraltune.serve.mapping import RUN_ID
from mistraltune.serve.records import Status, TrainingRecord
from mistraltune.serve.refusals import Refusal
from mistraltune.serve.store import Store


class Capabilities(TypedDict):
    """What a model can be asked for."""

    completion_chat: bool
    completion_fim: bool
    function_calling: bool
    fine_tuning: bool
    classification: bool
    vision: bool


class Model(TypedDict):
    """What every model says."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    capabilities: Capabilities
    max_context_length: int | None
    name: str | None
    description: str | None
    aliases: list[str]


class ModelCard(Model):
    """A model in the list of models; the last fields are those of a fine-tuned one."""

    default_model_temperature: float
    type: Literal["base", "fine-tuned"]
    job: NotRequired[str]
    root: NotRequired[str]
    archived: NotRequired[bool]


class ModelList(TypedDict):
    """All models."""

    object: Literal["list"]
    data: list[ModelCard]


class TunedModelReply(Model):
    """A fine-tuned model as its own routes tell it."""

    job: str
    root: str
    archived: bool
    workspace_id: str
    root_version: str
    model_type: Literal["completion"]


class ModelArchived(TypedDict):
    """Whether a model may be asked."""

    id: str
    object: Literal["model"]
    archived: bool


class ModelDeleted(TypedDict):
    """A model that is served no longer."""

    id: str
    object: Literal["model"]
    deleted: Literal[True]


BASE_CAPABILITIES: Capabilities = {
    "completion_chat": True,
    "completion_fim": False,
    "function_calling": True,
    "fine_tuning": True,
    "classification": False,
    "vision": False,
}

TUNED_CAPABILITIES: Capabilities = {**BASE_CAPABILITIES, "fine_tuning": False}
"""A job starts from a base model."""


class Models:
    """What can be asked.

    Args:
        store: Knows the jobs that made models.
        folder: Holds their run directories.
        catalogue: Public names of base models.
    """

    def __init__(self, store: Store, folder: Path, catalogue: Mapping[str, ModelRef]) -> None:
        self.store = store
        self.folder = folder
        self.catalogue = catalogue

    def find(self, name: str) -> ModelRef:
        """The model that a request names.

        Raises:
            Refusal: 404 unknown, 422 archived.
        """
        if name in self.catalogue:
            return self.catalogue[name]
        job = self.job_of(name)
        if job.tuned.is_archived:
            raise Refusal(422, f"{name} is archived; DELETE /v1/fine_tuning/models/{name}/archive brings it back"[:500])
        return RunDir(self.folder / job.id / RUN_ID).model

    def tuned(self) -> list[TrainingRecord]:
        """Jobs whose models are served or archived, newest first."""
        return [job for job in self.store.jobs(TrainingRecord, statuses=[Status.SUCCESS]) if not job.tuned.is_deleted]

    def job_of(self, name: str) -> TrainingRecord:
        """The job that made a fine-tuned model.

        Raises:
            Refusal: 404.
        """
        jobs = self.tuned()
        for job in jobs:
            if job.fine_tuned_model == name:
                return job
        served = [*self.catalogue, *(job.fine_tuned_model for job in jobs if job.fine_tuned_model)]
        raise Refusal(404, describe_unknown(name, served))

    def change(self, model_id: str, changes: Mapping[str, Any]) -> TrainingRecord:
        """The job of a model after a change of what is said about the model.

        Raises:
            Refusal: 404.
        """
        job = self.job_of(model_id)
        return self.store.update_job(job, tuned=job.tuned.model_copy(update=changes))


def model_routes(models: Models) -> APIRouter:
    """`/v1/models` and `/v1/fine_tuning/models`."""
    routes = APIRouter(prefix="/v1", tags=["models"])

    @routes.get("/models")
    def list_models() -> ModelList:
        """All models."""
        bases = [describe_base(name, base) for name, base in models.catalogue.items()]
        return {"object": "list", "data": [*bases, *map(describe_card, models.tuned())]}

    @routes.get("/models/{model_id}")
    def get(model_id: str) -> ModelCard:
        """One model."""
        if base := models.catalogue.get(model_id):
            return describe_base(model_id, base)
        return describe_card(models.job_of(model_id))

    @routes.delete("/models/{model_id}")
    def delete(model_id: str) -> ModelDeleted:
        """Serve a fine-tuned model no longer; its run directory stays where it is."""
        if model_id in models.catalogue:
            raise Refusal(409, f"{model_id} is a base model; only fine-tuned ones can be deleted")
        models.change(model_id, {"is_deleted": True})
        return {"id": model_id, "object": "model", "deleted": True}

    @routes.patch("/fine_tuning/models/{model_id}")
    def update(model_id: str, changes: ModelChanges) -> TunedModelReply:
        """Name and describe a fine-tuned model."""
        return describe_tuned(models.change(model_id, changes.model_dump(exclude_unset=True)))

    @routes.post("/fine_tuning/models/{model_id}/archive")
    def archive(model_id: str) -> ModelArchived:
        """Keep a model from being asked."""
        models.change(model_id, {"is_archived": True})
        return {"id": model_id, "object": "model", "archived": True}

    @routes.delete("/fine_tuning/models/{model_id}/archive")
    def unarchive(model_id: str) -> ModelArchived:
        """Let it be asked again."""
        models.change(model_id, {"is_archived": False})
        return {"id": model_id, "object": "model", "archived": False}

    return routes


def describe_base(name: str, base: ModelRef) -> ModelCard:
    """A base model in the list of models."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "mistralai",
        "capabilities": BASE_CAPABILITIES,
        "max_context_length": max_context_length(base),
        "name": name,
        "description": None,
        "aliases": [],
        "default_model_temperature": 0.0,
        "type": "base",
    }


def describe_card(job: TrainingRecord) -> ModelCard:
    """A fine-tuned model in the list of models."""
    return {
        **describe_base(str(job.fine_tuned_model), job.base),
        "created": job.model_created_at,
        "owned_by": "selfhost",
        "capabilities": TUNED_CAPABILITIES,
        "name": job.tuned.name,
        "description": job.tuned.description,
        "type": "fine-tuned",
        "job": job.id,
        "root": job.request.model,
        "archived": job.tuned.is_archived,
    }


def describe_tuned(job: TrainingRecord) -> TunedModelReply:
    """A fine-tuned model as its own routes tell it."""
    return {
        "id": str(job.fine_tuned_model),
        "object": "model",
        "created": job.model_created_at,
        "owned_by": "selfhost",
        "capabilities": TUNED_CAPABILITIES,
        "max_context_length": max_context_length(job.base),
        "name": job.tuned.name,
        "description": job.tuned.description,
        "aliases": [],
        "job": job.id,
        "root": job.request.model,
        "archived": job.tuned.is_archived,
        "workspace_id": "selfhost",
        "root_version": "",
        "model_type": "completion",
    }
