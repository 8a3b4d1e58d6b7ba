"""Carries jobs from one status to the next: their processes started, watched, stopped and started again.

Whoever dies, nothing is lost: processes live in sessions of their own and write to files; what became of a job is read
from what its process left, a training's run directory above all, and from its last words.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

from mistraltune.runs import RunDir
from mistraltune.serve.commands import check_of, command_of
from mistraltune.serve.mapping import RUN_ID
from mistraltune.serve.outcomes import note, outcome_of_check, outcome_of_job, with_duration
from mistraltune.serve.processes import CHECK, JOB, Process, ending, find_processes, read_log, start
from mistraltune.serve.records import ENDED, JobRecord, Status, TrainingRecord
from mistraltune.serve.sharing import share_results
from mistraltune.serve.store import IllegalStepError, Kind, Store

PAUSE_SECONDS = 0.2
"""Between two looks at everything."""

LONG_PAUSE_SECONDS = 5.0
"""Likewise, after a failure."""

STOP_SECONDS = 10.0
"""How long processes may take to save when the server stops; one that takes longer goes on, and is adopted later."""

log = logging.getLogger("mistraltune.serve")


class Device(Protocol):
    """What jobs and loaded models share."""

    def make_room(self) -> bool:
        """Let go of loaded models; whether that is done. Called again until it is."""
        ...

    def give_back(self) -> None:
        """Models may be loaded again."""
        ...


class Supervisor:
    """The one thread that moves jobs, and what requests may ask of it.

    Args:
        store: The jobs.
        folder: Holds a folder for each job.
        max_parallel_jobs: So many jobs run at a time.
        device: What holds the models that answer.
    """

    def __init__(self, store: Store, folder: Path, device: Device, *, max_parallel_jobs: int = 1) -> None:
        self.store = store
        self.folder = folder
        self.max_parallel_jobs = max_parallel_jobs
        self.device = device
        self._processes: dict[str, Process] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    # The thread

    def start(self) -> None:
        """Find what an earlier server left, and begin."""
        self.adopt()
        self._thread.start()

    def stop(self) -> None:
        """Have the processes save and end; their jobs wait for the next start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            working = dict(self._processes)
            for process in working.values():
                process.ask_to_stop()
            deadline = time.monotonic() + STOP_SECONDS
            for job_id, process in working.items():
                if process.wait(max(0.0, deadline - time.monotonic())):
                    self.put_back(job_id)

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stopping.wait(pause):
            try:
                pause = PAUSE_SECONDS if self.step() else LONG_PAUSE_SECONDS
            except Exception:  # the store's disk may be full: a later look may find it better
                log.exception("the jobs could not be read")
                pause = LONG_PAUSE_SECONDS

    def step(self) -> bool:
        """Look at every job that has not ended, once; whether nothing went wrong."""
        jobs = self.store.open_jobs()
        is_well = True
        for job in jobs:
            try:
                with self._lock:
                    self.move(self.store.find_job(job.id, JobRecord) or job)
            except Exception:  # the others go on
                log.exception("job %s could not be moved", job.id)
                is_well = False
        if not any(job.status == Status.QUEUED and job.is_checked for job in jobs) and not self.num_running():
            self.device.give_back()
        return is_well

    def adopt(self) -> None:
        """Take over the living processes of a server that died, and bring the folders' copies up to date."""
        jobs = self.store.open_jobs()
        found = find_processes({job.id: self.commands_of(job) for job in jobs})
        for job in jobs:
            self.store.copy(job)
            process = found.get(job.id)
            if process is None:
                continue
            self._processes[job.id] = process
            if job.status == Status.CANCELLATION_REQUESTED:  # the server may have died before it asked
                process.ask_to_stop()
            if job.status == Status.QUEUED:  # the server died between starting it and saying so
                self.note_started(job, process)
            events = [note(f"process {process.mark.pid} found again; it goes on")]
            self.store.update_job(job, process=process.mark, events=events)

    # A job's way

    def move(self, job: JobRecord) -> None:
        """Take one job one step further, if it can go."""
        match job.status:
            case Status.QUEUED if isinstance(job, TrainingRecord) and not job.is_checked:
                if not any(other.status == Status.VALIDATING for other in self.store.open_jobs()):
                    self.start_check(job)
            case Status.QUEUED:
                if self.num_running() < self.max_parallel_jobs:
                    self.start_job(job)
            case Status.VALIDATING if isinstance(job, TrainingRecord) and not self.is_alive(job):
                self.finish_check(job)
            case Status.VALIDATED if isinstance(job, TrainingRecord) and job.is_started:
                self.store.update_job(job, status=Status.QUEUED)
            case Status.RUNNING | Status.CANCELLATION_REQUESTED:
                was_alive = self.is_alive(job)
                is_read = self.follow_log(job)
                if is_read and not was_alive:
                    self.finish(job)
            case _:
                pass

    def start_check(self, job: TrainingRecord) -> None:
        """Have the job's data checked and measured."""
        folder = self.folder / job.id
        process = start(check_of(folder), folder, CHECK)
        self._processes[job.id] = process
        self.store.update_job(job, status=Status.VALIDATING, process=process.mark)

    def finish_check(self, job: TrainingRecord) -> None:
        """Read what the check found."""
        self._processes.pop(job.id, None)
        status, events, changes = outcome_of_check(job, self.folder / job.id)
        if "plan" in changes:
            changes["plan"] = with_duration(changes["plan"], job.base, self.store, self.folder)
        self.store.update_job(job, status=status, events=events, process=None, **changes)

    def start_job(self, job: JobRecord) -> None:
        """Start the job's process, or continue its work, once the device is free."""
        if not self.device.make_room():
            return
        folder = self.folder / job.id
        share_results(job, self.store, self.folder)
        process = start(command_of(job, folder), folder, JOB)
        self._processes[job.id] = process
        self.note_started(job, process)

    def note_started(self, job: JobRecord, process: Process) -> None:
        """Write down that a process works on the job."""
        status = Status.RUNNING if job.is_checked else Status.VALIDATING
        self.store.update_job(job, status=status, process=process.mark, num_attempts=job.num_attempts + 1)

    def follow_log(self, job: JobRecord) -> bool:
        """Turn what the process has written since into events; whether that was all of it."""
        offset = self.store.log_offset(job.id)
        events, end = read_log(self.folder / job.id, offset=offset)
        if end > offset:
            self.store.add_events(job.id, [(event.pop("event"), event) for event in events], log_offset=end)
        return end == offset

    def finish(self, job: JobRecord) -> None:
        """Say what became of a job whose process has ended."""
        if isinstance(job, TrainingRecord) and RunDir(self.folder / job.id / RUN_ID).is_locked():
            return  # by a process that is not to be seen from here
        self._processes.pop(job.id, None)
        status, events, changes = outcome_of_job(job, self.folder / job.id)
        if self.num_running() == 1:  # before the end is told: whoever hears of it may ask the model at once
            self.device.give_back()
        self.store.update_job(job, status=status, events=events, process=None, **changes)

    # What requests ask for

    def cancel(self, job: Kind) -> Kind:
        """Stop a job; a running one saves first.

        Raises:
            IllegalStepError: It has ended otherwise.
        """
        with self._lock:
            job = self.store.find_job(job.id, type(job)) or job
            process = self._processes.get(job.id)
            if job.status in (Status.CANCELLED, Status.CANCELLATION_REQUESTED):
                return job
            if job.status == Status.RUNNING:
                job = self.store.update_job(job, status=Status.CANCELLATION_REQUESTED)
                if process:
                    process.ask_to_stop()
                return job
            job = self.store.update_job(job, status=Status.CANCELLED, process=None)
            if process:  # a check of data has nothing to save
                process.kill()
                del self._processes[job.id]
            return job

    def begin(self, job: TrainingRecord) -> TrainingRecord:
        """Let a checked job run; one that is being checked will.

        Raises:
            IllegalStepError: It runs, or has ended.
        """
        with self._lock:
            job = self.store.find_job(job.id, type(job)) or job
            if job.status == Status.VALIDATED:
                return self.store.update_job(job, status=Status.QUEUED, is_started=True)
            if job.status in (Status.QUEUED, Status.VALIDATING):
                return self.store.update_job(job, is_started=True)
            raise IllegalStepError(job.status)

    def num_running(self) -> int:
        """Jobs that have the device: their process has been started and has not ended."""
        return len(self.store.jobs(JobRecord, statuses=[Status.RUNNING, Status.CANCELLATION_REQUESTED]))

    # Details

    def is_alive(self, job: JobRecord) -> bool:
        """Whether the job's process works."""
        process = self._processes.get(job.id)
        return process is not None and process.is_alive()

    def commands_of(self, job: JobRecord) -> list[list[str]]:
        """What may be at work on a job."""
        folder = self.folder / job.id
        checks = [check_of(folder)] if isinstance(job, TrainingRecord) else []
        return [command_of(job, folder), *checks]

    def put_back(self, job_id: str) -> None:
        """Let a job whose process ended with the server go on at the next start, as if it had not been tried."""
        job = self.store.find_job(job_id, JobRecord)
        if job is None or job.status in ENDED:
            return
        while not self.follow_log(job):
            pass
        if job.status == Status.CANCELLATION_REQUESTED or ending(self.folder / job_id, JOB).result:
            self.finish(job)
            return
        events = [note("the server stopped; the job goes on when it starts again")]
        attempts = max(0, job.num_attempts - 1)
        self.store.update_job(job, status=Status.QUEUED, process=None, num_attempts=attempts, events=events)
