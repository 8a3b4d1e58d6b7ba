"""What a client may ask of a job, with the limits of Mistral's API and the habits of its old clients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mistraltune.config import Config


class Request(Config):
    """Base of request bodies: as strict as a configuration; a field that is null counts as left out.

    Old clients write every field; unknown ones are refused, as they would be lost without a word.
    """

    @model_validator(mode="before")
    @classmethod
    def without_nulls(cls, values: Any) -> Any:
        """The fields that say something."""
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None}


class Hyperparameters(Request):
    """How to train; both `training_steps` and `epochs` may be left out."""

    training_steps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Optimizer steps; one is one batch."""
    learning_rate: Annotated[float, Field(ge=1e-8, le=1)] = 1e-4
    """Peak learning rate."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.1
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the steps in which the learning rate rises."""
    epochs: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Passes over the training rows; `training_steps` decides where both are given."""
    seq_len: Annotated[int, Field(ge=100, le=1_000_000)] | None = None
    """Longest row in tokens."""
    fim_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of no effect: it concerns rows of bare code, and rows here are conversations."""


class TrainingFile(Request):
    """One of the files to train on."""

    file_id: Annotated[str, Field(max_length=100)]
    weight: Annotated[float, Field(gt=0)] = 1.0


class Integration(Request):
    """A tracker; named in replies, and never reported to."""

    type: Literal["wandb"] = "wandb"
    project: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(max_length=200)] | None = None
    run_name: Annotated[str, Field(max_length=200)] | None = None


FileIds = Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)]


class JobRequest(Request):
    """A fine-tuning job, as `POST /v1/fine_tuning/jobs` takes it."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    hyperparameters: Hyperparameters = Hyperparameters()
    training_files: Annotated[tuple[TrainingFile, ...], Field(min_length=1, max_length=100)]
    validation_files: FileIds = ()
    suffix: Annotated[str, Field(max_length=18, pattern=r"^[A-Za-z0-9._-]*$")] | None = None
    """Part of the new model's name."""
    integrations: Annotated[tuple[Integration, ...], Field(max_length=10)] = ()
    auto_start: bool | None = None
    """Whether to train as soon as the data is checked; left out, true for files given as plain ids, else false."""
    invalid_sample_skip_percentage: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of the training rows that may be left out as too long."""
    job_type: Literal["completion"] = "completion"

    @model_validator(mode="before")
    @classmethod
    def met_where_it_is(cls, values: Any) -> Any:
        """Old clients name files by plain ids (and then always start), OpenAI's by `training_file`.

        Raises:
            ValueError: The files' weights differ, or the request asks for what is not done here.
        """
        if not isinstance(values, dict):
            return values
        values = dict(values)
        for single, several in (("training_file", "training_files"), ("validation_file", "validation_files")):
            if file_id := values.pop(single, None):
                values[several] = values.get(several) or [file_id]
        for name in ("repositories", "classifier_targets"):
            if values.pop(name, None):
                raise ValueError(f"{name} are not supported; upload the rows as a file")
        files = values.get("training_files")
        if isinstance(files, list) and files and all(isinstance(file, str) for file in files):
            values["training_files"] = [{"file_id": file} for file in files]
            if values.get("auto_start") is None:
                values["auto_start"] = True
        return values

    @field_validator("integrations", mode="before")
    @classmethod
    def without_keys(cls, values: Any) -> Any:
        """The trackers without their keys, which are kept nowhere."""
        if not isinstance(values, list):
            return values
        return [
            {key: item for key, item in value.items() if key not in ("api_key", "url")}
            if isinstance(value, dict)
            else value
            for value in values
        ]

    @field_validator("training_files")
    @classmethod
    def of_one_weight(cls, files: tuple[TrainingFile, ...]) -> tuple[TrainingFile, ...]:
        """The files, if they weigh the same.

        Raises:
            ValueError: They do not.
        """
        if len({file.weight for file in files}) > 1:
            raise ValueError("files of different weights are not supported; upload the rows as often as they count")
        return files

    @property
    def starts_itself(self) -> bool:
        """Whether nobody has to call `start`."""
        return bool(self.auto_start)


class ModelChanges(Request):
    """What `PATCH /v1/fine_tuning/models/{id}` may change."""

    name: Annotated[str, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None
