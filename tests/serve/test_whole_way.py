"""From an upload to the answer of the model that was trained on it, over real HTTP."""

from __future__ import annotations

import json

from serving import Serving, rows


def test_an_uploaded_file_becomes_a_model_that_answers(server: Serving) -> None:
    training, validation = server.upload(rows()), server.upload(rows(3, word="That is"), "val.jsonl")
    job = server.create(
        training_files=[{"file_id": training, "weight": 1.0}],
        validation_files=[validation],
        hyperparameters={"training_steps": 3, "learning_rate": 1e-3},
        suffix="first",
        auto_start=False,
    )
    assert (job["status"], job["metadata"]["train_tokens"]) == ("QUEUED", None)

    job = server.wait_for(job["id"], "VALIDATED", "FAILED_VALIDATION")
    metadata = job["metadata"]
    assert metadata["train_tokens"] == 3 * metadata["train_tokens_per_step"]
    assert job["hyperparameters"]["epochs"] == round(metadata["train_tokens"] / metadata["data_tokens"], 4)
    assert server.ok("POST", f"/v1/fine_tuning/jobs/{job['id']}/start")["status"] == "QUEUED"

    job = server.wait_for(job["id"])
    assert job["status"] == "SUCCESS", job["events"]
    assert [event["data"]["status"] for event in job["events"] if event["name"] == "status-updated"] == [
        "QUEUED",
        "VALIDATING",
        "VALIDATED",
        "QUEUED",
        "RUNNING",
        "SUCCESS",
    ]
    assert [checkpoint["step_number"] for checkpoint in job["checkpoints"]] == [3, 2, 1]
    for checkpoint in job["checkpoints"]:
        assert checkpoint["metrics"]["train_loss"] > 0
        assert checkpoint["metrics"]["valid_loss"] > 0
        assert 0 <= checkpoint["metrics"]["valid_mean_token_accuracy"] <= 1
    name = job["fine_tuned_model"]
    assert name.startswith("ft:open-mistral-7b:selfhost:")
    assert name.endswith(f":first:{job['id'][:8]}")

    asked = {"model": name, "messages": [{"role": "user", "content": "Say 1."}], "max_tokens": 5}
    answer = server.ok("POST", "/v1/chat/completions", json=asked)
    assert answer["usage"]["completion_tokens"] <= 5
    assert answer["usage"]["prompt_tokens"] > 3
    with server.http.stream("POST", "/v1/chat/completions", json={**asked, "stream": True}) as streamed:
        lines = [line.removeprefix("data: ") for line in streamed.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert text.strip() == answer["choices"][0]["message"]["content"].strip()
    assert chunks[-1]["choices"][0]["finish_reason"] == answer["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == answer["usage"]
    assert name in [model["id"] for model in server.ok("GET", "/v1/models")["data"]]
