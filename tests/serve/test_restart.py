"""Figures J2 to J5 and J7: whoever dies, no job is lost or trained twice, and none runs in words only."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from serving import ENDED, Serving, rows, serving, wait_until

from mistraltune.results import ModelRef
from mistraltune.serve.commands import check_of
from mistraltune.serve.job_requests import JobRequest
from mistraltune.serve.outcomes import MAX_ATTEMPTS
from mistraltune.serve.processes import find_processes
from mistraltune.serve.records import ProcessMark, Status, TrainingRecord
from mistraltune.serve.store import IllegalStepError, Store
from mistraltune.serve.supervisor import Supervisor

IS_EXHAUSTIVE = os.environ.get("MISTRALTUNE_FAULTS") == "all"
NUM_KILLS = 20 if IS_EXHAUSTIVE else 1
STEPS = 12


@pytest.fixture
def model(tiny_model: Path) -> tuple[str, str]:
    return "--model", f"open-mistral-7b={tiny_model}"


def trainers_of(data_dir: Path) -> list[psutil.Process]:
    """Every process that trains on this data directory; not the children that it forks, which look alike at first."""
    found = []
    for process in psutil.process_iter():
        try:
            is_ours = str(data_dir / "jobs") in " ".join(process.cmdline()) and os.getsid(process.pid) == process.pid
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`mistraltune serve ...`, run to its end."""
    whole = [sys.executable, "-m", "mistraltune", "serve", *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)


def start_job(server: Serving, steps: int = STEPS, **more: Any) -> str:
    wanted = {"training_files": [server.upload(rows(40))], "hyperparameters": {"training_steps": steps}}
    return str(server.create(**wanted, **more)["id"])


def has_stepped(server: Serving, job_id: str, num_steps: int = 1) -> dict[str, Any]:
    """The job, once it has logged so many steps."""
    return dict(
        wait_until(lambda: job if len((job := server.job(job_id))["checkpoints"]) >= num_steps else None, seconds=90)
    )


def adapter_hash(server: Serving, job_id: str) -> str:
    file = server.data_dir / "jobs" / job_id / "run" / "adapter_model.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def kill(server: Serving, *, trainers_too: bool) -> None:
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    if trainers_too:
        for trainer in trainers_of(server.data_dir):
            trainer.kill()
            psutil.wait_procs([trainer], timeout=5)


@pytest.fixture(scope="module")
def undisturbed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The adapter's hash of a job that nobody disturbs."""
    with serving(tmp_path_factory.mktemp("calm") / "data", "--model", f"open-mistral-7b={tiny_model}") as server:
        job_id = start_job(server)
        assert server.wait_for(job_id)["status"] == "SUCCESS"
        yield adapter_hash(server, job_id)


@pytest.mark.figure("J2", "server killed, trainer lives: adopted, the same adapter")
@pytest.mark.parametrize("trial", range(NUM_KILLS))
def test_a_living_trainer_is_adopted(tmp_path: Path, model: tuple[str, str], undisturbed: str, trial: int) -> None:
    """J2: the server is killed, the trainer lives."""
    with serving(tmp_path / "data", *model) as server:
        job_id = start_job(server)
        before = has_stepped(server, job_id, 1 + trial % 5)
        at_work = trainers_of(server.data_dir)
        for trainer in at_work:
            trainer.suspend()  # so that it is still there when the next server looks
        kill(server, trainers_too=False)
    with serving(tmp_path / "data", *model) as server:
        assert server.job(job_id)["status"] in ("RUNNING", "SUCCESS")
        assert trainers_of(server.data_dir) == at_work
        for trainer in at_work:
            trainer.resume()
        job = server.wait_for(job_id)
        assert (job["status"], adapter_hash(server, job_id)) == ("SUCCESS", undisturbed)
        steps = [checkpoint["step_number"] for checkpoint in job["checkpoints"]]
        assert steps == list(range(STEPS, 0, -1))
        assert job["checkpoints"][-1] == before["checkpoints"][-1]
        running = [event for event in job["events"] if event["data"] == {"status": "RUNNING"}]
        assert len(running) == 1


@pytest.mark.figure("J2", "server and trainer killed: continued, the same adapter")
@pytest.mark.parametrize("trial", range(NUM_KILLS))
def test_a_dead_trainer_is_continued_to_the_same_adapter(
    tmp_path: Path, model: tuple[str, str], undisturbed: str, trial: int
) -> None:
    """J2: both are killed."""
    with serving(tmp_path / "data", *model) as server:
        job_id = start_job(server)
        has_stepped(server, job_id, 1 + 2 * (trial % 5))
        kill(server, trainers_too=True)
    with serving(tmp_path / "data", *model) as server:
        began = time.monotonic()
        while time.monotonic() - began < 5:
            assert len(trainers_of(server.data_dir)) <= 1
            time.sleep(0.1)
        wait_until(lambda: server.job(job_id)["status"] != "RUNNING" or trainers_of(server.data_dir), seconds=10)
        assert (server.wait_for(job_id)["status"], adapter_hash(server, job_id)) == ("SUCCESS", undisturbed)


def test_a_trainer_that_keeps_dying_is_given_up_after_three_attempts(tmp_path: Path, model: tuple[str, str]) -> None:
    with serving(tmp_path / "data", *model) as server:
        job_id = start_job(server, 100_000)
        killed: set[int] = set()

        def kill_and_look() -> Any:
            for trainer in trainers_of(server.data_dir):
                if server.job(job_id)["status"] == "RUNNING" and trainer.pid not in killed:
                    killed.add(trainer.pid)
                    trainer.kill()
            return server.job(job_id)["status"] == "FAILED"

        wait_until(kill_and_look, seconds=60)
        job = server.job(job_id)
        assert len(killed) == 3
        statuses = {event["data"]["status"] for event in job["events"] if event["name"] == "status-updated"}
        assert statuses <= {"QUEUED", "VALIDATING", "VALIDATED", "RUNNING", "FAILED"}
        assert [event["data"]["message"] for event in job["events"] if event["name"] == "error"]


@pytest.mark.figure("J2", "server killed in a comparison, its process living or dead: adopted or done again")
@pytest.mark.parametrize("is_alive", [True, False] if IS_EXHAUSTIVE else [True])
def test_a_comparison_outlives_the_server(tmp_path: Path, model: tuple[str, str], is_alive: bool) -> None:
    place = "/api/comparisons"
    with serving(tmp_path / "data", *model) as server:
        asked = {"base_model": "open-mistral-7b", "fine_tuned_model": "open-mistral-7b", "max_new_tokens": 30}
        job = server.ok("POST", place, json={**asked, "file_id": server.upload(rows(60))})
        wait_until(lambda: server.ok("GET", f"{place}/{job['id']}")["progress"], seconds=60)
        kill(server, trainers_too=not is_alive)
        assert len(trainers_of(server.data_dir)) <= is_alive
    with serving(tmp_path / "data", *model) as server:

        def look() -> Any:
            found = server.ok("GET", f"{place}/{job['id']}")
            return found if found["status"] in ENDED else None

        found = wait_until(look, seconds=90)
        assert (found["status"], found["figures"]["ties"]) == ("SUCCESS", 60)
        assert trainers_of(server.data_dir) == []
        assert server.http.get(f"{place}/{job['id']}/report").status_code == 200


@pytest.mark.figure("J3", "second server on a data directory: exit 11, the first undisturbed")
def test_a_second_server_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    """J3."""
    with serving(tmp_path / "data") as server:
        second = command("--port", "0", "--data-dir", server.data_dir)
        assert second.returncode == 11
        assert "another server" in second.stderr
        assert server.ok("GET", "/v1/models")


class NoDevice:
    """A device that is never free, so that nothing is started."""

    def make_room(self) -> bool:
        return False

    def give_back(self) -> None:
        pass


@pytest.mark.figure("J4", "a stranger with a job's number: never signalled, the job ends without it")
@pytest.mark.parametrize("trial", range(10))
def test_a_stranger_with_a_jobs_number_is_never_signalled(tmp_path: Path, trial: int) -> None:
    """Number and start time are recorded for people; a process is ours by its command alone."""
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(100)", str(tmp_path)], start_new_session=True
    )
    store = Store(tmp_path)
    try:
        began = psutil.Process(stranger.pid).create_time()
        job = TrainingRecord(
            id="job",
            created_at=1,
            modified_at=1,
            status=(Status.RUNNING, Status.CANCELLATION_REQUESTED)[trial % 2],
            request=JobRequest.model_validate({"model": "quickstart", "training_files": ["x"]}),
            base=ModelRef(model="quickstart"),
            is_started=True,
            num_attempts=MAX_ATTEMPTS,
            process=ProcessMark(pid=stranger.pid, create_time=began - trial // 2),
        )
        store.add_job(job)
        supervisor = Supervisor(store, tmp_path / "jobs", NoDevice())
        supervisor.start()
        if trial % 4:
            with suppress(IllegalStepError):  # it may have ended already
                supervisor.cancel(job)
        wait_until(lambda: not store.open_jobs(), seconds=30)
        supervisor.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        assert stranger.wait() == -signal.SIGKILL
        store.close()


def test_a_stranger_with_the_trainers_number_is_left_alone(tmp_path: Path) -> None:
    """J4: a process is ours by its command, which names the job; a number is never enough."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)])
    try:
        assert find_processes({"job": [check_of(tmp_path)]}) == {}
        ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", *check_of(tmp_path)[1:]])
        assert find_processes({"job": [check_of(tmp_path)]}) == {}
        ours.kill()
        ours.wait()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_fork_of_a_trainer_is_not_taken_for_it(tmp_path: Path) -> None:
    """Between fork and exec a child shows its parent's command: found in its place, the job would look dead at once."""
    script = tmp_path / "mistraltune.py"
    script.write_text("import os, time\nprint(os.fork(), flush=True)\ntime.sleep(60)\n")
    trainer = subprocess.Popen(
        check_of(tmp_path), cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    try:
        assert trainer.stdout
        trainer.stdout.readline()
        found = find_processes({"job": [check_of(tmp_path)]})
        assert [process.mark.pid for process in found.values()] == [trainer.pid]
    finally:
        os.killpg(trainer.pid, signal.SIGKILL)
        trainer.wait()


@pytest.mark.figure("J5", "server stopped while it trains: checkpoint saved, job waits, exit within 15 s")
def test_a_stopped_server_has_its_trainers_save(tmp_path: Path, model: tuple[str, str]) -> None:
    """J5."""
    with serving(tmp_path / "data", *model) as server:
        job_id = start_job(server, 5000)
        has_stepped(server, job_id)
        began = time.monotonic()
        server.process.terminate()
        assert server.process.wait(20) == -signal.SIGTERM
        assert time.monotonic() - began < 15
        assert trainers_of(server.data_dir) == []
        record = TrainingRecord.model_validate_json((server.data_dir / "jobs" / job_id / "job.json").read_bytes())
        assert (record.status, record.num_attempts) == ("QUEUED", 0)
        (checkpoint,) = sorted((server.data_dir / "jobs" / job_id / "run" / "checkpoints").glob("step-*"))[-1:]
    with serving(tmp_path / "data", *model) as server:
        wait_until(lambda: server.job(job_id)["status"] == "RUNNING", seconds=20)
        step = int(checkpoint.name.removeprefix("step-"))
        wait_until(lambda: server.job(job_id)["checkpoints"][0]["step_number"] > step, seconds=60)
        server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
        server.wait_for(job_id)


@pytest.mark.figure("J7", "index of real jobs deleted, then zeroed: rebuilt, models answer as before", trials=2)
def test_an_index_that_is_lost_or_damaged_is_rebuilt(tmp_path: Path, model: tuple[str, str]) -> None:
    """J7."""
    data_dir = tmp_path / "data"
    with serving(data_dir, *model) as server:
        finished = start_job(server, 2, suffix="done")
        job = server.wait_for(finished)
        cancelled = start_job(server, 9)
        server.ok("POST", f"/v1/fine_tuning/jobs/{cancelled}/cancel")
        server.wait_for(cancelled)
        files = server.ok("GET", "/v1/files")
        name = job["fine_tuned_model"]
        server.ok("PATCH", f"/v1/fine_tuning/models/{name}", json={"name": "mine"})
        jobs = server.ok("GET", "/v1/fine_tuning/jobs")
    for damage in ("deleted", "zeroed"):
        if damage == "deleted":
            for path in data_dir.glob("server.db*"):
                path.unlink()
        else:
            path = data_dir / "server.db"
            path.write_bytes(bytes(4096) + path.read_bytes()[4096:])
            refused = command("--data-dir", data_dir, "--port", "0")
            assert refused.returncode == 2
            assert "reindex" in refused.stderr
        rebuilt = command("reindex", "--data-dir", data_dir, "--json")
        assert '"num_jobs": 2' in rebuilt.stdout, rebuilt.stderr
        with serving(data_dir, *model) as server:
            assert server.ok("GET", "/v1/fine_tuning/jobs") == jobs
            assert server.ok("GET", "/v1/files") == files
            assert server.ok("GET", f"/v1/models/{name}")["name"] == "mine"
            assert len(server.job(finished)["checkpoints"]) == len(job["checkpoints"])
            asked = {"model": name, "messages": [{"role": "user", "content": "Say 1."}], "max_tokens": 2}
            assert server.ok("POST", "/v1/chat/completions", json=asked)["choices"]


def test_a_job_whose_row_was_lost_but_finished_is_a_success_again(tmp_path: Path, model: tuple[str, str]) -> None:
    """The run directory is the truth, not a status that was copied before the end."""
    data_dir = tmp_path / "data"
    with serving(data_dir, *model) as server:
        job_id = start_job(server, 1)
        wait_until(lambda: server.job(job_id)["status"] in ("RUNNING", "SUCCESS"), seconds=60)
        shutil.copy(data_dir / "jobs" / job_id / "job.json", tmp_path / "early.json")
        name = server.wait_for(job_id)["fine_tuned_model"]
    shutil.copy(tmp_path / "early.json", data_dir / "jobs" / job_id / "job.json")
    assert command("reindex", "--data-dir", data_dir).returncode == 0
    with serving(data_dir, *model) as server:
        assert (server.job(job_id)["status"], server.job(job_id)["fine_tuned_model"]) == ("SUCCESS", name)
