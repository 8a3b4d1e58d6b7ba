"""A run's events as a person sees them: a live line on a terminal, plain lines elsewhere, JSON lines for scripts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mistraltune.cli.console import note, stderr, write_event
from mistraltune.cli.counting import CountingProgress
from mistraltune.cli.pacing import Pace
from mistraltune.cli.sparkline import sparkline

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mistraltune.runs import Event

STEP_FIGURES = {"loss": ("loss", ".4f"), "learning_rate": ("lr", ".2e"), "tokens_per_second": ("tok/s", ".0f")}
"""What a step event tells, with its label and format."""

NUM_LINES = 100
"""So many steps of a training, about, have a line where there is no terminal; and as many validations."""

BAR_FIGURES = ("loss", "val loss", "lr", "tok/s")
"""What stands beside the bar, the most telling first; a narrow terminal has no room for all, and the end tells them."""
NUM_GAPS = 6
"""Between the columns of the bar's line."""
SHORTEST_COURSE, LONGEST_COURSE = 5, 20
"""Characters that show how the loss went."""

MEMORY_PARTS = ("weights", "adapters", "optimizer", "activations", "process")
"""Of an estimate of memory."""


class RunProgress:
    """Listens to a run (`on_event`) and shows it on stderr.

    Args:
        as_json: Write each event as one JSON line instead.
        leave_out: Events that are not shown to people, for they are part of the result.
    """

    def __init__(self, *, as_json: bool = False, leave_out: Collection[str] = ()) -> None:
        self.as_json = as_json
        self.leave_out = leave_out
        self.num_steps = 0
        self.figures: dict[str, str] = {}
        self.losses: list[float] = []
        self.counting = CountingProgress(as_json=as_json)
        self.pace = Pace(num_lines=NUM_LINES)
        self.validation_pace = Pace(num_lines=NUM_LINES)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Nothing is drawn before the first event."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Leave the terminal as it was, whatever happened."""
        self.counting.stop()
        self.stop_bar()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        name = event["event"]
        if name == "progress":
            self.show_progress(event)
        elif self.as_json and name != "tick":  # logged steps are enough for a script
            write_event(event)
        elif not self.as_json and name not in self.leave_out and (show := getattr(self, f"show_{name}", None)):
            show(event)

    def show_phase(self, event: Event) -> None:
        """What is being done."""
        self.counting.stop()
        note(f"{event['text']} ...")

    def show_note(self, event: Event) -> None:
        """Something to know."""
        note(event["text"])

    def show_progress(self, event: Event) -> None:
        """How far the preparation of the data, or its upload, is."""
        self.counting(event.get("what", "tokenising"), event["done"], event["total"])

    def show_data(self, event: Event) -> None:
        """What of the data is used."""
        self.counting.stop()
        note(describe_data(event["name"], event))

    def show_preview(self, event: Event) -> None:
        """What the training will take."""
        for line in describe_footprint(event):
            note(line)

    def show_model(self, event: Event) -> None:
        """What is trained, and how the rest is held."""
        share = 100 * event["num_trainable"] / (event["num_weights"] + event["num_trainable"])
        note(
            f"{event['num_adapters']} adapters, {event['num_trainable']:,} trainable weights ({share:.2f} %); "
            f"{event['quantised_share']:.1%} of the base quantised; {event['dtype']} on {event['device']}"
        )

    def show_begin(self, event: Event) -> None:
        """Start the bar."""
        self.counting.stop()
        self.num_steps = event["num_steps"] or 0  # which an API may keep to itself
        self.pace = Pace(num_lines=NUM_LINES)
        self.validation_pace = Pace(num_lines=NUM_LINES)
        if not stderr().is_terminal:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        bar = BarColumn(bar_width=bar_width())
        columns = (TextColumn("training"), bar, MofNCompleteColumn(), TextColumn("{task.fields[figures]}"))
        self._bar = Progress(*columns, TextColumn("eta"), TimeRemainingColumn(), console=stderr(), transient=True)
        self._task = self._bar.add_task("training", total=self.num_steps or None, completed=event["step"], figures="")
        self._bar.start()

    def show_tick(self, event: Event) -> None:
        """Move the bar by a step; elsewhere logged steps are told, and where these are rare that it goes on."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=event["step"])
        elif self.pace.has_been_silent():
            note(f"step {self.place(event)} ...")

    def show_step(self, event: Event) -> None:
        """The figures of a logged step; a backend tells those that it knows."""
        self.figures |= {label: format(event[key], spec) for key, (label, spec) in STEP_FIGURES.items() if key in event}
        self.losses.append(event["loss"])
        if self._bar and self._task is not None:
            self.update_bar(event["step"])
            return
        if not self.pace.is_due(event["step"], self.num_steps) and len(self.losses) > 1:
            return
        line = f"step {self.place(event)}  {join_figures(self.figures)}"
        if "seconds" in event and self.num_steps:
            per_step = event["seconds"] / event["step"]
            line += f"  eta {timedelta(seconds=round(per_step * (self.num_steps - event['step'])))}"
        note(line)

    def show_validation(self, event: Event) -> None:
        """The validation loss."""
        is_first = "val loss" not in self.figures
        self.figures["val loss"] = f"{event['val_loss']:.4f}"
        if self._bar and self._task is not None:
            self.update_bar(event["step"])
        elif self.validation_pace.is_due(event["step"], self.num_steps) or is_first:
            note(f"step {self.place(event)}  validation loss {event['val_loss']:.4f}")

    def show_end(self, event: Event) -> None:
        """Take the bar away, and draw how the loss went."""
        self.stop_bar()
        if len(self.losses) > 1:
            note(f"loss {self.losses[0]:.4f} {sparkline(self.losses)} {self.losses[-1]:.4f}")

    def place(self, event: Event) -> str:
        """Which step of how many, where that is known."""
        return f"{event['step']}/{self.num_steps}" if self.num_steps else str(event["step"])

    def update_bar(self, step: int) -> None:
        """Redraw the bar with the newest figures."""
        if self._bar and self._task is not None:
            reached = max(step, self._bar.tasks[0].completed)  # figures of steps that were passed may come late
            self._bar.update(self._task, completed=reached, figures=self.fitting_figures())

    def fitting_figures(self) -> str:
        """What of the newest figures stands beside the bar: losses first, and how the loss went where there is room."""
        counts = 2 * len(f"{self.num_steps}") + 1
        room = stderr().width - len("training") - bar_width() - counts - len("eta 00:00:00") - NUM_GAPS
        shown: dict[str, str] = {}
        for name in (name for name in BAR_FIGURES if name in self.figures):
            more = shown | {name: self.figures[name]}
            shown = more if len(join_figures(more)) <= room else shown
        text = join_figures(shown)
        room -= len(text) + 1
        return f"{text} {sparkline(self.losses, width=min(LONGEST_COURSE, room))}" if room >= SHORTEST_COURSE else text

    def stop_bar(self) -> None:
        """Take the bar away and leave its last figures as a line."""
        if not self._bar:
            return
        self._bar.stop()
        self._bar = None
        if self.figures:
            note(f"training: {join_figures(self.figures)}")


def bar_width() -> int:
    """Columns of the bar."""
    return max(8, min(40, stderr().width // 5))


def join_figures(figures: dict[str, str]) -> str:
    """`loss 0.1234  lr 1.0e-04` and so on."""
    return "  ".join(f"{name} {value}" for name, value in figures.items())


def describe_data(name: str, figures: dict[str, Any]) -> str:
    """One line on a data set: rows, and where they were rendered tokens, what is trained, what was left out and why."""
    if "num_tokens" not in figures:
        return f"{name}: {figures['num_rows']:,} rows"
    share = 100 * figures["num_trained_tokens"] / max(figures["num_tokens"], 1)
    line = (
        f"{name}: {figures['num_rows'] - figures['num_dropped']:,} rows, {figures['num_sequences']:,} sequences, "
        f"{figures['num_tokens']:,} tokens, {figures['num_trained_tokens']:,} trained ({share:.1f} %), "
        f"longest {figures['longest']:,}"
    )
    for what in ("dropped", "truncated"):
        if figures.get(f"num_{what}"):
            line += f"; {figures[f'num_{what}']:,} rows {what} as too long"
    return line


def describe_footprint(figures: dict[str, Any]) -> list[str]:
    """What a training takes of memory, and whether that is free; and of disk."""
    lines = []
    if memory := figures.get("memory"):
        parts = ", ".join(f"{name} {amount(memory[f'{name}_bytes'])}" for name in MEMORY_PARTS)
        free = memory["free_bytes"]
        num_processes = memory["num_processes"]
        each = f" in each of {num_processes} processes" if num_processes > 1 else ""
        shards = ", the base in shards" if memory["is_sharded"] else ""
        line = (
            f"memory: about {amount(memory['total_bytes'])} on the {memory['device'].upper()}{each} ({parts}{shards})"
        )
        line += "" if free is None else f", {amount(free)} free{' for it' if each else ''}"
        lines.append(line)
        if free is not None and free < memory["total_bytes"]:
            lines.append("memory: that is more than is free; the longest batch is tried before the first step")
    if disk := figures.get("disk"):
        lines.append(f"disk: about {amount(disk['needed_bytes'])}, {amount(disk['free_bytes'])} free")
    return lines


def amount(num_bytes: int) -> str:
    """`1.5 GiB`, `80 MiB`."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.0f} MiB"
