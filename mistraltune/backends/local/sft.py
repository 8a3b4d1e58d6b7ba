"""TRL's SFTTrainer, with what a run directory needs changed: exact validation, whole checkpoints, our own events."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import DataLoader, SequentialSampler
from transformers import PrinterCallback, ProgressCallback, TrainerCallback, TrainerState
from trl import SFTConfig, SFTTrainer

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.batching import IGNORED, Batch, ConversationCollator, as_dataset, split_passes
from mistraltune.backends.local.dealing import DealtBatches
from mistraltune.backends.local.log_probs import TrainedTokens, score_trained_tokens
from mistraltune.backends.local.packing import CPU_PASS_LENGTH
from mistraltune.backends.local.team import Team
from mistraltune.backends.local.trackers import PROJECT, tracker_callbacks
from mistraltune.backends.local.validations import Validation, find_best, num_since_lower, read_validations
from mistraltune.backends.local.warm_up import warm_up
from mistraltune.config import TrainingConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import DivergedError
from mistraltune.interfaces import Renderer
from mistraltune.runs import RunDir

TOTALS = ("seconds", "tokens", "trained_tokens")
"""Running sums that every step event carries, so that a continued run goes on counting where it was cut."""

WHOLE = 2**31
"""On a GPU the whole micro-step, whose size is the user's, is one pass."""

UNWANTED_IN_CHECKPOINTS = ("training_args.bin", "README.md")
"""A pickle that can hold the Hub token in clear, and a card about nothing yet."""


class RunTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains on the conversations of a run, with the other processes of its team, and reports to it.

    Args:
        model: A PEFT model whose adapters are in float32.
        config: The run's configuration.
        renderer: Tokenizer and template of the model.
        tokenizer: Any transformers tokenizer; TRL wants one, ready-made batches never use it.
        train: Training conversations.
        validation: Validation conversations; may be empty.
        run: Where checkpoints and events go.
        team: The processes that share each step.
        details: Facts about the model, see `describe`.
    """

    def __init__(  # noqa: PLR0913 - each is a noun of its own
        self,
        *,
        model: Any,
        config: LocalTrainConfig,
        renderer: Renderer,
        tokenizer: Any,
        train: Sequence[Conversation],
        validation: Sequence[Conversation],
        run: RunDir,
        team: Team,
        details: dict[str, Any],
    ) -> None:
        self.data_collator: ConversationCollator
        self.control: Any
        self.run = run
        self.team = team
        self.details = details
        self.training_config = config.training
        self.mark = 0.0
        self.validations: list[Validation] = []
        self.is_warm = False
        self.totals = dict.fromkeys(TOTALS, 0.0)
        self.unlogged = Counts()
        pass_length = find_pass_length(config)
        self.validation_collator = ConversationCollator(validation, renderer, pass_length)
        super().__init__(
            model=model,
            args=sft_config(config, run, has_validation=bool(validation)),
            data_collator=ConversationCollator(train, renderer, pass_length),
            train_dataset=as_dataset(train),
            eval_dataset=as_dataset(validation) if validation else None,
            processing_class=tokenizer,
            callbacks=[RunCallback(self), *(tracker_callbacks(config, run) if team.is_leader else ())],
        )
        # The team averages the gradients of the few trained weights once a step, however many passes a process had.
        # DistributedDataParallel, which accelerate would wrap around, counts on a last pass in every process.
        self.accelerator.prepare_model = partial(self.accelerator.prepare_model, evaluation_mode=True)
        score_trained_tokens(model.get_base_model())
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        # TRL rounds the adapters of a quantised model to bf16, in which an update of 2e-4 is often smaller than the
        # spacing of the numbers; the optimizer works on float32 weights here.
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    def _send_telemetry(self) -> None:
        """Send nothing: whoever imported huggingface_hub before us has decided the variable that turns this off."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The learning rate's course; a warm-up shorter than a step is none, where transformers would round it up.

        Rounded up, a run of one step would have a learning rate of 0 and train nothing.
        """
        self.args.warmup_steps = int(self.training_config.warmup_fraction * num_training_steps)
        self.args.lr_scheduler_kwargs = schedule_options(self.training_config, num_steps=num_training_steps)
        return super().create_scheduler(num_training_steps, optimizer)

    @property
    def place(self) -> str:
        """What is being done, in words."""
        return f"in step {self.state.global_step + 1}" if self.is_warm else "on the longest batch, before step 1"

    def count_time(self) -> None:
        """Add the time since the last mark to the training loop's."""
        now = time.perf_counter()
        self.totals["seconds"] += now - self.mark
        self.mark = now

    def continue_counting(self, step: int) -> None:
        """Take over the run's sums as they stood at `step`, so that the figures cover the whole run."""
        history = [event for event in self.run.history() if event["step"] <= step]
        self.validations = read_validations(history)
        events = [event for event in history if event["event"] == "step"]
        if events:
            self.totals = {name: float(events[-1][name]) for name in TOTALS}

    def stand_at(self, checkpoint: Path) -> None:
        """Take over the adapters and the count of steps of a checkpoint, without training on."""
        self.take_adapters(checkpoint)
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def take_adapters(self, checkpoint: Path) -> None:
        """Put the adapters of a checkpoint in the place of the model's."""
        self._load_from_checkpoint(str(checkpoint))

    @property
    def has_converged(self) -> bool:
        """Whether the validation loss has not become lower for as long as the configuration allows."""
        patience = self.training_config.early_stopping_patience
        min_delta = self.training_config.early_stopping_min_delta
        return patience is not None and num_since_lower(self.validations, min_delta=min_delta) >= patience

    @property
    def best_step(self) -> int | None:
        """The step whose checkpoint is kept for its validation loss, if one is."""
        best = find_best(self.validations) if self.training_config.load_best_model_at_end else None
        return best.step if best else None

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward through the passes of one micro-step, its tokens counted."""
        self.unlogged.tokens += inputs["input_ids"].numel()
        self.unlogged.trained += int((inputs["labels"] != IGNORED).sum())
        step = super().training_step
        losses = [step(model, one_pass, num_items_in_batch) for one_pass in split_passes(inputs)]
        return torch.stack(losses).sum() if losses else torch.zeros((), device=self.args.device)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The pass's share of the loss in nats per trained token of the whole step, all devices and passes together."""
        scores: TrainedTokens = model(**inputs)
        self.unlogged.correct = self.unlogged.correct + scores.is_top1.sum().cpu()
        # The gradients of several devices are averaged, while the count covers all of them.
        loss: torch.Tensor = -scores.log_probs.sum() / num_items_in_batch * self.accelerator.num_processes
        return loss

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Validation loss in nats per trained token, over all tokens alike.

        transformers averages the means of its batches, which weighs a token in a small batch more.
        """
        started = time.perf_counter()
        was_training = self.model.training
        self.model.eval()
        sums = torch.zeros(3, dtype=torch.float64, device=self.args.device)
        training_collator, self.data_collator = self.data_collator, self.validation_collator
        with torch.no_grad(), self.compute_loss_context_manager():
            for batch in self.get_eval_dataloader():
                for one_pass in split_passes(self._prepare_inputs(batch)):
                    scores: TrainedTokens = self.model(**one_pass)
                    sums += torch.stack(
                        [
                            -scores.log_probs.double().sum(),
                            scores.is_top1.sum(dtype=torch.float64),
                            torch.tensor(len(scores.is_top1)).to(sums),
                        ]
                    )
        self.data_collator = training_collator
        self.model.train(was_training)
        loss, correct, count = self.accelerator.reduce(sums).tolist()
        metrics = {f"{metric_key_prefix}_loss": loss / count, f"{metric_key_prefix}_accuracy": correct / count}
        seconds = time.perf_counter() - started
        self.run.emit(
            "validation",
            step=self.state.global_step,
            val_loss=loss / count,
            val_accuracy=correct / count,
            seconds=round(seconds, 3),
        )
        self.validations.append(Validation(self.state.global_step, loss / count))
        self.log(dict(metrics))  # to the trackers
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self.mark = time.perf_counter()  # validation is not training
        return metrics

    def get_train_dataloader(self) -> DataLoader[Any]:
        """This process's share of the training rows, in an order that the seed and the epoch decide."""
        return self.deal(self.train_dataset, SeedableRandomSampler(self.train_dataset, data_seed=self.args.data_seed))

    def get_eval_dataloader(self, *_: Any) -> DataLoader[Any]:
        """This process's share of the validation rows."""
        return self.deal(self.eval_dataset, SequentialSampler(self.eval_dataset))

    def deal(self, dataset: Any, order: Any) -> DataLoader[Any]:
        """The batches of a data set, in that order, that are this process's."""
        batches = DealtBatches(
            order,
            batch_size=self.args.per_device_train_batch_size,
            rank=self.team.rank,
            num_processes=self.team.size,
        )
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip the step's gradients, once they are those of the whole team."""
        self.team.average_gradients(parameter for parameter in model.parameters() if parameter.requires_grad)
        return super()._clip_grad_norm(model)

    def store_flos(self) -> None:
        """Count no operations: nobody reads them, and their sum is a call that all processes must make."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Publish a checkpoint whole, with a manifest; transformers writes it in place, where a kill leaves half.

        The leader writes it, with the generators' states of everybody.
        """
        states = self.team.gather(b"" if self.team.is_leader else self.random_state())
        if self.team.is_leader:
            self.publish_checkpoint(model, trial, states)
        self.mark = time.perf_counter()  # nor is saving

    def random_state(self) -> bytes:
        """The states of this process's random generators, as transformers writes them."""
        with tempfile.TemporaryDirectory() as folder:
            self._save_rng_state(folder)
            return Path(folder, random_state_name(self.team.rank)).read_bytes()

    def publish_checkpoint(self, model: Any, trial: Any, random_states: Sequence[bytes]) -> None:
        """Write and publish a checkpoint, with the given states of the other processes."""
        step = self.state.global_step
        with self.run.publish_checkpoint(step) as staging:
            self.args.output_dir = str(staging)
            super()._save_checkpoint(model, trial)
            written = staging / f"checkpoint-{step}"
            for file in written.iterdir():
                if file.name not in UNWANTED_IN_CHECKPOINTS:
                    file.rename(staging / file.name)
            for leftover in written.iterdir():
                leftover.unlink()
            written.rmdir()
            for name in UNWANTED_IN_CHECKPOINTS:  # TRL writes a second card beside the checkpoint
                (staging / name).unlink(missing_ok=True)
            for rank, state in enumerate(random_states[1:], start=1):
                (staging / random_state_name(rank)).write_bytes(state)
        self.args.output_dir = str(self.run.path)
        self.run.drop_old_checkpoints(keep=self.training_config.keep_checkpoints, spare=self.best_step)
        self.run.emit("checkpoint", step=step)


@dataclass
class Counts:
    """What this process has seen since the last log.

    Attributes:
        tokens: All tokens.
        trained: Those that carry loss.
        correct: Those of them that were the model's first choice, a tensor without dimensions.
    """

    tokens: int = 0
    trained: int = 0
    correct: torch.Tensor = field(default_factory=lambda: torch.tensor(0))


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
        """Likewise at the end of an epoch, which is validated once."""
        control.should_evaluate = control.should_evaluate and self.validated_step != state.global_step
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


def random_state_name(rank: int) -> str:
    """The file of a checkpoint in which transformers looks for a process's generators, where there are several."""
    return f"rng_state_{rank}.pth"


def sft_config(config: LocalTrainConfig, run: RunDir, *, has_validation: bool) -> SFTConfig:
    """The run's configuration in TRL's words; everything that TRL would do to ready-made data is off."""
    training = config.training
    on_cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(run.path),
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        max_length=None,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        learning_rate=training.learning_rate,
        lr_scheduler_type="constant_with_warmup" if training.schedule == "constant" else training.schedule,
        optim=training.optimizer,
        warmup_steps=training.warmup_fraction,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        logging_steps=training.logging_steps,
        logging_strategy="steps",
        eval_strategy=("steps" if training.eval_steps else "epoch") if has_validation else "no",
        eval_steps=training.eval_steps,
        save_strategy="steps" if training.save_steps else "epoch",
        save_steps=training.save_steps or 500,
        save_total_limit=None,
        seed=training.seed,
        data_seed=training.seed,
        # On CUDA, autocast runs the float32 adapters in bf16; on a CPU its casts cost more than they save.
        bf16=on_cuda and model_is_bf16(config),
        fp16=False,
        use_cpu=not on_cuda,
        gradient_checkpointing=False,
        activation_checkpointing=config.local.activation_checkpointing,
        report_to="none",  # see `tracker_callbacks`
        run_name=run.run_id,
        project=PROJECT,
        disable_tqdm=True,
        dataloader_pin_memory=on_cuda,
        push_to_hub=False,
    )


def schedule_options(training: TrainingConfig, *, num_steps: int) -> dict[str, float]:
    """What a schedule takes beside its warm-up, in transformers' words."""
    match training.schedule:
        case "cosine_with_min_lr":
            return {"min_lr_rate": training.min_lr_ratio}
        case "cosine_with_restarts":
            return {"num_cycles": training.num_cycles}
        case "warmup_stable_decay":
            # transformers begins with a step at the peak and reaches the minimum only after the last step, so that the
            # fall of a single step would be none. Here the last step has the minimum, unless that is 0, which would
            # train nothing. The peak keeps a step of its own.
            num_warmup_steps = int(training.warmup_fraction * num_steps)
            wanted = max(1, round(training.decay_fraction * num_steps))
            num_falling = min(wanted, num_steps - num_warmup_steps - 1)
            reaches_minimum = training.min_lr_ratio > 0 and num_falling > 0
            return {
                "num_decay_steps": num_falling + 1,
                "num_cycles": (num_falling + 1) / num_falling / 2 if reaches_minimum else 0.5,  # half a cosine wave
                "min_lr_ratio": training.min_lr_ratio,
            }
    return {}


def find_pass_length(config: LocalTrainConfig) -> int:
    """Tokens that go through the model at once; see `LocalOptions.pass_length`."""
    if not config.training.packing:
        return 1  # each sequence has a pass of its own
    return config.local.pass_length or (WHOLE if torch.cuda.is_available() else CPU_PASS_LENGTH)


def model_is_bf16(config: LocalTrainConfig) -> bool:
    """Whether the run computes in bfloat16."""
    from mistraltune.backends.local.loading import pick_dtype

    return pick_dtype(config.local.dtype) == torch.bfloat16
