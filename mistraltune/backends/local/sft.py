"""TRL's SFTTrainer, with what a run directory needs changed: exact validation, whole checkpoints, our own events."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import DataLoader, SequentialSampler
from transformers import PrinterCallback, ProgressCallback, TrainerState
from trl import SFTTrainer

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.batching import IGNORED, Batch, ConversationCollator, as_dataset, split_passes
from mistraltune.backends.local.checkpoint_files import random_state_name, tidy
from mistraltune.backends.local.counts import Counts
from mistraltune.backends.local.dealing import DealtBatches
from mistraltune.backends.local.log_probs import TrainedTokens, score_trained_tokens
from mistraltune.backends.local.progress_callback import RunCallback
from mistraltune.backends.local.sft_settings import find_pass_length, schedule_options, sft_config
from mistraltune.backends.local.shards import idle_passes, let_go
from mistraltune.backends.local.team import Team
from mistraltune.backends.local.trackers import tracker_callbacks
from mistraltune.backends.local.validations import Validation, find_best, num_since_lower, read_validations
from mistraltune.data.conversation import Conversation
from mistraltune.interfaces import Renderer
from mistraltune.runs import RunDir

TOTALS = ("seconds", "tokens", "trained_tokens")
"""Running sums that every step event carries, so that a continued run goes on counting where it was cut."""


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
        is_sharded: Whether the base is in shards, so that all of them must go through it equally often.
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
        is_sharded: bool,
        details: dict[str, Any],
    ) -> None:
        self.data_collator: ConversationCollator
        self.control: Any
        self.run = run
        self.team = team
        self.is_sharded = is_sharded
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

    def _move_model_to_device(self, model: Any, device: torch.device) -> None:
        """Leave it: loading has put every part of it where it belongs, and shards on the CPU must not be moved."""

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
        idle = self.idle_passes(inputs)
        losses = [step(model, one_pass, num_items_in_batch) for one_pass in split_passes(inputs)]
        with self.keeping_random_state():
            for one_pass in idle:
                step(model, one_pass, num_items_in_batch)
        return torch.stack(losses).sum() if losses else torch.zeros((), device=self.args.device)

    def idle_passes(self, batch: Batch) -> list[dict[str, Any]]:
        """What this process must do beside its own passes of a batch, so that the others can do theirs."""
        return list(idle_passes(batch, self.team)) if self.is_sharded else []

    def keeping_random_state(self) -> AbstractContextManager[None]:
        """Around what may draw random numbers that nothing else shall miss."""
        return torch.random.fork_rng(devices=[self.args.device] if self.args.device.type == "cuda" else [])

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
            for batch in map(self._prepare_inputs, self.get_eval_dataloader()):
                for one_pass in (*self.idle_passes(batch), *split_passes(batch)):
                    scores: TrainedTokens = self.model(**one_pass)
                    sums += torch.stack(
                        [
                            -scores.log_probs.double().sum(),
                            scores.is_top1.sum(dtype=torch.float64),
                            torch.tensor(len(scores.is_top1)).to(sums),
                        ]
                    )
        if self.is_sharded:
            let_go(self.model)
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
            tidy(staging, written=staging / f"checkpoint-{step}", random_states=random_states[1:])
        self.args.output_dir = str(self.run.path)
        self.run.drop_old_checkpoints(keep=self.training_config.keep_checkpoints, spare=self.best_step)
        self.run.emit("checkpoint", step=step)
