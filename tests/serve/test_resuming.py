"""A training that was cancelled goes on where it was, one that failed is tried again, and no other is touched."""

from __future__ import annotations

from pathlib import Path

from serving import rows, serving, wait_until

STEPS = 100


def test_a_cancelled_training_goes_on_from_its_checkpoint(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}") as server:
        training = {"training_files": [server.upload(rows(40))], "hyperparameters": {"training_steps": STEPS}}
        job_id = server.create(**training)["id"]
        resume = f"/api/jobs/{job_id}/resume"
        wait_until(lambda: server.job(job_id)["checkpoints"], seconds=90)
        assert server.http.post(resume).status_code == 409  # it runs
        server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
        cancelled = server.wait_for(job_id)
        assert cancelled["status"] == "CANCELLED"
        reached = cancelled["checkpoints"][0]["step_number"]
        assert reached < STEPS

        resumed = server.ok("POST", resume)
        assert resumed["status"] == "QUEUED"
        assert server.http.post(resume).status_code == 409
        assert {"text": "resumed"} in [event["data"] for event in resumed["events"]]
        job = server.wait_for(job_id)
        assert job["status"] == "SUCCESS"
        steps = [checkpoint["step_number"] for checkpoint in job["checkpoints"]]
        assert steps == sorted(set(steps), reverse=True)
        assert steps[0] == STEPS
        run = server.ok("GET", f"/api/runs/{job_id}")
        assert (run["status"], run["job_id"], run["metrics"]["num_steps"]) == ("finished", job_id, STEPS)
        logged = server.ok("GET", f"/api/runs/{job_id}/metrics")
        assert [point["step"] for point in logged["steps"]] == steps[::-1]
        assert server.http.post(resume).status_code == 409  # it has succeeded
        assert server.http.post("/api/jobs/nowhere/resume").status_code == 404


def test_a_job_cancelled_before_its_data_was_checked_begins(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}") as server:
        body = {"training_files": [{"file_id": server.upload(rows())}], "hyperparameters": {"training_steps": 2}}
        job_id = server.create(**body)["id"]  # does not start by itself
        server.ok("POST", f"/v1/fine_tuning/jobs/{job_id}/cancel")
        assert server.job(job_id)["status"] == "CANCELLED"
        server.ok("POST", f"/api/jobs/{job_id}/resume")
        assert server.wait_for(job_id)["status"] == "SUCCESS"


def test_refused_data_stays_refused(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path / "data", "--model", f"open-mistral-7b={tiny_model}") as server:
        long_rows = rows(2, word="many words " * 200)
        body = {"training_files": [server.upload(long_rows)], "hyperparameters": {"training_steps": 2, "seq_len": 100}}
        job_id = server.create(**body)["id"]
        assert server.wait_for(job_id)["status"] == "FAILED_VALIDATION"
        assert server.http.post(f"/api/jobs/{job_id}/resume").status_code == 409
