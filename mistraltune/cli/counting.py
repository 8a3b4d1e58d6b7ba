"""Progress of work that is counted in rows: a bar on a terminal, a line every tenth elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from mistraltune.cli.console import note, stderr

if TYPE_CHECKING:
    from rich.progress import Progress


class CountingProgress:
    """Shows on stderr how far a counted task is; a new text begins a new task."""

    def __init__(self) -> None:
        self._text = ""
        self._tenths = 0
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        """Nothing is drawn before the first count."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, whatever happened."""
        self.stop()

    def __call__(self, text: str, num_done: int, num_total: int) -> None:
        """Show that `num_done` of `num_total` are done; a total of 0 stands for work that cannot be counted."""
        if text != self._text:
            self.stop()
            self._text = text
            self._tenths = 0
            note(f"{text} ...")
        if num_total == 0:
            return
        if stderr().is_terminal:
            self._draw(num_done, num_total)
        elif num_done * 10 // num_total > self._tenths:
            self._tenths = num_done * 10 // num_total
            note(f"{num_done}/{num_total}")

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
