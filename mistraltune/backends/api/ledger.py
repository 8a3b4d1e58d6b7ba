"""What a run remembers of its job (`state.json`): written before each call, so that a kill loses nothing."""

from __future__ import annotations

import secrets
import string
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mistraltune.backends.api import MAX_SUFFIX
from mistraltune.backends.api.endpoints import Endpoint
from mistraltune.errors import ConfigError
from mistraltune.publishing import publish_text

STATE = "state.json"
MARK_LENGTH = 6
"""Letters and digits that tell a run's job from all others: 2e9 of them."""

_ALPHABET = string.ascii_lowercase + string.digits

Call = Literal["upload", "create", "start"]


class Ledger(BaseModel):
    """A run's job, as far as it has come.

    Attributes:
        endpoint: Name of the API.
        url: Its address.
        suffix: What the job, and no other, is asked for with: it is found by that, if its id was lost on the way.
        files: Role to the id of the uploaded file.
        intent: The last call that was about to be made; whether it was made, the API knows.
        job_id: The job, once the API has said so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str
    url: str
    suffix: str
    files: dict[str, str] = {}
    intent: Call | None = None
    job_id: str | None = None

    @classmethod
    def open(cls, folder: Path, endpoint: Endpoint, *, suffix: str) -> Self:
        """What the run remembers; made, and written down, where it remembers nothing yet.

        Raises:
            ConfigError: The file is damaged, or its job is at another address than the endpoint's.
        """
        path = folder / STATE
        if not path.exists():
            return cls(endpoint=endpoint.name, url=endpoint.url, suffix=marked(suffix)).write(folder)
        try:
            known = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            hint = "restore it, or choose another --run-id; `mistraltune jobs list` shows the jobs that there are"
            raise ConfigError(f"{path} is damaged", hint=hint) from error
        if known.url != endpoint.url:
            raise ConfigError(
                f"the job of {folder} is at {known.url}, and endpoint {endpoint.name} is {endpoint.url}",
                hint="choose another --run-id for another job",
            )
        return known

    def note(self, folder: Path, **changes: Any) -> Self:
        """Remember more, on disk before this returns."""
        return self.model_copy(update=changes).write(folder)

    def write(self, folder: Path) -> Self:
        """Write it down."""
        publish_text(folder / STATE, self.model_dump_json(indent=2) + "\n")
        return self


def marked(suffix: str) -> str:
    """A suffix that no other job has."""
    mark = "".join(secrets.choice(_ALPHABET) for _ in range(MARK_LENGTH))
    return f"{suffix[:MAX_SUFFIX]}-{mark}" if suffix else mark
