"""A process that has imported torch, transformers and TRL once, and forks a `mistraltune` command from itself.

It reads one JSON request a line and answers each with one line: `start` (see `trials.Request`) with the pid of the
trial, `wait` with how it ended. A trial is the real command line, `mistraltune.cli.app.main`, in a real process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import planted
from strikes import Strike, watch_files


def warm_up() -> None:
    """Import all that a training or an evaluation imports; one thread, as threads do not survive a fork."""
    import torch

    torch.set_num_threads(1)
    import mistraltune.backends.api.trainer
    import mistraltune.backends.local.chat_model
    import mistraltune.backends.local.sft
    import mistraltune.backends.local.trainer
    import mistraltune.cli.app
    import mistraltune.data.rendering
    import mistraltune.evaluation.running
    import mistraltune.training  # noqa: F401
    from mistraltune.backends.local.loading import quiet_libraries

    quiet_libraries()


def serve() -> None:
    """Answer requests until the input ends."""
    warm_up()
    for line in sys.stdin:
        request = json.loads(line)
        answer = start(request) if request["do"] == "start" else wait(request["pid"])
        sys.__stdout__.write(json.dumps(answer) + "\n")
        sys.__stdout__.flush()


def start(request: dict[str, Any]) -> dict[str, int]:
    """Fork a trial."""
    pid = os.fork()
    if pid == 0:
        become(request)
    return {"pid": pid}


def wait(pid: int) -> dict[str, int]:
    """How a trial ended: its exit code, or the negative number of the signal that ended it."""
    return {"returncode": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def become(request: dict[str, Any]) -> NoReturn:
    """Be the requested command, and never return into the server."""
    code = 1
    try:
        prepare(request)
        from mistraltune.cli.app import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def prepare(request: dict[str, Any]) -> None:
    """The place, the streams, the limits and the faults of a trial."""
    os.setsid()  # whatever it leaves alive can be found by its session
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    os.chdir(request["folder"])
    os.environ.update(request["env"])
    redirect(0, os.devnull, os.O_RDONLY)
    redirect(1, request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    redirect(2, request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sys.argv = ["mistraltune", *request["arguments"]]
    if request["num_threads"] != 1:
        import torch

        torch.set_num_threads(request["num_threads"])
    if request["plant"]:
        getattr(planted, request["plant"])()
    if request["file_limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"], resource.RLIM_INFINITY))
    if request["watched"]:
        strike = Strike(**request["strike"]) if request["strike"] else None
        watch_files(Path(request["watched"]), log=Path(request["events"]), strike=strike)


def redirect(descriptor: int, path: str, flags: int) -> None:
    opened = os.open(path, flags, 0o644)
    os.dup2(opened, descriptor)
    os.close(opened)


if __name__ == "__main__":
    serve()
