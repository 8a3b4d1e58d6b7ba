"""QLoRA on this machine: load, attach adapters, train, leave an adapter that PEFT opens as it is."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.devices import device_name, num_threads, use_one_gpu
from mistraltune.backends.local.footprint import Footprint
from mistraltune.backends.local.inspecting import IMAGE_PARTS, expert_names, refuse_unknown_layers
from mistraltune.backends.local.locating import hub_commit, locate
from mistraltune.backends.local.trackers import ending_tracked_runs
from mistraltune.checkpoints import Checkpoint
from mistraltune.config import TrainingConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import ConfigError, Stopped
from mistraltune.publishing import publish_dir
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import Event, RunDir

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.backends.local.sft import RunTrainer
    from mistraltune.backends.local.team import Team


@dataclass(frozen=True)
class Task:
    """What the leader of a team tells the others to train.

    Attributes:
        config: The run's configuration.
        train: Training conversations.
        validation: Validation conversations.
        run_path: The run directory, from which they read checkpoints.
    """

    config: LocalTrainConfig
    train: Sequence[Conversation]
    validation: Sequence[Conversation]
    run_path: Path


class LocalTrainer:
    """The Trainer of the local backend; under a launcher, that of the process that leads the others."""

    def __init__(self, config: LocalTrainConfig) -> None:
        self.config = config

    def preview(self, train: Sequence[Conversation], validation: Sequence[Conversation]) -> dict[str, Any]:
        """What the training will take of `memory` and `disk`, see `Footprint.figures`; no weight need be there."""
        run_path = Path(self.config.output_dir) / (self.config.run_id or "new")
        base = locate(self.base_ref, with_weights=False)
        return Footprint(self.config, base=base, run_path=run_path, train=train).figures()

    def train(self, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir) -> TrainResult:
        """Train, or continue from the newest sound checkpoint, and publish the adapter.

        Raises:
            ConfigError: A target module matches nothing, or the model cannot be loaded.
            Stopped: A stop was requested; the state up to then is saved.
        """
        if notice := use_one_gpu():
            run.emit("note", text=notice)
        footprint = Footprint(self.config, base=locate(self.base_ref), run_path=run.path, train=train)
        footprint.refuse_small_disk()
        footprint.refuse_small_memory()
        run.emit("phase", phase="load", text=f"loading {self.config.model}")
        # torch, transformers and TRL take seconds to import: everything that can be refused was refused before.
        from mistraltune.backends.local.team import own_team
        from mistraltune.backends.local.telling import telling_once

        team = own_team()
        with telling_once(team):
            team.call()
            team.share(Task(self.config, train, validation, run.path))
            trainer = self.train_with(team, train, validation, run)
        details = trainer.details | take_best(trainer, run)
        self.publish_adapter(trainer.model, run)
        ref = self.base_ref.model_copy(update={"adapter": str(run.path), "revision": self.pinned_revision})
        metrics = final_figures(trainer, num_rows=len(train), adapter_step=details["adapter_step"])
        return TrainResult(model=ref, metrics=metrics, details=details)

    def train_with(
        self, team: Team, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir
    ) -> RunTrainer:
        """Load the model and train it to the end; what every process of the team does."""
        from mistraltune.backends.local.loading import (
            keep_trainable,
            load_base,
            load_renderer,
            pick_device,
            pick_dtype,
            quiet_libraries,
        )

        quiet_libraries()
        from transformers import set_seed

        from mistraltune.backends.local.attention import pick_attention
        from mistraltune.backends.local.low_rank import compute_at_base_precision
        from mistraltune.backends.local.sft import RunTrainer
        from mistraltune.backends.local.shortage import explaining_shortage

        dtype = pick_dtype(self.config.local.dtype)
        set_seed(self.config.training.seed)
        footprint = Footprint(self.config, base=locate(self.base_ref), run_path=run.path, train=train)
        with explaining_shortage(lambda: "while loading the model", advice=footprint.advice):
            base = load_base(self.base_ref, dtype=dtype, attention=pick_attention(pick_device(), dtype))
        keep_trainable(base)
        model = attach_adapters(base, self.config)
        if model.device.type == "cpu":
            compute_at_base_precision(model)
        details = describe(model) | {"dtype": str(dtype).removeprefix("torch."), "device": str(model.device)}
        run.emit("model", **details)
        trainer = RunTrainer(
            model=model,
            config=self.config,
            renderer=load_renderer(self.base_ref),
            tokenizer=stand_in_tokenizer(),
            train=train,
            validation=validation,
            run=run,
            team=team,
            details=details,
        )
        team.equalise(parameter for parameter in model.parameters() if parameter.requires_grad)
        if not team.is_leader:
            set_seed(self.config.training.seed + team.rank)  # dropout differs; the order of rows has a seed of its own
        with explaining_shortage(lambda: trainer.place, advice=footprint.advice):
            self.run_to_the_end(trainer, run)
        return trainer

    @property
    def base_ref(self) -> ModelRef:
        """The base model, held as it is trained."""
        config = self.config
        return ModelRef(model=config.model, revision=config.revision, quantization=config.quantization)

    @property
    def pinned_revision(self) -> str | None:
        """The Hub commit that is trained on, where the base is of the Hub: a branch moves on, a commit does not."""
        return hub_commit(locate(self.base_ref)) or self.config.revision

    def run_to_the_end(self, trainer: RunTrainer, run: RunDir) -> None:
        """Train from the newest sound checkpoint, or from the start."""
        begin = go_back(run, dtype=trainer.details["dtype"]) if trainer.team.is_leader else None
        checkpoint = trainer.team.share(begin)
        step = checkpoint.step if checkpoint else 0
        if checkpoint:
            run.emit("note", text=f"continuing from step {step}")
            trainer.continue_counting(step)
        with explaining_misfit(step), ending_tracked_runs(self.config.training.report_to):
            if checkpoint and trainer.has_converged:  # it was killed between that and its end
                trainer.stand_at(checkpoint.path)
            else:
                trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
        if trainer.has_converged:
            reason = describe_plateau(trainer.training_config)
            run.emit("note", text=f"stopped early at step {trainer.state.global_step}: {reason}")
        elif trainer.state.global_step < trainer.state.max_steps:
            raise Stopped(
                f"stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; a checkpoint is saved",
                hint="the same command continues from there",
            )

    def publish_adapter(self, model: Any, run: RunDir) -> None:
        """Put `adapter_model.safetensors` and `adapter_config.json` into the run directory, the config last."""
        with publish_dir(run.path / "adapter") as staging:
            model.save_pretrained(staging)
            (staging / "README.md").unlink(missing_ok=True)
            # PEFT writes a set here, in another order each time; and the base is named so that it can be opened again.
            config = json.loads((staging / "adapter_config.json").read_text())
            config["target_modules"] = sorted(config["target_modules"])
            config["base_model_name_or_path"] = hub_id_or_path(self.config.model, locate(self.base_ref))
            config["revision"] = self.pinned_revision
            (staging / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            (run.path / "adapter" / name).replace(run.path / name)
        (run.path / "adapter").rmdir()


def go_back(run: RunDir, *, dtype: str) -> Checkpoint | None:
    """The newest sound checkpoint; the run's files are as they were then."""
    checkpoint, passed_over = run.checkpoint()
    for notice in passed_over:
        run.emit("note", text=notice)
    step = checkpoint.step if checkpoint else 0
    run.rewind(step)
    run.record_session(step=step, threads=num_threads(), device=device_name(), dtype=dtype)
    return checkpoint


def take_best(trainer: RunTrainer, run: RunDir) -> dict[str, int]:
    """Put the adapters with the lowest validation loss in the place of the last ones, where that is configured.

    Returns:
        For the run's metadata: the step that the published adapter is of, and where training ended before its time.
    """
    last = trainer.state.global_step
    ended_early = {"stopped_early_at": last} if last < trainer.state.max_steps else {}
    best = trainer.best_step
    if best is None or best == last:
        return {"adapter_step": last, **ended_early}
    checkpoint = run.sound_checkpoint(best)
    if checkpoint is None:
        run.emit(
            "note", text=f"the checkpoint of step {best}, the best, is damaged; the adapter is that of step {last}"
        )
        return {"adapter_step": last, **ended_early}
    trainer.take_adapters(checkpoint.path)
    run.emit("note", text=f"the adapter is that of step {best}, whose validation loss is the lowest")
    return {"adapter_step": best, **ended_early}


def describe_plateau(training: TrainingConfig) -> str:
    """Why training ended before its last step."""
    patience, delta = training.early_stopping_patience, training.early_stopping_min_delta
    times = "1 validation" if patience == 1 else f"{patience} validations in a row"
    return f"{times} brought no {f'loss lower by more than {delta:g}' if delta else 'lower loss'}"


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
    with telling_once(team):
        if not team.is_called():
            return
        task: Task = team.share(None)
        run = RunDir(task.run_path, on_event=on_event, should_stop=should_stop, keeps_metrics=False)
        LocalTrainer(task.config).train_with(team, task.train, task.validation, run)


@contextmanager
def leading() -> Iterator[None]:
    """Around all that the leader does: the others learn how it ends, also where it trains nothing."""
    from mistraltune.backends.local.team import own_team
    from mistraltune.backends.local.telling import telling_once

    team = own_team()
    with telling_once(team):
        yield
    team.dismiss()


@contextmanager
def explaining_misfit(step: int) -> Iterator[None]:
    """Tell in words that a checkpoint has other weights than the model (`--allow-changed` can bring that about).

    Raises:
        ConfigError: The adapters or their optimizer's state do not fit.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if not any(words in str(error) for words in ("size mismatch", "parameter group")):
            raise
        raise ConfigError(
            f"the checkpoint of step {step} does not fit adapters of this shape",
            hint="the shape of adapters cannot change within a run; choose another --run-id",
        ) from error


def attach_adapters(base: Any, config: LocalTrainConfig) -> Any:
    """The PEFT model: the frozen base with float32 LoRA adapters.

    Raises:
        ConfigError: A target module matches no linear layer; the message lists the valid names.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    linear = [name for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)]
    of_images = {name for name in linear if any(part in name for part in IMAGE_PARTS)}
    layers = {name.rsplit(".", 1)[-1] for name in linear if name not in of_images} - {"lm_head"}
    refuse_unknown_layers(config, layers, expert_names([name for name, _ in base.named_parameters()]))
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(config.lora.target_modules),
        # The parts that see images have layers of the same names.
        exclude_modules=rf".*({'|'.join(IMAGE_PARTS)})\..*" if of_images else None,
        target_parameters=list(config.lora.target_parameters) or None,
        use_rslora=config.lora.use_rslora,
        use_dora=config.lora.use_dora,
    )
    return get_peft_model(base, lora)


def describe(model: Any) -> dict[str, Any]:
    """Facts that a user checks: adapters, trainable weights, and the share of weights that is quantised."""
    from bitsandbytes.nn import Linear4bit, Linear8bitLt
    from peft.tuners.lora import LoraLayer

    quantised = sum(
        module.in_features * module.out_features
        for module in model.modules()
        if isinstance(module, (Linear4bit, Linear8bitLt))
    )
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = model.get_base_model().num_parameters() - trainable
    return {
        "num_adapters": sum(isinstance(module, LoraLayer) for module in model.modules()),
        "num_trainable": trainable,
        "num_weights": frozen,
        "quantised_share": round(quantised / frozen, 4),
    }


def final_figures(trainer: RunTrainer, *, num_rows: int, adapter_step: int) -> dict[str, float | int | None]:
    """The figures of `metrics.json`; see the README for their meaning and units."""
    history = trainer.run.history()
    steps = [event for event in history if event["event"] == "step"]
    validations = {event["step"]: event["val_loss"] for event in history if event["event"] == "validation"}
    # A step event holds the mean loss since the one before it.
    spans = [after - before for before, after in pairwise([0, *(event["step"] for event in steps)])]
    loss = sum(event["loss"] * span for event, span in zip(steps, spans, strict=True)) / max(sum(spans), 1)
    seconds, tokens = trainer.totals["seconds"], int(trainer.totals["tokens"])
    return {
        "train_loss": loss,
        "val_loss": validations.get(adapter_step, next(reversed(validations.values()), None)),
        "train_seconds": round(seconds, 3),
        "train_tokens": tokens,
        "trained_tokens": int(trainer.totals["trained_tokens"]),
        "tokens_per_second": round(tokens / seconds, 2) if seconds else None,
        "peak_memory_bytes": peak_memory_bytes(),
        "num_steps": trainer.state.global_step,
        "num_rows": num_rows,
    }


def peak_memory_bytes() -> int:
    """Most memory held at once: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux, bytes on macOS


def hub_id_or_path(name: str, folder: Path) -> str:
    """How an adapter names its base: the Hub id as it is, anything else by its folder on this machine."""
    return name if hub_commit(folder) else str(folder.resolve())


def stand_in_tokenizer() -> Any:
    """A tokenizer of two tokens: SFTTrainer demands one, and never calls it on ready-made batches."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    vocabulary = WordLevel({"<unk>": 0, "<pad>": 1}, unk_token="<unk>")  # noqa: S106 - a token, no password
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(vocabulary), unk_token="<unk>", pad_token="<pad>")  # noqa: S106
