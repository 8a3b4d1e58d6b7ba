"""What the processes of a team do beside training: the first leads, the others follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mistraltune.backends.local.sharding import hidden_from_libraries
from mistraltune.backends.local.trainer import LocalTrainer, Task
from mistraltune.runs import Event, RunDir


def follow(*, on_event: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
    """What every process but the leader does: wait for a task, train it with the others, write nothing.

    Args:
        on_event: Hears what happens.
        should_stop: Asked after every step; a stop of one is a stop of all.

    Raises:
        OtherProcessFailed: The training failed or was stopped, as another process has told.
    """
    from mistraltune.backends.local.team import own_team
    from mistraltune.backends.local.telling import telling_once

    team = own_team()
    with telling_once(team), hidden_from_libraries():
        if not team.is_called():
            return
        task: Task = team.share(None)
        run = RunDir(task.run_path, on_event=on_event, should_stop=should_stop, keeps_metrics=False)
        LocalTrainer(task.config, task.formation).train_with(team, task.train, task.validation, run)


@contextmanager
def leading() -> Iterator[None]:
    """Around all that the leader does: the others learn how it ends, also where it trains nothing."""
    from mistraltune.backends.local.team import own_team
    from mistraltune.backends.local.telling import telling_once

    team = own_team()
    try:
        with telling_once(team):
            yield
    finally:
        team.dismiss()
