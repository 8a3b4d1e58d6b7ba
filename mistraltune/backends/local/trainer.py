"""QLoRA on this machine: load, attach adapters, train, leave an adapter that PEFT opens as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.devices import device_name, num_threads, use_one_gpu
from mistraltune.backends.local.figures import final_figures
from mistraltune.backends.local.footprint import Footprint
from mistraltune.backends.local.locating import hub_commit, locate
from mistraltune.backends.local.sharding import Formation, hidden_from_libraries
from mistraltune.backends.local.tracker_servers import refuse_unreachable_servers
from mistraltune.backends.local.trackers import prepare_environment, tracking
from mistraltune.checkpoints import Checkpoint
from mistraltune.config import TrainingConfig
from mistraltune.data.conversation import Conversation
from mistraltune.errors import ConfigError, Stopped
from mistraltune.publishing import publish_dir
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir

if TYPE_CHECKING:
    import torch

    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.backends.local.sft import RunTrainer
    from mistraltune.backends.local.team import Team


@dataclass(frozen=True)
class Task:
    """What the leader of a team tells the others to train.

    Attributes:
        config: The run's configuration.
        formation: All of them, and how they share the base.
        train: Training conversations.
        validation: Validation conversations.
        run_path: The run directory, from which they read checkpoints.
    """

    config: LocalTrainConfig
    formation: Formation
    train: Sequence[Conversation]
    validation: Sequence[Conversation]
    run_path: Path


class LocalTrainer:
    """The Trainer of the local backend; under a launcher, that of the process that leads the others."""

    def __init__(self, config: LocalTrainConfig, formation: Formation) -> None:
        self.config = config
        self.formation = formation

    def preview(self, train: Sequence[Conversation], validation: Sequence[Conversation]) -> dict[str, Any]:
        """What the training will take of `memory` and `disk`, see `Footprint.figures`; no weight need be there."""
        run_path = Path(self.config.output_dir) / (self.config.run_id or "new")
        base = locate(self.base_ref, with_weights=False)
        figures = self.footprint(base, run_path, train).figures()
        if not (passed_over := self.formation.passed_over):
            return figures
        return figures | {"warnings": [f"without effect in accelerate's settings: {', '.join(passed_over)}"]}

    def train(self, train: Sequence[Conversation], validation: Sequence[Conversation], run: RunDir) -> TrainResult:
        """Train, or continue from the newest sound checkpoint, and publish the adapter.

        Raises:
            ConfigError: A target module matches nothing, or the model cannot be loaded.
            Stopped: A stop was requested; the state up to then is saved.
        """
        if notice := use_one_gpu():
            run.emit("note", text=notice)
        footprint = self.footprint(locate(self.base_ref), run.path, train)
        footprint.refuse_small_disk()
        footprint.refuse_small_memory()
        prepare_environment()
        refuse_unreachable_servers(self.config.training.report_to)
        run.emit("phase", phase="load", text=f"loading {self.config.model}")
        # torch, transformers and TRL take seconds to import: everything that can be refused was refused before.
        from mistraltune.backends.local.team import own_team
        from mistraltune.backends.local.telling import telling_once

        team = own_team()
        with telling_once(team), hidden_from_libraries():
            team.call()
            team.share(Task(self.config, self.formation, train, validation, run.path))
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
        from mistraltune.backends.local.loading import load_renderer, pick_dtype, quiet_libraries

        quiet_libraries()
        from transformers import set_seed

        from mistraltune.backends.local.sft import RunTrainer
        from mistraltune.backends.local.shortage import explaining_shortage

        dtype = pick_dtype(self.config.local.dtype)
        set_seed(self.config.training.seed)
        advice = self.footprint(locate(self.base_ref), run.path, train).advice
        with explaining_shortage(lambda: "while loading the model", advice=advice):
            model, details = self.load_model(team, dtype)
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
            is_sharded=self.formation.sharding is not None,
            details=details,
        )
        team.equalise(parameter for parameter in model.parameters() if parameter.requires_grad)
        if not team.is_leader:
            set_seed(self.config.training.seed + team.rank)  # dropout differs; the order of rows has a seed of its own
        with explaining_shortage(lambda: trainer.place, advice=advice):
            self.run_to_the_end(trainer, run)
        return trainer

    def load_model(self, team: Team, dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
        """The base with fresh adapters on its device, in shards where that is asked for, and facts about it."""
        from mistraltune.backends.local.loading import pick_device

        sharding, device = self.formation.sharding, pick_device()
        if sharding is None:
            return self.adapt_base(dtype, device, held_on=device)
        import torch

        from mistraltune.backends.local.shards import load_in_turns, make_mesh, shard_base

        mesh = make_mesh(team, device)

        def load() -> tuple[Any, dict[str, Any]]:
            model, details = self.adapt_base(dtype, device, held_on=torch.device("cpu"))
            shard_base(model, sharding, mesh=mesh, device=device)
            return model, details | {"sharding": {"num_shards": team.size, **asdict(sharding)}}

        return load_in_turns(load, team) if sharding.loads_in_turns else load()

    def adapt_base(
        self, dtype: torch.dtype, device: torch.device, *, held_on: torch.device
    ) -> tuple[Any, dict[str, Any]]:
        """The base with fresh adapters, and facts about it.

        Args:
            dtype: Of the computation.
            device: Likewise.
            held_on: Where its weights are meanwhile.
        """
        from mistraltune.backends.local.adapting import attach_adapters, describe
        from mistraltune.backends.local.attention import pick_attention
        from mistraltune.backends.local.loading import keep_trainable, load_base
        from mistraltune.backends.local.low_rank import compute_at_base_precision

        base = load_base(self.base_ref, dtype=dtype, attention=pick_attention(device, dtype), device=held_on)
        keep_trainable(base)
        model = attach_adapters(base, self.config)
        if device.type == "cpu":
            compute_at_base_precision(model)
        return model, describe(model) | {"dtype": str(dtype).removeprefix("torch."), "device": str(device)}

    def footprint(self, base: Path, run_path: Path, train: Sequence[Conversation]) -> Footprint:
        """What the training takes."""
        return Footprint(self.config, base=base, run_path=run_path, train=train, formation=self.formation)

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
        with explaining_misfit(step), tracking(self.config, run):
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
