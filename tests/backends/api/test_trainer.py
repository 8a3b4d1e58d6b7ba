"""What becomes of a run by an API, where nothing fails but the job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from faulty_api import write_endpoints
from remote_jobs import Call, Fault, FaultyApi
from trained_by_api import ROWS, train, train_or_raise, trainer

from mistraltune.backends.api import ApiBackend, ApiOptions, uploads
from mistraltune.backends.api.endpoints import BUILT_IN, find_endpoint
from mistraltune.backends.api.ledger import Ledger
from mistraltune.config import TrainConfig, train_config_type
from mistraltune.data.conversation import Conversation, Message, ToolCall
from mistraltune.errors import ApiError, ConfigError, DataError, GateError, RemoteJobError, Stopped
from mistraltune.runs import RunDir

MISTRAL, LOCAL = BUILT_IN


def config(**values: Any) -> TrainConfig:
    given = {"model": "open-mistral-7b", "data": {"train_file": "rows.jsonl"}, "api": {"endpoint": "lab"}}
    return train_config_type("api", ApiOptions).model_validate(given | values)


def test_a_run_ends_with_the_jobs_figures_and_a_model_that_its_endpoint_serves(api: FaultyApi, tmp_path: Path) -> None:
    run = train_or_raise(api, tmp_path / "run", suffix="triage")
    (job,) = api.jobs.values()
    assert str(run.model) == f"api:ft:open-mistral-7b:{job.id}@lab"
    assert run.metrics["train_loss"] == pytest.approx(sum(2 / step for step in range(1, 6)) / 5)
    assert (run.metrics["val_loss"], run.metrics["num_steps"], run.metrics["cost"]) == (None, 5, 1.5)
    assert run.metrics["train_seconds"] == pytest.approx(29)
    assert run.metadata["training"]["job_id"] == job.id
    assert job.request["auto_start"] is False
    assert job.request["suffix"].startswith("triage-")
    assert len(job.request["suffix"]) <= 18


def test_a_run_remembers_what_it_is_about_to_do_before_it_does_it(api: FaultyApi, tmp_path: Path) -> None:
    seen = []

    def schedule(call: Call) -> Fault | None:
        if call.method == "POST":
            seen.append((call.name, json.loads((tmp_path / "run" / "state.json").read_text())["intent"]))
        return None

    api.schedule = schedule
    train_or_raise(api, tmp_path / "run")
    assert seen == [("POST files", "upload"), ("POST jobs", "create"), ("POST start", "start")]


def test_rows_are_uploaded_as_messages_under_a_name_that_says_what_they_hold(api: FaultyApi, tmp_path: Path) -> None:
    train_or_raise(api, tmp_path / "run")
    (upload,) = [call for call in api.calls if call.name == "POST files"]
    lines = [line for line in upload.body.split(b"\r\n") if line.startswith(b'{"messages"')]
    (content,) = lines
    assert [json.loads(line)["messages"][1]["content"] for line in content.splitlines()] == [
        "It is 0.", "It is 1.", "It is 2."
    ]  # fmt: skip
    ((name, _),) = api.files.values()
    assert name == uploads.measure("train", ROWS).name


def test_a_second_run_on_the_same_rows_uploads_nothing_and_makes_a_job_of_its_own(
    api: FaultyApi, tmp_path: Path
) -> None:
    train_or_raise(api, tmp_path / "one")
    train_or_raise(api, tmp_path / "two")
    assert len(api.files) == 1
    assert len(api.jobs) == 2
    assert len({job.request["suffix"] for job in api.jobs.values()}) == 2


def test_a_job_that_costs_too_much_is_left_unstarted_and_a_higher_limit_starts_that_very_job(
    api: FaultyApi, tmp_path: Path
) -> None:
    with pytest.raises(GateError, match=r"job job-0 was not started: cost 1\.50 USD, --max-cost is 1$") as refused:
        train_or_raise(api, tmp_path / "run", max_cost=1)
    assert refused.value.exit_code == 6
    assert "mistraltune jobs cancel job-0 --endpoint lab" in refused.value.hint
    assert api.started == []
    train_or_raise(api, tmp_path / "run", max_cost=1.5)
    assert [job.id for job in api.started] == ["job-0"]


def test_a_job_of_unknown_cost_is_not_started_where_there_is_a_limit(api: FaultyApi, tmp_path: Path) -> None:
    api.cost = None
    with pytest.raises(GateError, match="cost not told"):
        train_or_raise(api, tmp_path / "run", max_cost=100)
    assert api.started == []


def test_a_detached_run_is_unfinished_and_taken_up_by_the_same_command(api: FaultyApi, tmp_path: Path) -> None:
    run = train_or_raise(api, tmp_path / "run", detach=True)
    assert (run.status, len(api.started)) == ("unfinished", 1)
    assert train_or_raise(api, tmp_path / "run").status == "finished"
    assert len(api.jobs) == 1


@pytest.mark.parametrize("ending", ["FAILED", "CANCELLED"])
def test_a_job_that_ends_without_a_model_is_told_with_its_events_and_never_made_anew(
    api: FaultyApi, tmp_path: Path, ending: str
) -> None:
    api.ending = ending
    with pytest.raises(RemoteJobError, match=f"job job-0 ended as {ending}\n") as failed:
        train_or_raise(api, tmp_path / "run")
    assert failed.value.exit_code == 6
    assert "RUNNING" in failed.value.message
    assert failed.value.hint.endswith("another --run-id makes another job")
    assert train(api, tmp_path / "run") == 6
    assert len(api.jobs) == 1


def test_a_stop_detaches_and_says_how_to_watch_again(api: FaultyApi, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    run = RunDir(tmp_path / "run", on_event=events.append, should_stop=lambda: len(api.started) > 0)
    with run.locked(), pytest.raises(Stopped, match="detached; job job-0 goes on at lab") as stopped:
        run.begin({}, config={}, facts={})
        trainer(api).train(ROWS, (), run)
    assert "`mistraltune jobs watch job-0 --endpoint lab`" in stopped.value.hint
    assert not api.jobs["job-0"].is_cancelled
    assert train(api, tmp_path / "run") == 0


def test_a_stop_while_the_data_is_checked_says_that_nothing_trains_yet(api: FaultyApi, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run", should_stop=lambda: len(api.jobs) > 0)
    with run.locked(), pytest.raises(Stopped, match=r"^stopped; job job-0 at lab is not started yet$") as stopped:
        run.begin({}, config={}, facts={})
        trainer(api).train(ROWS, (), run)
    assert stopped.value.hint.startswith("the same command goes on and starts it; ")
    assert "`mistraltune jobs start job-0 --endpoint lab`" in stopped.value.hint
    assert api.started == []
    assert train(api, tmp_path / "run") == 0
    assert [job.id for job in api.started] == ["job-0"]


def test_the_same_model_and_rows_that_train_already_are_followed_on_a_conflict(api: FaultyApi, tmp_path: Path) -> None:
    train_or_raise(api, tmp_path / "colleague", detach=True)

    def schedule(call: Call) -> Fault | None:
        return Fault("status", 409, body=b'{"message": "a similar job runs"}') if call.name == "POST jobs" else None

    api.schedule = schedule
    events: list[dict[str, Any]] = []
    train_or_raise(api, tmp_path / "run", events=events)
    assert len(api.jobs) == 1
    assert any("a similar job runs; following that job" in event.get("text", "") for event in events)


def test_a_conflict_with_a_job_of_other_settings_is_none_of_ours(api: FaultyApi, tmp_path: Path) -> None:
    train_or_raise(api, tmp_path / "colleague", detach=True)
    api.jobs["job-0"].request["hyperparameters"]["learning_rate"] = 0.5
    api.schedule = lambda call: Fault("status", 409) if call.name == "POST jobs" else None
    assert train(api, tmp_path / "run") == 4
    assert len(api.jobs) == 1


def test_an_endpoint_that_has_moved_is_not_asked_for_the_job_of_another(api: FaultyApi, tmp_path: Path) -> None:
    train_or_raise(api, tmp_path / "run", detach=True)
    write_endpoints(tmp_path / "config", lab="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=f"is at {api.url}, and endpoint lab is http://127.0.0.1:9"):
        Ledger.open(tmp_path / "run", find_endpoint("lab"), suffix="")


# What is asked for


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"batch_size": 8}},
        {"training": {"seed": 1}},
        {"lora": {"r": 8}},
        {"quantization": "none"},
        {"data": {"train_file": "rows.jsonl", "max_length": 512}},
    ],
)
@pytest.mark.usefixtures("api")
def test_settings_that_an_api_has_no_word_for_are_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="an API decides by itself what these say: ") as refused:
        ApiBackend().trainer(config(**values))
    (key,) = refused.value.message.rpartition(": ")[2].split(", ")
    assert key in ("training.batch_size", "training.seed", "lora.r", "quantization", "data.max_length")


@pytest.mark.usefixtures("api")
def test_the_request_says_what_was_set_in_the_protocols_words() -> None:
    training = {"max_steps": 30, "learning_rate": 1e-5, "weight_decay": 0.2, "warmup_fraction": 0.1}
    planned = (
        ApiBackend().trainer(config(training=training, api={"endpoint": "lab", "seq_len": 4096})).preview(ROWS, ROWS)
    )
    assert planned["request"]["hyperparameters"] == {
        "training_steps": 30,
        "learning_rate": 1e-5,
        "weight_decay": 0.2,
        "warmup_fraction": 0.1,
        "seq_len": 4096,
    }
    assert planned["endpoint"]["name"] == "lab"
    assert [each["num_rows"] for each in planned["uploads"]] == [3, 3]


@pytest.mark.parametrize(("key", "value"), [("suffix", "twelve-chars"), ("suffix", "a b"), ("seq_len", 99)])
def test_what_the_protocol_does_not_allow_is_refused_before_anything_is_read(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=key):
        config(api={"endpoint": "lab", key: value})


def test_guards_of_one_call_are_no_part_of_what_the_run_is() -> None:
    guarded = config(api={"endpoint": "lab", "max_cost": 1, "detach": True, "ignore_limits": True})
    assert guarded.without_place() == config().without_place()


# Limits


def files(num_train: int, num_validation: int) -> list[uploads.Upload]:
    return [uploads.Upload("train", 1, num_train, "0" * 64), uploads.Upload("validation", 1, num_validation, "1" * 64)]


@pytest.mark.parametrize(
    ("num_train", "num_validation", "problem"),
    [
        (513 * 2**20, 0, "the train file has 537,919,488 bytes; Mistral's API takes 536,870,912"),
        (1000, 51, "the validation rows have 51 bytes; Mistral's API takes 50"),
        (100 * 2**20, 2**20 + 1, "the validation rows have 1,048,577 bytes; Mistral's API takes 1,048,576"),
    ],
)
def test_mistrals_size_limits_are_errors_there_and_warnings_elsewhere(
    num_train: int, num_validation: int, problem: str
) -> None:
    sizes = files(num_train, num_validation)
    with pytest.raises(DataError, match=problem) as refused:
        uploads.check_limits(MISTRAL, sizes, ignore=False)
    assert "--ignore-limits" in refused.value.hint
    for warnings in (
        uploads.check_limits(MISTRAL, sizes, ignore=True),
        uploads.check_limits(LOCAL, sizes, ignore=False),
    ):
        assert warnings[0].startswith(problem)


def test_files_within_the_limits_are_not_spoken_of() -> None:
    assert uploads.check_limits(MISTRAL, files(1000, 50), ignore=False) == []


def test_an_uploaded_row_keeps_weights_tools_and_calls_and_nothing_else() -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": {}}}
    row = Conversation(
        (
            Message("user", "é"),
            Message("assistant", "no", weight=0),
            Message("assistant", tool_calls=(ToolCall("abcdefghi", "find", "{}"),)),
        ),
        tools=(tool,),
        references=("yes",),
    )
    (line,) = uploads.lines([row])
    assert json.loads(line) == {
        "messages": [
            {"role": "user", "content": "é"},
            {"role": "assistant", "content": "no", "weight": 0},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "abcdefghi", "type": "function", "function": {"name": "find", "arguments": "{}"}}
                ],
            },
        ],
        "tools": [tool],
    }


def test_a_key_that_is_refused_ends_with_4_and_the_run_goes_on_with_a_better_one(
    api: FaultyApi, tmp_path: Path
) -> None:
    api.schedule = lambda call: Fault("status", 401)
    with pytest.raises(ApiError, match="answers 401"):
        train_or_raise(api, tmp_path / "run")
    api.schedule = lambda call: None
    assert train(api, tmp_path / "run") == 0


def test_no_row_is_uploaded_to_an_api_whose_fine_tuning_has_ended(api: FaultyApi, tmp_path: Path) -> None:
    api.schedule = lambda call: Fault("status", 410) if "jobs" in call.name else None
    with pytest.raises(ApiError, match="Mistral AI has ended its hosted fine-tuning"):
        train_or_raise(api, tmp_path / "run")
    assert api.files == {}


def test_files_that_have_expired_meanwhile_are_uploaded_again(api: FaultyApi, tmp_path: Path) -> None:
    api.schedule = lambda call: Fault("status", 403) if call.name == "POST jobs" else None
    assert train(api, tmp_path / "run") == 4
    api.files.clear()
    api.schedule = lambda call: None
    assert train(api, tmp_path / "run") == 0
    assert len(api.files) == 1
