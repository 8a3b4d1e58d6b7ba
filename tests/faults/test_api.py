"""Figures A1, A3, A4: whatever an API and the line to it do, one upload, one job, each event told once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from faulty_api import KEY, Call, FakeClock, Fault, FaultyApi, faulty_api, write_endpoints
from tallying import Tally

from mistraltune.backends.api import ApiOptions
from mistraltune.backends.api.connection import Patience
from mistraltune.backends.api.endpoints import find_endpoint
from mistraltune.backends.api.trainer import ApiTrainer
from mistraltune.config import train_config_type
from mistraltune.data.conversation import Conversation, Message
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
TOO_LONG = ("1e9", "inf", "Fri, 31 Dec 9999 00:00:00 GMT")
REFUSALS = (401, 403, 422)
A_LOOK = 60
"""Seconds until somebody gives the same command again."""

QUICK = Patience(connect=5, read=0.3, whole=2)
ROWS = [Conversation((Message("user", f"Say {n}."), Message("assistant", f"It is {n}."))) for n in range(3)]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    """The API as endpoint `lab`."""
    monkeypatch.chdir(tmp_path)
    with faulty_api(FakeClock()) as served:
        monkeypatch.setenv("MISTRALTUNE_CONFIG_DIR", str(write_endpoints(tmp_path / "config", lab=served.url)))
        monkeypatch.setenv("LAB_API_KEY", KEY)
        yield served


def trainer(api: FaultyApi) -> ApiTrainer:
    config_type = train_config_type("api", ApiOptions)
    config = config_type.model_validate(
        {"model": "open-mistral-7b", "data": {"train_file": "rows.jsonl"}, "api": {"endpoint": "lab"}}
    )
    return ApiTrainer(config, find_endpoint("lab"), clock=api.clock, patience=QUICK)


def train(api: FaultyApi, folder: Path, events: list[dict[str, Any]] | None = None) -> int:
    """One command: begin the run, or go on with it. Its exit code."""
    run = RunDir(folder, on_event=(events if events is not None else []).append)
    with run.locked():
        if not run.metadata:
            run.begin({}, config={}, facts={})
        try:
            result = trainer(api).train(ROWS, (), run)
        except MistralTuneError as error:
            return int(error.exit_code)
        assert result is not None
        run.finish(result)
    return 0


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
    api.files.clear()
    api.jobs.clear()
    api.calls.clear()
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
