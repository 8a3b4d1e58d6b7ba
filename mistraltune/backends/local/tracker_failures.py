"""What a failing tracker does to a training: before its first step it ends it, afterwards it is told and left alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import wraps
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.tracker_servers import advice
from mistraltune.errors import TemporaryError

if TYPE_CHECKING:
    from mistraltune.runs import RunDir


def guard(callback: Any, *, name: str, run: RunDir) -> Any:
    """A tracker's callback that cannot end a training which has begun, and speaks on stderr.

    stdout holds a command's result alone. A tracker that cannot begin ends the training, exit 5: nothing is lost yet.
    One that fails later hears nothing more: a note says so at once, and another at the end.

    Args:
        callback: Of transformers; its methods are wrapped in place.
        name: Of the tracker.
        run: Hears the notes.
    """
    lost_since: list[int] = []

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(args: Any, state: Any, control: Any, **rest: Any) -> Any:
            is_end = method.__name__ == "on_train_end"
            if lost_since:
                if is_end:
                    run.emit("note", text=f"{name} has no figures after step {lost_since[0]}; {run.path} has all")
                return None
            try:
                with redirect_stdout(sys.stderr):
                    return method(args, state, control, **rest)
            except Exception as error:
                if method.__name__ == "on_train_begin":
                    raise TemporaryError(
                        f"training.report_to: {name} could not begin: {reason(error)}",
                        hint=advice(name),
                    ) from error
                lost_since.append(state.global_step)
                going_on = "" if is_end else "; training goes on without it"
                run.emit("note", text=f"warning: {name} failed at step {state.global_step}: {reason(error)}{going_on}")
                return None

        return call

    for method_name in dir(callback):
        if method_name.startswith("on_"):
            setattr(callback, method_name, guarded(getattr(callback, method_name)))
    return callback


def reason(error: Exception) -> str:
    """What went wrong, in a line."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
