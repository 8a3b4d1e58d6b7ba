from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mistraltune.backends.local import LocalOptions
from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError

LOCAL = train_config_type("local", LocalOptions)


class EchoOptions(BaseModel):
    """How loud the echo is."""

    volume: int = 1


@pytest.fixture
def minimal(tmp_path: Path) -> str:
    """A file that sets what has no default."""
    file = tmp_path / "minimal.yaml"
    file.write_text("model: quickstart\ndata: {train_file: rows.jsonl}\n", encoding="utf-8")
    return str(file)


def load(*files: str, overrides: tuple[str, ...] = (), **options: str) -> Any:
    return load_config(LOCAL, files=files, overrides=overrides, options=options).config


def test_a_validated_configuration_never_changes(minimal: str) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(minimal).model = "other"


def test_a_backend_brings_a_section_of_its_own(minimal: str) -> None:
    echo = train_config_type("echo", EchoOptions)
    assert load_config(echo, files=[minimal]).config.echo == EchoOptions(volume=1)
    assert load_config(echo, files=[minimal], overrides=["echo.volume=7"]).config.echo.volume == 7


def test_a_backend_without_options_has_no_section() -> None:
    class NoOptions(BaseModel):
        """Nothing to set."""

    assert train_config_type("echo", NoOptions) is TrainConfig


def test_an_option_that_a_backend_needs_is_asked_for_by_its_key(minimal: str) -> None:
    class NeedyOptions(BaseModel):
        """Cannot do without."""

        address: str

    needy = train_config_type("needy", NeedyOptions)
    assert load_config(needy, files=[minimal], overrides=["needy.address=here"]).config.needy.address == "here"
    with pytest.raises(ConfigError, match=r"needy\.address: required, but not set"):
        load_config(needy, files=[minimal])


def test_the_schema_describes_every_key() -> None:
    schema = LOCAL.model_json_schema()
    sections = {"": schema, **schema.get("$defs", {})}
    undescribed = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, field in section["properties"].items()
        if not (field.get("description") or describes_section(field, schema))
    ]
    assert undescribed == []


def describes_section(field: dict[str, Any], schema: dict[str, Any]) -> bool:
    name = str(field.get("$ref", "")).removeprefix("#/$defs/")
    return bool(schema.get("$defs", {}).get(name, {}).get("description"))


def test_the_place_of_a_run_is_no_part_of_what_it_computes(minimal: str) -> None:
    here, there = load(minimal, output_dir="here", run_id="a"), load(minimal, output_dir="there", run_id="b")
    assert here.without_place() == there.without_place()
    assert here.without_place() != load(minimal, overrides=("training.seed=1",)).without_place()


@pytest.mark.parametrize("value", ["tensorboard", "[tensorboard]"])
def test_a_lone_tracker_is_a_list_of_one(minimal: str, value: str) -> None:
    assert load(minimal, overrides=(f"training.report_to={value}",)).training.report_to == ("tensorboard",)


@pytest.mark.parametrize("value", ["none", "", "null", "''", "[tensorboard,none]", "['']"])
def test_no_tracker_is_no_key(minimal: str, value: str) -> None:
    with pytest.raises(ConfigError, match="leave the key out"):
        load(minimal, overrides=(f"training.report_to={value}",))
