"""Figures A1, A3, A4: whatever an API and the line to it do, one upload, one job, each event told once."""

from __future__ import annotations

import io
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from clocks import FakeClock
from faulty_api import KEY, faulty_api, lab
from remote_jobs import Call, Fault, FaultyApi, RemoteJob
from strikes import Strike
from tallying import Tally
from trained_by_api import QUICK, train
from trials import Ended, ForkServer, Trial

from mistraltune.backends.api import launching
from mistraltune.backends.api.client import ApiClient
from mistraltune.backends.api.endpoints import find_endpoint
from mistraltune.backends.api.retrying import Retrier
from mistraltune.backends.api.watching import Watch
from mistraltune.errors import ExitCode, MistralTuneError
from mistraltune.runs import RunDir

NUM_SCHEDULES = 200
RETRY_AFTERS = (
    "3",
    "0",
    "-5",
    "nan",
    "abc",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "1e9",
    "inf",
    "Fri, 31 Dec 9999 00:00:00 GMT",
)
REFUSALS = (401, 403, 422)
A_LOOK = 60
"""Seconds until somebody gives the same command again."""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    """The API as endpoint `lab`."""
    with lab(tmp_path, monkeypatch) as served:
        yield served


@dataclass
class Faults:
    """A schedule: a third of the requests meet something, until it has been enough.

    Attributes:
        random: Decides.
        left: Faults still to come.
        refusals: Calls that were refused for good.
    """

    random: random.Random
    left: int
    refusals: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Fault | None:
        if not self.left or self.random.random() > 0.35:
            return None
        self.left -= 1
        fault = self.make(call)
        if fault.kind == "status" and fault.status in REFUSALS:
            self.refusals.append(call)
        return fault

    def make(self, call: Call) -> Fault:
        is_done = self.random.random() < 0.5
        kinds = ("status", "busy", "reset", "half", "html", "bad-json", "stall", "odd-status", "refusal")
        kind = self.random.choices(kinds, weights=(6, 6, 6, 4, 2, 2, 0.5, 1, 1))[0]
        match kind:
            case "busy":
                after = self.random.choices((*RETRY_AFTERS, None), weights=(4, 2, 1, 1, 1, 1, 0.3, 0.3, 0.3, 4))[0]
                return Fault("status", 429, retry_after=after)
            case "refusal":
                return Fault("status", self.random.choice(REFUSALS))
            case "status":
                return Fault("status", self.random.choice((500, 502, 503, 504, 408)), is_done=is_done)
            case "odd-status" if call.name not in ("GET job", "POST start"):
                return Fault("reset", is_done=is_done)
            case _:
                return Fault(kind, is_done=is_done or kind == "odd-status")


def broken_promises(api: FaultyApi, faults: Faults, codes: list[int]) -> list[str]:
    """What a schedule made go wrong that nothing may."""
    problems = []
    if len(api.jobs) != 1:
        problems.append(f"{len(api.jobs)} jobs")
    if [len(job.started_at) for job in api.jobs.values()] != [1]:
        problems.append("not started exactly once")
    if len(api.files) != 1:
        problems.append(f"{len(api.files)} uploads")
    if codes[-1] != 0:
        problems.append(f"never finished: {codes}")
    if unexpected := set(codes) - {0, ExitCode.API, ExitCode.TEMPORARY}:
        problems.append(f"exit codes {unexpected}")
    problems += hasty_calls(api.calls)
    for call in faults.refusals:
        following = api.calls[call.number + 1] if call.number + 1 < len(api.calls) else None
        if following and following.at < call.at + A_LOOK:
            problems.append(f"{call.name} was tried again after a refusal")
    if any(call.key != f"Bearer {KEY}" for call in api.calls):
        problems.append("a call without the key")
    return problems


def hasty_calls(calls: list[Call]) -> list[str]:
    """Calls that came sooner after a Retry-After than it asked for."""
    return [
        f"{after.name} came {after.at - before.at:.1f} s after Retry-After: 3"
        for before, after in pairwise(calls)
        if before.fault and before.fault.retry_after == "3" and after.at - before.at < 3
    ]


def try_schedule(api: FaultyApi, folder: Path, seed: int) -> list[str]:
    """A training under a seeded schedule of faults, its command given again for as long as it fails."""
    generator = random.Random(seed)
    faults = Faults(generator, left=generator.randint(1, 12))
    api.forget()
    api.schedule = faults
    codes: list[int] = []
    while (not codes or codes[-1] != 0) and len(codes) < 30:
        codes.append(train(api, folder / str(seed)))
        api.clock.sleep(A_LOOK)
    return broken_promises(api, faults, codes)


def test_a1_no_schedule_of_faults_makes_a_second_job_or_a_second_upload(
    api: FaultyApi, tally: Tally, tmp_path: Path, is_exhaustive: bool
) -> None:
    seeds = range(NUM_SCHEDULES if is_exhaustive else 25)
    problems = {f"seed {seed}": try_schedule(api, tmp_path / "runs", seed) for seed in seeds}
    tally("A1", "seeded schedules of faults: one upload, one job, started once, no call too early", problems)


def test_a1_the_checker_sees_a_client_that_does_not_look_before_it_repeats(
    api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "ensure_uploaded", lambda client, upload, *rest, **options: "file-0")
    monkeypatch.setattr(ApiClient, "jobs", lambda self, **filters: [])
    api.schedule = lambda call: Fault("reset", is_done=True) if call.name == "POST jobs" and not api.jobs else None
    api.files["file-0"] = ("rows.jsonl", 1)
    assert train(api, tmp_path / "run") == 0
    assert "2 jobs" in broken_promises(api, Faults(random.Random(0), left=0), [0])


def test_a_job_that_a_late_answer_made_beside_ours_is_cancelled_before_anything_starts(
    api: FaultyApi, tmp_path: Path
) -> None:
    twins: list[str] = []

    def schedule(call: Call) -> Fault | None:
        if call.name == "GET job" and not twins:  # the first POST, given up by its client, is done only now
            (first,) = api.jobs.values()
            twin = RemoteJob("job-late", dict(first.request), api.clock.at + 5, 30.0)
            api.jobs[twin.id] = twin
            twins.append(twin.id)
        return None

    api.schedule = schedule
    assert train(api, tmp_path / "run") == 0
    assert [job.id for job in api.started] == ["job-0"]
    assert api.jobs["job-late"].is_cancelled


def test_a3_a_watch_of_six_hours_over_fifty_cuts_tells_each_event_once(
    api: FaultyApi, tally: Tally, is_exhaustive: bool
) -> None:
    problems = {f"seed {seed}": watch_over_cuts(api, seed) for seed in range(20 if is_exhaustive else 1)}
    tally("A3", "watch of a 6-hour job over 50 cuts: at most 400 polls, each event and figure told once", problems)


def watch_over_cuts(api: FaultyApi, seed: int) -> list[str]:
    api.calls.clear()
    api.seconds, api.num_steps = 6 * 3600.0, 500
    job = RemoteJob("job-0", {"model": "m", "training_files": [], "hyperparameters": {}}, api.clock.at, api.seconds)
    job.num_looks, job.started_at = 3, [api.clock.at]
    api.jobs = {job.id: job}
    generator = random.Random(seed)
    cuts = set(generator.sample(range(300), 50))
    kinds = ("reset", "half", "status")
    api.schedule = lambda call: Fault(generator.choice(kinds), 503) if call.number in cuts else None
    client = ApiClient(find_endpoint("lab"), retry=Retrier(api.clock, seed=seed), patience=QUICK)
    told: list[tuple[str, Any]] = []
    began = api.clock.at
    last = Watch(client, job.id, tell=lambda event, **fields: told.append((event, fields))).follow(lambda: False)
    client.close()
    notes = Counter(fields["text"] for event, fields in told if event == "note")
    steps = [fields["step"] for event, fields in told if event == "step"]
    problems = [f"told {count} times: {text}" for text, count in notes.items() if count > 1]
    if len(notes) != 4:
        problems.append(f"{len(notes)} of 4 events told")
    if steps != list(range(1, 501)):
        problems.append("steps are missing, doubled or out of order")
    if len(api.calls) > 400:
        problems.append(f"{len(api.calls)} polls")
    if last.status != "SUCCESS" or api.clock.at - began - api.seconds > 100:
        problems.append("the end was seen late")
    if sum(call.fault is not None for call in api.calls) != 50:
        problems.append("not 50 cuts")
    return problems


def test_a4_a_redirect_is_never_followed_and_the_key_never_leaves(
    api: FaultyApi, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", "another-key-0123456789")
    chat = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    client = ApiClient(find_endpoint("lab"), retry=Retrier(api.clock), patience=QUICK)
    asks: dict[str, Callable[[], Any]] = {
        "list jobs": client.jobs,
        "create job": lambda: client.create_job({}),
        "look": lambda: client.look("one"),
        "start": lambda: client.start_job("one"),
        "cancel": lambda: client.cancel_job("one"),
        "list files": lambda: client.find_files("anything"),
        "upload": lambda: client.upload("rows.jsonl", io.BytesIO(b"{}")),
        "models": client.models,
        "delete model": lambda: client.delete_model("one"),
        "chat": lambda: client.chat(chat),
        "stream": lambda: list(client.chat_stream(chat).__enter__()),
    }
    with faulty_api(FakeClock()) as elsewhere:
        places = {"another host": elsewhere.url, "plain http": "http://api.example", "itself": api.url, "nothing": ""}
        problems = {
            f"{name}, {status} to {place}": redirected(api, elsewhere, ask, status, url)
            for name, ask in asks.items()
            for status in (301, 302, 303, 307, 308)
            for place, url in places.items()
        }
    client.close()
    tally("A4", "a redirect: exit 4 by one call, nothing sent elsewhere", problems)


def redirected(api: FaultyApi, elsewhere: FaultyApi, ask: Callable[[], Any], status: int, url: str) -> list[str]:
    api.calls.clear()
    api.schedule = lambda call: Fault("status", status, headers={"location": f"{url}{call.path}"})
    try:
        ask()
        return ["was followed"]
    except MistralTuneError as error:
        problems = [] if error.exit_code == ExitCode.API and "redirect" in error.message else [error.message]
    if len(api.calls) != 1 or elsewhere.calls:
        problems.append("a second call")
    return problems


# Killed


def test_a_kill_at_any_moment_and_the_same_command_again_make_one_job(
    server: ForkServer, rows: Path, api: FaultyApi, tally: Tally, tmp_path: Path, is_exhaustive: bool
) -> None:
    api.is_quick = True
    command = Command(server, api, rows / "train.jsonl")
    events = tmp_path / "events"
    assert (
        command.start(tmp_path / "whole", events=events, watched=tmp_path / "whole" / "outputs").wait().returncode == 0
    )
    num_events, num_calls = len(events.read_text().splitlines()), len(api.calls)
    files = [Strike(signal.SIGKILL, at_event=number) for number in range(1, num_events + 1)]
    requests = [(number, is_done) for number in range(num_calls) for is_done in (False, True)]
    step = 1 if is_exhaustive else 9
    problems = {f"event {strike.at_event}": command.killed_at_event(tmp_path, strike) for strike in files[::step]}
    tally("A1", "train api killed at a file event, then the same command: one upload, one job, started once", problems)
    problems = {f"request {moment}": command.killed_at_request(tmp_path, *moment) for moment in requests[::step]}
    tally("A1", "train api killed at a request, before or after it is done, then the same command: likewise", problems)


@dataclass(frozen=True)
class Command:
    """`train api` in forked processes."""

    server: ForkServer
    api: FaultyApi
    train_file: Path

    def start(self, folder: Path, **faults: Any) -> Trial:
        folder.mkdir(exist_ok=True)
        arguments = ("train", "api", "--endpoint", "lab", "--train-file", self.train_file, "--run-id", "run")
        env = {name: os.environ[name] for name in ("MISTRALTUNE_CONFIG_DIR", "LAB_API_KEY")}
        return self.server.start(*arguments, folder=folder, env=env, **faults)

    def killed_at_event(self, tmp_path: Path, strike: Strike) -> list[str]:
        self.api.forget()
        folder = tmp_path / f"event {strike.at_event}"
        return self.recover(folder, self.start(folder, strike=strike, watched=folder / "outputs").wait())

    def killed_at_request(self, tmp_path: Path, number: int, is_done: bool) -> list[str]:
        self.api.forget()
        folder = tmp_path / f"request {number} {is_done}"
        victims: SimpleQueue[int] = SimpleQueue()

        def schedule(call: Call) -> Fault | None:
            if call.number != number:
                return None
            os.kill(victims.get(timeout=60), signal.SIGKILL)
            return Fault("reset", is_done=is_done)

        self.api.schedule = schedule
        trial = self.start(folder)
        victims.put(trial.pid)
        ended = trial.wait()
        self.api.schedule = lambda call: None
        return self.recover(folder, ended)

    def recover(self, folder: Path, ended: Ended) -> list[str]:
        """Give the command again, twice; what is wrong then."""
        again = self.start(folder).wait()
        num_calls = len(self.api.calls)
        third = self.start(folder).wait()
        codes = (ended.returncode, again.returncode, third.returncode)
        return [
            *([] if codes == (-signal.SIGKILL, 0, 0) else [f"exit codes {codes}: {again.stderr}"]),
            *([] if len(self.api.jobs) == 1 else [f"{len(self.api.jobs)} jobs"]),
            *([] if [len(job.started_at) for job in self.api.jobs.values()] == [1] else ["not started once"]),
            *([] if len(self.api.files) == 1 else [f"{len(self.api.files)} uploads"]),
            *([] if RunDir(folder / "outputs" / "run").status == "finished" else ["not finished"]),
            *([] if len(self.api.calls) == num_calls else ["asked the API about a finished run"]),
        ]


def test_a_run_that_is_taken_up_again_tells_each_figure_once(api: FaultyApi, tmp_path: Path) -> None:
    broken = iter([True])
    api.schedule = lambda call: (
        Fault("status", 401)
        if api.started and api.clock.at > api.started[0].started_at[0] + 15 and next(broken, False)
        else None
    )
    assert train(api, tmp_path / "run") == ExitCode.API
    seen = len(RunDir(tmp_path / "run").history())
    assert 0 < seen < 5
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"event": "st')  # as a kill leaves it
    assert train(api, tmp_path / "run") == 0
    assert [entry["step"] for entry in RunDir(tmp_path / "run").history()] == [1, 2, 3, 4, 5]
