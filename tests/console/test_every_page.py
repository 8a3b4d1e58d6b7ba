"""Each page with something on it: usable by everybody, calm in both themes, and text where users wrote scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from serving import Serving, rows, serving, wait_until
from visiting import PICTURES, visiting

from mistraltune.serve.processes import JOB

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PLANTED = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
PLANTED_NAME = "<img src=x onerror=window.hacked=1>.jsonl"
"""Of a file; without a slash, behind which a name would begin."""

MODEL = "open-mistral-7b"


@dataclass(frozen=True)
class LivedIn:
    """A server on which something has happened.

    Attributes:
        server: It.
        places: Name to address of every page.
    """

    server: Serving
    places: dict[str, str]


@pytest.fixture(scope="module")
def lived_in(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    """A finished job, two evaluations and a comparison, with scripts wherever users write."""
    with serving(tmp_path_factory.mktemp("pages") / "data", "--model", f"{MODEL}={tiny_model}") as server:
        turn = [{"role": "user", "content": PLANTED}, {"role": "assistant", "content": PLANTED}]
        row = {"messages": turn, "tag": PLANTED}
        content = rows(24) + json.dumps(row).encode() + b"\n" + rows(2)
        file = server.upload(content, PLANTED_NAME)
        training = {"training_steps": 30, "learning_rate": 0.01}
        body = {
            "training_files": [file],
            "validation_files": [server.upload(rows(6, word="That would be"), "validation.jsonl")],
            "suffix": "tickets",
        }
        job = server.create(**body, hyperparameters=training)["id"]
        log = server.data_dir / "jobs" / job / f"{JOB}.log"
        wait_until(log.exists, seconds=60)
        with log.open("ab") as lines:  # as a library's warning that repeats what a row says
            lines.write(f"warning: {PLANTED}\n".encode())
        tuned = server.wait_for(job)
        assert tuned["status"] == "SUCCESS"
        model = tuned["fine_tuned_model"]
        judged = {"file_id": file, "max_new_tokens": 4, "limit": 26, "metrics": ["exact_match", "chrf"], "by": ["tag"]}
        refused = server.ok("POST", "/api/evaluations", json={"model": model, **judged})["id"]
        asked = {**judged, "allow_overlap": True}
        evaluation = server.ok("POST", "/api/evaluations", json={"model": model, **asked})["id"]
        models = {"base_model": MODEL, "fine_tuned_model": model}
        comparison = server.ok("POST", "/api/comparisons", json={**models, **asked})["id"]
        for place in (f"/api/evaluations/{evaluation}", f"/api/comparisons/{comparison}"):
            wait_until(lambda place=place: server.ok("GET", place)["status"] == "SUCCESS", seconds=120)
        yield LivedIn(
            server,
            {
                "home": "/",
                "datasets": "/datasets/",
                "dataset": f"/dataset/?id={file}",
                "jobs": "/jobs/",
                "new-job": f"/jobs/new/?file={file}",
                "job": f"/job/?id={job}",
                "playground": f"/playground/?model={model}",
                "compare": "/compare/",
                "comparison": f"/comparison/?id={comparison}",
                "evaluation": f"/evaluation/?id={evaluation}",
                "refused": f"/evaluation/?id={refused}",
                "runs": "/runs/",
                "run": f"/run/?id={job}",
                "nowhere": "/nowhere/",
            },
        )


def is_settled(page: Any) -> None:
    """Wait until nothing loads any more and the page has its heading."""
    page.wait_for_load_state("networkidle")
    page.locator("h1, h2").first.wait_for()


def serious(page: Any) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate(AXE.read_text())  # by the debugger's protocol: the page's policy lets in no script of ours either
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:150]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nobody_is_kept_out_and_nothing_runs(chromium: Any, lived_in: LivedIn, theme: str, width: int) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    problems = {}
    options = {"color_scheme": theme, "viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    with visiting(chromium, lived_in.server, **options) as visit:
        page = visit.page
        for name, address in lived_in.places.items():
            page.goto(visit.url + address)
            is_settled(page)
            page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
            page.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png", full_page=True)
            problems[name] = serious(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} pixels wide on {width}"
            assert page.evaluate("window.hacked") is None, name
    assert {name: found for name, found in problems.items() if found} == {}


def test_whoever_is_not_signed_in_is_told_how(chromium: Any, lived_in: LivedIn) -> None:
    with visiting(chromium, lived_in.server, signs_in=False) as visit:
        page = visit.page
        page.goto(f"{visit.url}/jobs/")
        page.get_by_role("heading", name="You are not signed in").wait_for()
        page.screenshot(path=PICTURES / "signed-out.png")
        assert serious(page) == []


def test_planted_scripts_are_shown_as_text(chromium: Any, lived_in: LivedIn) -> None:
    from playwright.sync_api import expect

    places = lived_in.places
    with visiting(chromium, lived_in.server) as visit:
        page = visit.page
        page.goto(visit.url + places["datasets"])  # a file's name
        expect(page.get_by_text(PLANTED_NAME).first).to_be_visible()
        page.goto(visit.url + places["dataset"])  # a row, beyond the first page of them
        page.get_by_role("button", name="Look for them").click()
        expect(page.get_by_text("Row 26 is like row 1")).to_be_visible()
        page.get_by_label("Go to row").fill("25")
        page.get_by_label("Go to row").press("Enter")
        expect(page.get_by_role("article", name="Row 25")).to_contain_text(PLANTED)
        page.goto(visit.url + places["comparison"])  # a group of rows
        expect(page.get_by_role("region", name="Exact match by tag")).to_contain_text(PLANTED)
        page.goto(visit.url + places["job"])  # a line of the log
        page.get_by_label("With the process's output").check()
        log = page.get_by_role("log")
        log.evaluate("box => box.scrollTop = 0")
        expect(log).to_contain_text(PLANTED)
        piece = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
        deltas = [{"delta": {"content": PLANTED}, "finish_reason": None}, {"delta": {}, "finish_reason": "stop"}]
        events = [f"data: {json.dumps({**piece, 'choices': [{'index': 0, **delta}]})}\n\n" for delta in deltas]
        page.route(
            "**/v1/chat/completions",
            lambda route: route.fulfill(content_type="text/event-stream", body="".join(events) + "data: [DONE]\n\n"),
        )
        page.goto(visit.url + places["playground"])  # a model's answer
        page.get_by_label("Message").fill("Hi")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("log")).to_contain_text(PLANTED)
        assert page.evaluate("window.hacked") is None
