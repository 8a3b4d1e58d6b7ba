"""What every Trainer owes its run directory, built in or from a plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mistraltune_echo import EchoBackend

from mistraltune.backends.local import LocalBackend
from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import load_config
from mistraltune.errors import Stopped
from mistraltune.interfaces import Backend, Sampling
from mistraltune.runs import RunDir
from mistraltune.training import train

BACKENDS: list[type[Backend]] = [LocalBackend, EchoBackend]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param()  # type: ignore[no-any-return]


@pytest.fixture
def config(backend: Backend, tiny_model: Path, tmp_path: Path) -> TrainConfig:
    """Four steps on eight rows."""
    rows = tmp_path / "rows.jsonl"
    lines = [{"instruction": f"Say {number}.", "output": f"It is {number}."} for number in range(8)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    overrides = ["training.max_steps=4", "training.batch_size=2", "training.gradient_accumulation_steps=1"]
    options = {"model": str(tiny_model), "data.train_file": str(rows), "output_dir": str(tmp_path / "outputs")}
    loaded = load_config(
        train_config_type(backend.name, backend.options),
        overrides=[*overrides, "training.logging_steps=1"],
        options={**options, "run_id": "run"},
    )
    config: TrainConfig = loaded.config
    return config


def record(events: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    return events.append


def test_a_trained_run_is_finished_and_its_model_answers(backend: Backend, config: TrainConfig) -> None:
    run = train(backend, config)
    assert run.status == "finished"
    assert run.model.backend == backend.name
    model = backend.chat_model(run.model)
    conversations = backend_conversations(config)
    completions = list(model.generate(conversations, Sampling(max_new_tokens=4)))
    model.close()
    assert len(completions) == len(conversations)


def test_steps_are_told_in_order_from_the_beginning_to_the_end(backend: Backend, config: TrainConfig) -> None:
    events: list[dict[str, Any]] = []
    train(backend, config, on_event=record(events))
    begin = next(event for event in events if event["event"] == "begin")
    assert (begin["step"], begin["num_steps"]) == (0, 4)
    assert [event["step"] for event in events if event["event"] == "tick"] == [1, 2, 3, 4]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4]


def test_a_stop_is_honoured_at_the_next_step_and_the_same_call_continues(backend: Backend, config: TrainConfig) -> None:
    events: list[dict[str, Any]] = []

    def is_past_two() -> bool:
        return any(event["event"] == "tick" and event["step"] >= 2 for event in events)

    with pytest.raises(Stopped):
        train(backend, config, on_event=record(events), should_stop=is_past_two)
    assert RunDir(Path(config.output_dir) / "run").status == "unfinished"
    events.clear()
    run = train(backend, config, on_event=record(events))
    assert next(event for event in events if event["event"] == "begin")["step"] == 2
    assert [event["step"] for event in run.history() if event["event"] == "step"] == [1, 2, 3, 4]


def backend_conversations(config: TrainConfig) -> list[Any]:
    from mistraltune.data.conversation_file import ConversationFile

    return [conversation.prompt for conversation in ConversationFile.open(Path(config.data.train_file))]
