"""A run's configuration in the words of TRL and transformers."""

from __future__ import annotations

import torch
from trl import SFTConfig

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.packing import CPU_PASS_LENGTH
from mistraltune.backends.local.trackers import PROJECT
from mistraltune.config import TrainingConfig
from mistraltune.runs import RunDir

WHOLE = 2**31
"""On a GPU the whole micro-step, whose size is the user's, is one pass."""


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
