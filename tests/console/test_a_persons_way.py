"""What a person does who never opens a terminal: from the link to a fine-tuned model that was compared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import KEY, Serving, rows, serving, wait_until
from visiting import Visit, visiting

STEPS = 400
BAD = rows(1) + b'{"messages": []}\n'
GOOD = "good.jsonl (40 rows)"
UNSEEN = "unseen.jsonl (12 rows)"
"""Rows that were not trained on: those that were are refused."""


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("person")
    with serving(folder / "data", "--model", f"open-mistral-7b={tiny_model}") as running:
        yield running


def test_from_the_link_to_a_compared_model(chromium: Any, server: Serving, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    with visiting(chromium, server) as visit:
        is_signed_in(visit)
        uploads_data(visit.page)
        starts_a_job(visit.page, server)
        watches_through_a_cut(visit, server)
        cancels_and_resumes(visit.page, server)
        chats(visit.page)
        tagged = [
            json.loads(row) | {"tag": f"kind-{n % 2}"}
            for n, row in enumerate(rows(12, word="That would be").splitlines())
        ]
        server.upload("".join(json.dumps(row) + "\n" for row in tagged).encode(), "unseen.jsonl")
        compares(visit.page, tmp_path / "report.html")
        kept = visit.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert KEY not in kept
        assert json.loads(kept)[2] == ""  # no script sees the session


def is_signed_in(visit: Visit) -> None:
    """The link has led to the start page, and left a cookie that scripts do not see."""
    visit.page.get_by_role("heading", name="Welcome").wait_for()
    assert visit.page.url == f"{visit.url}/"
    (cookie,) = visit.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def uploads_data(page: Any) -> None:
    """A bad file is refused with its errors, a good one taken."""
    from playwright.sync_api import expect

    page.get_by_role("link", name="Datasets").first.click()
    choose = page.get_by_label("Data sets to upload")
    choose.set_input_files({"name": "bad.jsonl", "mimeType": "application/jsonl", "buffer": BAD})
    expect(page.get_by_role("region", name="Findings")).to_contain_text("line 2")
    choose.set_input_files({"name": "good.jsonl", "mimeType": "application/jsonl", "buffer": rows(40)})
    expect(page.get_by_text("40 rows, all sound.")).to_be_visible()


def starts_a_job(page: Any, server: Serving) -> None:
    """A job is measured before anything starts, then started."""
    from playwright.sync_api import expect

    page.get_by_role("link", name="Jobs").first.click()
    page.get_by_role("link", name="New job").first.click()
    page.get_by_label("Base model").select_option("open-mistral-7b")
    page.get_by_label("Training data").select_option(label=GOOD)
    page.get_by_label(re.compile("training steps", re.IGNORECASE)).fill(str(STEPS))
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("What this job would do")).to_be_visible(timeout=120_000)
    assert server.ok("GET", "/v1/fine_tuning/jobs")["total"] == 0
    page.get_by_role("button", name="Start training").click()


def watches_through_a_cut(visit: Visit, server: Serving) -> None:
    """The curve grows; the wire is cut and mended, and nothing is missed."""
    from playwright.sync_api import expect

    page = visit.page
    expect(page.get_by_role("img", name=re.compile("^Loss: training"))).to_be_visible(timeout=120_000)
    first = num_points(page)
    shows(page, lambda: num_points(page) > first + 2)
    visit.relay.cut()
    expect(page.get_by_text("Not live")).to_be_visible()
    job_id = the_job(server)
    before = num_figures(server, job_id)
    wait_until(lambda: num_figures(server, job_id) > before + 2, seconds=60)
    visit.relay.mend()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    shows(page, lambda: num_points(page) > before + 2)


def cancels_and_resumes(page: Any, server: Serving) -> None:
    """Cancelled, a job can be resumed, and then ends as if nothing had been."""
    from playwright.sync_api import expect

    job_id = the_job(server)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("Cancelled").first).to_be_visible()
    assert server.wait_for(job_id)["checkpoints"][0]["step_number"] < STEPS
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Succeeded").first).to_be_visible(timeout=180_000)
    shows(page, lambda: num_points(page) == num_figures(server, job_id))


def chats(page: Any) -> None:
    """The new model answers, piece by piece."""
    from playwright.sync_api import expect

    page.get_by_role("link", name="Try the model").click()
    page.get_by_label("Message").fill("Say 3.")
    with page.expect_response("**/v1/chat/completions") as asked:
        page.get_by_role("button", name="Send").click()
    assert asked.value.headers["content-type"].startswith("text/event-stream")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("tokens")


def compares(page: Any, report: Path) -> None:
    """The model is compared with its base, and the report kept."""
    from playwright.sync_api import expect

    page.get_by_role("link", name="Compare").first.click()
    form = page.locator("form").filter(has=page.get_by_role("button", name="Compare", exact=True))
    form.get_by_role("combobox", name="Data set").select_option(label=UNSEEN)
    form.get_by_label("Max new tokens").fill("8")
    form.get_by_text("How answers are judged").click()
    form.get_by_label("chrF").check()
    form.get_by_label("tag (2 groups)").check()
    form.get_by_role("button", name="Compare", exact=True).click()
    link = page.get_by_role("link", name="HTML report")
    expect(link).to_be_visible(timeout=180_000)
    page.get_by_label("Metric by tag").select_option(label="chrF")
    expect(page.get_by_role("region", name="chrF by tag")).to_contain_text("kind-1")
    with page.expect_download() as download:
        link.click()
    download.value.save_as(report)
    assert "<html" in report.read_text()


def the_job(server: Serving) -> str:
    """The id of the one job."""
    (job,) = server.ok("GET", "/v1/fine_tuning/jobs")["data"]
    return str(job["id"])


def num_figures(server: Serving, job_id: str) -> int:
    """How many steps the server has logged."""
    return len(server.job(job_id)["checkpoints"])


def num_points(page: Any) -> int:
    """How many losses the curve shows."""
    label = page.get_by_role("img", name=re.compile(r"^Loss: training")).get_attribute("aria-label")
    match = re.search(r"training from .* over (\d+) points", label)
    return int(match[1]) if match else 0


def shows(page: Any, look: Callable[[], bool]) -> None:
    """Wait until the page has come to show something, looked at again and again while the page goes on."""
    for _ in range(600):
        if look():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page did not come to show it")
