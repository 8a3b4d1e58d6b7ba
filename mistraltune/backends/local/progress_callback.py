"""What a training tells of itself step by step, and how the wish to stop it reaches it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from mistraltune.backends.local.counts import Counts
from mistraltune.backends.local.warm_up import warm_up
from mistraltune.errors import DivergedError

if TYPE_CHECKING:
    from mistraltune.backends.local.sft import RunTrainer


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Turns the trainer's calls into events of the run, and the run's wish to stop into the trainer's."""

    def __init__(self, trainer: RunTrainer) -> None:
        self.trainer = trainer
        self.last_seconds = 0.0
        self.validated_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Find out whether the longest batch fits, and tell how far there is to go."""
        warm_up(self.trainer, self.trainer.data_collator.conversations)
        self.trainer.is_warm = True
        self.last_seconds = self.trainer.totals["seconds"]
        self.trainer.run.emit("begin", step=state.global_step, num_steps=state.max_steps)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock, once the trackers have begun their runs too."""
        self.trainer.mark = self.trainer.mark or time.perf_counter()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell that no step comes any more."""
        self.trainer.run.emit("end", step=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Save where a stop is wanted; log where something is saved, so that a checkpoint has its figures."""
        self.trainer.count_time()
        self.trainer.run.emit("tick", step=state.global_step)
        if self.trainer.team.agrees(self.trainer.run.stop_requested):
            control.should_save = True
            control.should_training_stop = True
        # At the end of an epoch, a checkpoint comes after the validation: one that came before would lack its figure,
        # and a run that continues from there would draw other random numbers.
        if args.eval_strategy == "epoch" and control.should_save and float(state.epoch).is_integer():
            control.should_evaluate = True
        control.should_log = control.should_log or control.should_save or control.should_evaluate
        return control

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Save what is the best so far, and the state in which training ends early."""
        self.validated_step = state.global_step
        if self.trainer.best_step == state.global_step:
            control.should_save = True
        if self.trainer.has_converged:
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Likewise at the end of an epoch, which is validated once; where a stop cuts it short, it has not ended.

        A validation there would keep whoever stops waiting, and count in a run that continues as none counts without.
        """
        is_cut = state.global_step < state.max_steps and not float(state.epoch).is_integer()
        is_validated = self.validated_step == state.global_step
        control.should_evaluate = control.should_evaluate and not is_cut and not is_validated
        control.should_log = control.should_log or control.should_save or control.should_evaluate
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """One step event, with the mean loss and the speed since the last one."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs.get("grad_norm", 0.0)):
            raise DivergedError(
                f"the loss is no number any more at step {state.global_step}",
                hint="lower training.learning_rate, or look for odd rows with `mistraltune data show`",
            )
        seen, self.trainer.unlogged = self.trainer.unlogged, Counts()
        num_tokens, num_trained, num_correct = self.trainer.team.sum([seen.tokens, seen.trained, int(seen.correct)])
        totals = self.trainer.totals
        totals["tokens"] += num_tokens
        totals["trained_tokens"] += num_trained
        seconds = totals["seconds"] - self.last_seconds
        speed = num_tokens / seconds if seconds else 0.0
        accuracy = num_correct / max(num_trained, 1)
        self.last_seconds = totals["seconds"]
        self.trainer.run.emit(
            "step",
            step=state.global_step,
            epoch=round(float(state.epoch or 0), 4),
            loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]),
            grad_norm=float(logs.get("grad_norm", 0.0)),
            accuracy=accuracy,
            tokens_per_second=round(speed, 1),
            seconds=round(totals["seconds"], 3),
            tokens=int(totals["tokens"]),
            trained_tokens=int(totals["trained_tokens"]),
        )
