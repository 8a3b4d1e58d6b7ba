"""Progress of work that is counted: a bar on a terminal, a line every tenth elsewhere, events for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from mistraltune.cli.console import note, stderr, write_event
from mistraltune.cli.pacing import Pace

if TYPE_CHECKING:
    from rich.progress import Progress


class CountingProgress:
    """Shows on stderr how far a counted task is; a new text begins a new task.

    Args:
        as_json: Write `progress` events instead, one JSON object a line: `text`, `done` and `total`, about a hundred
            for a task; a total of 0 stands for work that cannot be counted.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._text = ""
        self._pace = self._new_pace()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        """Nothing is drawn before the first count."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, whatever happened."""
        self.stop()

    def __call__(self, text: str, num_done: int, num_total: int) -> None:
        """Show that `num_done` of `num_total` are done; a total of 0 stands for work that cannot be counted."""
        is_new = text != self._text
        if is_new:
            self.stop()
            self._text = text
            self._pace = self._new_pace()
        if self.as_json:
            if self._pace.is_due(num_done, num_total) or is_new:
                write_event({"event": "progress", "text": text, "done": num_done, "total": num_total})
            return
        if is_new:
            note(f"{text} ...")
        if num_total == 0:
            return
        if stderr().is_terminal:
            self._draw(num_done, num_total)
        elif self._pace.is_due(num_done, num_total):
            note(f"{num_done:,}/{num_total:,}")

    def _new_pace(self) -> Pace:
        return Pace(num_lines=100 if self.as_json else 10)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
        self._bar = None

    def _draw(self, num_done: int, num_total: int) -> None:
        if not self._bar:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=stderr(), transient=True
            )
            self._bar.add_task("", total=num_total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=num_done)
