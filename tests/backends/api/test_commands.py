"""`train api` and `jobs` as a person and a script meet them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clocks import RealTime
from faulty_api import KEY, chat_chunk, chat_reply, faulty_api, write_endpoints
from remote_jobs import Fault, FaultyApi, RemoteJob

CommandLine = Callable[..., subprocess.CompletedProcess[str]]
TRAIN = ("train", "api", "--endpoint", "lab", "--train-file", "triage/train.jsonl", "--run-id", "run")


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with faulty_api(RealTime()) as served:
        served.is_quick = True
        yield served


@pytest.fixture
def at_lab(mistraltune: Any, api: FaultyApi, tmp_path: Path) -> CommandLine:
    """The command line of somebody with an endpoint `lab`."""
    own = {"MISTRALTUNE_CONFIG_DIR": str(write_endpoints(tmp_path / "config", lab=api.url)), "LAB_API_KEY": KEY}
    command_line: CommandLine = replace(mistraltune, env={**mistraltune.env, **own})
    return command_line


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.mark.usefixtures("triage_rows")
def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(at_lab: CommandLine, api: FaultyApi) -> None:
    done = at_lab(*TRAIN, "--dry-run", "--learning-rate", "1e-5", LAB_API_KEY="")
    assert done.returncode == 0, done.stderr
    assert "learning_rate: 1.0e-05" in done.stdout
    assert "8 rows" in done.stdout
    assert f"endpoint: lab ({api.url})" in done.stdout
    assert "lora" not in done.stdout  # nor anything else that an API is not told
    planned = result(at_lab(*TRAIN, "--dry-run", "--max-cost", "5", "--detach", "--json", LAB_API_KEY=""))
    assert planned["request"]["hyperparameters"]["learning_rate"] == 1e-4
    assert "config" not in planned
    assert api.calls == []


@pytest.mark.usefixtures("triage_rows")
def test_a_dry_run_names_the_options_that_say_nothing_to_it(at_lab: CommandLine) -> None:
    done = at_lab(*TRAIN, "--dry-run", "--max-cost", "5", "--detach", "--resume", LAB_API_KEY="")
    assert "without effect in a dry run: --resume, --max-cost, --detach\n" in done.stderr


@pytest.mark.usefixtures("triage_rows")
def test_a_training_is_told_in_plain_lines_with_its_plan_and_its_losses(at_lab: CommandLine) -> None:
    done = at_lab(*TRAIN)
    assert done.returncode == 0, done.stderr
    assert "job job-0: tokens 1,000, trained on in all 5,000, steps 5, epochs 3.00, cost 1.50 USD" in done.stderr
    assert "step 5/5  loss 0.4000" in done.stderr
    assert "loss 2.0000 █▄▂▁▁ 0.4000" in done.stderr
    assert done.stdout.startswith("run directory: outputs/run\nmodel: api:ft:open-mistral-7b:job-0@lab\n  train_loss: ")


@pytest.mark.usefixtures("triage_rows")
@pytest.mark.parametrize("command", ["train", "watch"])
def test_ctrl_c_detaches_and_cancels_nothing(at_lab: Any, api: FaultyApi, tmp_path: Path, command: str) -> None:
    api.is_quick = False
    api.seconds = 3600
    if command == "watch":
        job = RemoteJob("job-0", {"model": "m", "training_files": [], "hyperparameters": {}}, 0, 3600)
        job.started_at.append(api.clock.at)
        api.jobs["job-0"] = job
    words = TRAIN if command == "train" else ("jobs", "watch", "job-0", "--endpoint", "lab")
    with subprocess.Popen(
        [sys.executable, "-m", "mistraltune", *words, "--json"],
        cwd=tmp_path,
        env={**os.environ, **at_lab.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert any('"event": "begin"' in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    error = json.loads(stdout)["error"]
    assert error["exit_code"] == 130
    assert error["message"] == "detached; job job-0 goes on at lab"
    assert "`mistraltune jobs watch job-0 --endpoint lab`" in error["hint"]
    assert not api.jobs["job-0"].is_cancelled
    assert len(api.started) == 1


def test_jobs_are_listed_shown_watched_started_and_cancelled(at_lab: CommandLine, api: FaultyApi) -> None:
    def jobs(*words: str) -> dict[str, Any]:
        return result(at_lab("jobs", *words, "--endpoint", "lab", "--json"))

    request = {"model": "m", "training_files": [], "hyperparameters": {}, "suffix": "s"}
    for number in range(2):
        api.jobs[f"job-{number}"] = RemoteJob(f"job-{number}", request, 0, 0, num_looks=3, queued_seconds=0)
    assert [job["id"] for job in jobs("list")["jobs"]] == ["job-1", "job-0"]
    shown = jobs("show", "job-0")
    assert (shown["status"], shown["reference"]) == ("VALIDATED", None)
    assert jobs("start", "job-0")["status"] == "SUCCESS"
    assert len(api.jobs["job-0"].started_at) == 1
    assert jobs("cancel", "job-1")["status"] == "CANCELLED"
    watched = jobs("watch", "job-0")
    assert (watched["fine_tuned_model"], watched["reference"]) == ("ft:m:job-0", "api:ft:m:job-0@lab")

    cancelled = at_lab("jobs", "watch", "job-1", "--endpoint", "lab")
    assert (cancelled.returncode, cancelled.stdout) == (6, "")
    assert "error: job job-1 ended as CANCELLED" in cancelled.stderr
    assert "hint: `mistraltune jobs show job-1 --endpoint lab`" in cancelled.stderr

    started = at_lab("jobs", "start", "job-1", "--endpoint", "lab")
    assert (started.returncode, started.stdout) == (4, "")
    assert "error: job job-1 is CANCELLED and cannot be started" in started.stderr
    api.jobs["job-0"].seconds = 10**12  # as if it ran on
    started = at_lab("jobs", "start", "job-0", "--endpoint", "lab")
    assert (started.returncode, started.stdout) == (0, "job job-0: RUNNING\n")
    assert "it runs already\n" in started.stderr


@pytest.mark.usefixtures("triage_rows")
@pytest.mark.parametrize("command", ["train", "watch"])
def test_ctrl_c_before_a_start_says_that_nothing_trains_yet(
    at_lab: Any, api: FaultyApi, tmp_path: Path, command: str
) -> None:
    request = {"model": "m", "training_files": [], "hyperparameters": {}}
    checked = {"id": "job-0", "status": "VALIDATING"}
    if command == "train":
        words, sign = TRAIN, "the API checks the data"
        api.is_quick = False
        api.schedule = lambda call: Fault("body", body=json.dumps(checked).encode()) if call.name == "GET job" else None
    else:
        words, sign = ("jobs", "watch", "job-0", "--endpoint", "lab"), "it trains once it is started"
        api.jobs["job-0"] = RemoteJob("job-0", request, 0, 3600, num_looks=2)
    with subprocess.Popen(
        [sys.executable, "-m", "mistraltune", *words],
        cwd=tmp_path,
        env={**os.environ, **at_lab.env},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert any(sign in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "stopped; job job-0 at lab is not started yet\n" in stderr
    assert "error:" not in stderr  # it was asked for
    assert "`mistraltune jobs start job-0 --endpoint lab`" in stderr
    assert "goes on at" not in stderr
    assert api.started == []


def test_a_job_whose_data_is_being_checked_can_be_started_later(at_lab: CommandLine, api: FaultyApi) -> None:
    checked = json.dumps({"id": "job-0", "status": "VALIDATING"}).encode()
    api.schedule = lambda call: Fault("body", body=checked)
    done = at_lab("jobs", "start", "job-0", "--endpoint", "lab")
    assert done.returncode == 5
    assert "job job-0 cannot be started yet: its data is being checked" in done.stderr
    assert [call.method for call in api.calls] == ["GET"]


def test_jobs_and_models_are_shown_to_people(at_lab: CommandLine, api: FaultyApi) -> None:
    request = {"model": "m", "training_files": [], "hyperparameters": {}, "suffix": "s"}
    job = RemoteJob("job-0", request, 0, 0, num_looks=3, queued_seconds=0, started_at=[0.0])
    assert at_lab("jobs", "list", "--endpoint", "lab").stderr == "no jobs at lab\n"
    api.jobs["job-0"] = job
    listed = at_lab("jobs", "list", "--endpoint", "lab").stdout.splitlines()
    assert listed[0].split() == ["job", "status", "model", "created", "fine-tuned", "model"]
    assert listed[1].split() == ["job-0", "SUCCESS", "m", "1970-01-01", "00:00", "ft:m:job-0"]
    shown = at_lab("jobs", "show", "job-0", "--endpoint", "lab").stdout
    assert "fine-tuned model: api:ft:m:job-0@lab\n" in shown
    assert "training loss: 2.0000 █▄▂▁▁ 0.4000\n" in shown
    models = at_lab("jobs", "models", "--endpoint", "lab")
    assert models.stdout == "api:open-mistral-7b@lab\napi:ft:m:job-0@lab\n"
    deleted = at_lab("jobs", "delete-model", "api:ft:m:job-0@lab", "--endpoint", "lab")
    assert deleted.stdout == "api:ft:m:job-0@lab is deleted\n"
    assert api.calls[-1].path == "/v1/models/ft:m:job-0"


def test_an_api_that_nobody_serves_is_exit_5_and_told_while_it_is_tried(at_lab: Any, tmp_path: Path) -> None:
    write_endpoints(tmp_path / "config", lab="http://127.0.0.1:9")  # the discard port: nobody listens
    done = at_lab("jobs", "list", "--endpoint", "lab")
    assert done.returncode == 5
    assert "cannot be reached" in done.stderr
    assert done.stderr.count("; trying again for 10 s\n") == 1
    assert "hint: start `mistraltune serve`, or what else is to answer there" in done.stderr


# Models behind endpoints


@pytest.mark.usefixtures("triage_rows")
def test_models_at_two_endpoints_are_compared_with_their_tokens_counted(
    at_lab: Any, api: FaultyApi, tmp_path: Path
) -> None:
    api.schedule = lambda call: Fault("body", body=chat_reply("delivery / urgent"))
    with faulty_api(RealTime()) as other:
        other.schedule = lambda call: Fault("body", body=chat_reply("I cannot say."))
        write_endpoints(tmp_path / "config", lab=api.url, vllm=f"{other.url}/v1")
        models = ("--base-model", "api:base@vllm", "--fine-tuned-model", "api:tuned@lab")
        compared = result(at_lab("compare", *models, "--eval-file", "triage/test.jsonl", "--json"))
        assert {call.path for call in api.calls + other.calls} == {"/v1/chat/completions"}
        assert [json.loads(call.body)["model"] for call in other.calls] == ["base"] * 4
        again = at_lab("compare", *models, "--eval-file", "triage/test.jsonl")
        assert (again.returncode, len(other.calls)) == (0, 4)  # found again, not asked again
    assert (compared["wins"], compared["ties"], compared["losses"]) == (2, 2, 0)
    assert compared["fine_tuned"]["usage"] == {"prompt_tokens": 28, "completion_tokens": 12}
    assert "base:       api:base@vllm\nfine-tuned: api:tuned@lab\n" in again.stdout


def test_a_chat_with_a_model_behind_an_endpoint_is_streamed(at_lab: CommandLine, api: FaultyApi) -> None:
    body = chat_chunk({"content": "Hel"}) + chat_chunk({"content": "lo"}, reason="stop") + b"data: [DONE]\n\n"
    api.schedule = lambda call: Fault("body", body=body, headers={"content-type": "text/event-stream"})
    done = at_lab("chat", "--model", "api:m@lab", stdin="hi\nagain\n")
    assert (done.returncode, done.stdout) == (0, "Hello\nHello\n")
    second = json.loads(api.calls[1].body)
    assert [message["content"] for message in second["messages"]] == ["hi", "Hello", "again"]


@pytest.mark.usefixtures("triage_rows")
def test_a_refused_prompt_ends_the_command_though_others_are_still_being_answered(
    at_lab: CommandLine, api: FaultyApi
) -> None:
    api.schedule = lambda call: Fault("status", 400) if b"a fee on my bill" in call.body else Fault("stall")
    done = at_lab("eval", "--model", "api:m@lab", "--eval-file", "triage/test.jsonl", "--json")
    assert done.returncode == 4
    assert "answers 400: not now" in done.stderr
