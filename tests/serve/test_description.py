"""What the server says of itself: its OpenAPI document, its documentation page, its figures; all behind the key."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import httpx2
import pytest
from serving import Serving, rows

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/metrics"])
def test_it_takes_the_key(server: Serving, path: str) -> None:
    assert httpx2.get(server.url + path).status_code == 401
    assert server.http.get(path).status_code == 200


def test_the_document_names_every_route_and_the_page_too(server: Serving) -> None:
    document = server.ok("GET", "/openapi.json")
    page = server.http.get("/docs").text
    assert {"/v1/files", "/v1/fine_tuning/jobs/{job_id}/start", "/v1/chat/completions", "/metrics"} <= set(
        document["paths"]
    )
    for path in document["paths"]:
        assert path in page
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["/openapi.json"]


def test_every_reply_in_json_is_described_field_by_field(server: Serving) -> None:
    document = server.ok("GET", "/openapi.json")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for kind, content in operation["responses"].get("200", {}).get("content", {}).items():
                schema = content["schema"]
                is_described = "$ref" in schema or "$ref" in schema.get("anyOf", [{}])[0]
                assert is_described or kind != "application/json" or path == "/healthz", (method, path)


def test_the_document_needs_no_server(server: Serving, mistraltune: CommandLine) -> None:
    outcome = mistraltune("serve", "openapi")
    assert json.loads(outcome.stdout) == server.ok("GET", "/openapi.json")


def test_figures_follow_what_happens(server: Serving) -> None:
    def figure(name: str) -> float:
        match = re.search(rf"^{re.escape(name)} (\S+)$", server.http.get("/metrics").text, re.MULTILINE)
        assert match is not None, name
        return float(match[1])

    before = figure("mistraltune_files")
    server.upload(rows(3, word="counted"))
    assert figure("mistraltune_files") == before + 1
    assert figure('mistraltune_jobs{kind="training",status="RUNNING"}') == 0
    asked = {"model": "open-mistral-7b", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    server.ok("POST", "/v1/chat/completions", json=asked)
    assert figure("mistraltune_models_loaded") == 1
    assert figure("mistraltune_chats_open") == 0
    assert figure("process_resident_memory_bytes") > 0
