"""What a run is and was made of, written down when it begins and compared when it begins again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistraltune.clock import now
from mistraltune.configuring import dump_yaml, parse_yaml
from mistraltune.dotted import flatten, value_at
from mistraltune.errors import ConfigError
from mistraltune.identity import differing_fields, is_named, refuse_unknown_fields
from mistraltune.publishing import publish_text

FORMAT_VERSION = 1
METADATA = "training_metadata.yaml"


class RunMetadata:
    """`training_metadata.yaml` of one run directory, and `config.yaml`, which is written with it.

    Attributes:
        folder: The run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def content(self) -> dict[str, Any]:
        """The metadata; empty before the run began.

        Raises:
            ConfigError: It is damaged, or a newer MistralTune wrote it.
        """
        content = self.stored()
        if content.get("format_version", 0) > FORMAT_VERSION:
            raise ConfigError(
                f"{self.folder} was made by MistralTune {content.get('versions', {}).get('mistraltune', '?')}",
                hint="upgrade MistralTune to read it",
            )
        return content

    def stored(self) -> dict[str, Any]:
        """The metadata, of whatever version; empty before the run began.

        Raises:
            ConfigError: It is damaged.
        """
        try:
            content = parse_yaml((self.folder / METADATA).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ConfigError, UnicodeDecodeError) as error:
            raise self._damage(str(error)) from error
        if content and not {"format_version", "status"} <= set(content):
            raise self._damage("keys are missing")
        return content

    def _damage(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.folder / METADATA} is damaged: {reason}", hint="restore it, or choose another --run-id"
        )

    def begin(
        self,
        identity: dict[str, Any],
        *,
        config: dict[str, Any],
        facts: dict[str, Any],
        allow_changed: Sequence[str],
    ) -> None:
        """Write down what the run is, or check that it is what the directory holds already; see `RunDir.begin`."""
        known = self.content()
        refuse_unknown_fields(allow_changed, [*flatten(known.get("identity") or {}), *flatten(identity)])
        if known:
            self._begin_again(known, identity, config, allow_changed)
            return
        self._write_config(config)
        self._write(
            {
                "format_version": FORMAT_VERSION,
                "run_id": self.folder.resolve().name,
                "status": "unfinished",
                "started_at": now(),
                "identity": identity,
                **facts,
            }
        )

    def _begin_again(
        self, known: dict[str, Any], identity: dict[str, Any], config: dict[str, Any], allow_changed: Sequence[str]
    ) -> None:
        differing = differing_fields(known.get("identity") or {}, identity)
        is_finished = known["status"] == "finished"
        if is_finished:  # nothing is computed any more: libraries may be newer
            differing = [field for field in differing if not field.startswith("libraries.")]
        refused = [field for field in differing if is_finished or not is_named(field, allow_changed)]
        if refused:
            raise ConfigError(
                f"{self.folder} holds another run; different: {', '.join(refused)}",
                hint="choose another --run-id, or leave it out to get one made from configuration and data"
                + ("" if is_finished else "; --allow-changed FIELD continues this one all the same"),
            )
        if is_finished:
            return
        known.pop("reason", None)  # of an earlier failure
        if differing:
            changes = [
                {"field": field, "from": value_at(known.get("identity") or {}, field), "to": value_at(identity, field)}
                for field in differing
            ]
            known["allowed_changes"] = [*known.get("allowed_changes", []), {"at": now(), "changes": changes}]
            self._write_config(config)
        self._write(known | {"status": "unfinished", "identity": identity})

    def update(self, **changes: Any) -> None:
        """Replace some of its keys."""
        self._write({**self.content(), **changes})

    def _write(self, content: dict[str, Any]) -> None:
        publish_text(self.folder / METADATA, dump_yaml(content))

    def _write_config(self, config: dict[str, Any]) -> None:
        publish_text(self.folder / "config.yaml", dump_yaml(config))
