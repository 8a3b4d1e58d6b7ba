"""Training on this machine, for real, on a two-layer random Mistral."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.backends.local.trainer import describe_plateau
from mistraltune.config import TrainingConfig
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError, DivergedError, Stopped
from mistraltune.registry import find_model
from mistraltune.results import ModelRef
from mistraltune.runs import RunDir
from mistraltune.training import train

LABELS = ("billing / urgent", "billing / normal", "delivery / urgent", "delivery / normal")


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """Twelve training rows and four validation rows of different lengths."""
    files = {}
    for name, rows in (("train", range(12)), ("val", range(100, 104))):
        path = tmp_path / f"{name}.jsonl"
        lines = [
            {"instruction": "Label this ticket.", "input": f"Ticket {i}: " + "word " * (i % 7), "output": LABELS[i % 4]}
            for i in rows
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        files[name] = str(path)
    return files


@pytest.fixture
def config(tiny_model: Path, data: dict[str, str], tmp_path: Path) -> Callable[..., LocalTrainConfig]:
    """Makes a configuration: six steps in two epochs, a checkpoint every two steps."""

    def make(*overrides: str) -> LocalTrainConfig:
        options = {
            "model": str(tiny_model),
            "data.train_file": data["train"],
            "data.val_file": data["val"],
            "output_dir": str(tmp_path / "outputs"),
        }
        defaults = [] if any("max_steps" in each for each in overrides) else ["training.epochs=2"]
        defaults += ["training.batch_size=2", "training.gradient_accumulation_steps=2"]
        defaults += ["training.logging_steps=1", "training.save_steps=2", "training.eval_steps=3", "lora.dropout=0.1"]
        config: LocalTrainConfig = load_config(
            LocalTrainConfig, overrides=[*defaults, "training.keep_checkpoints=9", *overrides], options=options
        ).config
        return config

    return make


def stop_after(step: int) -> dict[str, Any]:
    """Arguments of `train` that ask for a stop once `step` steps are done."""
    done = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal done
        done = event["step"] if event["event"] == "tick" else done

    return {"on_event": on_event, "should_stop": lambda: done >= step}


def adapter_bytes(run: RunDir) -> bytes:
    return (run.path / "adapter_model.safetensors").read_bytes()


def test_a_finished_run_holds_all_that_a_reader_needs(config: Callable[..., LocalTrainConfig]) -> None:
    run = train(LocalBackend(), config())
    assert run.status == "finished"
    assert {path.name for path in run.path.iterdir() if not path.name.startswith(".")} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "training_metadata.yaml",
        "config.yaml",
        "metrics.json",
        "metrics.jsonl",
        "checkpoints",
    }
    metrics = run.metrics
    assert metrics["num_steps"] == 6
    assert metrics["num_rows"] == 12
    assert all(metrics[name] > 0 for name in metrics)  # type: ignore[operator]
    assert [event["step"] for event in run.history() if event["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    assert run.metadata["identity"]["train_sha256"]
    assert run.metadata["training"]["num_adapters"] == 2 * 7


def test_peft_opens_the_run_directory_as_it_is(config: Callable[..., LocalTrainConfig]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run = train(LocalBackend(), config("quantization=none"))
    base_name = json.loads((run.path / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_name), run.path)
    moved = [p for name, p in model.named_parameters() if "lora_B" in name and p.abs().sum() > 0]
    assert len(moved) == 14


def test_the_same_command_again_changes_no_byte_of_a_finished_run(config: Callable[..., LocalTrainConfig]) -> None:
    run = train(LocalBackend(), config())
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path.name != ".holder.json"}
    again = train(LocalBackend(), config())
    assert again.path == run.path
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize(
    ("overrides", "stop_at"),
    [
        *(((f"quantization={held}",), step) for held in ("none", "nf4") for step in (1, 2, 3, 5)),
        (("training.eval_steps=null",), 2),  # in mid-epoch, at whose end the run is validated
        (("quantization=int8", "training.schedule=cosine_with_restarts"), 3),
        (("quantization=nf4", "lora.use_dora=true", "training.optimizer=lion_8bit", "lora.r=64"), 3),
        # Of 4,096 numbers and more, the optimizer's state is held in 8 bits: 64 x 64 is one.
        (("lora.use_rslora=true", "lora.r=64", "training.optimizer=adamw_8bit", "training.schedule=inverse_sqrt"), 3),
        (("training.optimizer=adafactor", "training.schedule=warmup_stable_decay"), 3),
    ],
)
def test_a_stopped_run_continues_to_the_very_same_adapter(
    config: Callable[..., LocalTrainConfig], tmp_path: Path, overrides: tuple[str, ...], stop_at: int
) -> None:
    whole = train(LocalBackend(), config(*overrides, "run_id=whole"))
    with pytest.raises(Stopped, match=f"stopped at step {stop_at} of 6"):
        train(LocalBackend(), config(*overrides, "run_id=cut"), **stop_after(stop_at))
    assert RunDir(tmp_path / "outputs" / "cut").status == "unfinished"
    continued = train(LocalBackend(), config(*overrides, "run_id=cut"))
    assert adapter_bytes(continued) == adapter_bytes(whole)

    def timeless(run: RunDir) -> list[dict[str, Any]]:
        return [{k: v for k, v in event.items() if "second" not in k} for event in run.history()]

    # A stop adds a log line where the uninterrupted run, logging every step here, has one anyway.
    assert timeless(continued) == timeless(whole)


def test_a_damaged_checkpoint_is_passed_over_with_a_word(
    config: Callable[..., LocalTrainConfig], tmp_path: Path
) -> None:
    whole = train(LocalBackend(), config("run_id=whole"))
    with pytest.raises(Stopped):
        train(LocalBackend(), config("run_id=cut"), **stop_after(5))
    checkpoints = tmp_path / "outputs" / "cut" / "checkpoints"
    (checkpoints / "step-5" / "optimizer.pt").unlink()
    notes: list[str] = []
    continued = train(
        LocalBackend(),
        config("run_id=cut"),
        on_event=lambda e: notes.append(e["text"]) if e["event"] == "note" else None,
    )
    assert any("step-5 is damaged (optimizer.pt is missing)" in note for note in notes)
    assert any("continuing from step 4" in note for note in notes)
    assert adapter_bytes(continued) == adapter_bytes(whole)


def test_checkpoints_hold_no_pickled_arguments(config: Callable[..., LocalTrainConfig]) -> None:
    run = train(LocalBackend(), config())
    names = {path.name for path in (run.path / "checkpoints").rglob("*")}
    assert "training_args.bin" not in names
    assert {"manifest.json", "adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"} <= names


def test_the_validation_loss_is_the_mean_over_all_trained_tokens(
    config: Callable[..., LocalTrainConfig], data: dict[str, str]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from mistraltune.data.conversation_file import ConversationFile

    chosen = config("quantization=none", "local.dtype=float32", "training.max_steps=2", "training.eval_steps=2")
    run = train(LocalBackend(), chosen)
    base = AutoModelForCausalLM.from_pretrained(chosen.model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, run.path).eval()
    renderer = LocalBackend().renderer(ModelRef(model=chosen.model))
    total, count = 0.0, 0
    for conversation in ConversationFile.open(Path(data["val"])):
        for rendered in renderer.render(conversation):
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([rendered.token_ids])).logits[0].log_softmax(-1)
            for i, (token, trained) in enumerate(zip(rendered.token_ids, rendered.loss_mask, strict=True)):
                if trained:
                    total -= float(logits[i - 1, token])
                    count += 1
    assert math.isclose(run.metrics["val_loss"] or 0, total / count, rel_tol=1e-5)


def test_packing_changes_no_loss(config: Callable[..., LocalTrainConfig]) -> None:
    common = ("quantization=none", "local.dtype=float32", "lora.dropout=0")
    packed = train(LocalBackend(), config(*common, "training.packing=true", "run_id=packed"))
    padded = train(LocalBackend(), config(*common, "training.packing=false", "run_id=padded"))
    losses = [[e["loss"] for e in run.history() if e["event"] == "step"] for run in (packed, padded)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_target_module_that_matches_nothing_is_refused_with_the_valid_names(
    config: Callable[..., LocalTrainConfig],
) -> None:
    with pytest.raises(ConfigError, match=r"no layer of .* is called query_key_value") as refusal:
        train(LocalBackend(), config("lora.target_modules=[q_proj,query_key_value]"))
    assert refusal.value.hint == "its linear layers: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"


def test_a_loss_that_is_no_number_ends_the_run_instead_of_wasting_it(
    config: Callable[..., LocalTrainConfig], tiny_model: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = math.inf
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    chosen = config("run_id=diverging").model_copy(update={"model": str(broken)})
    with pytest.raises(DivergedError, match="no number any more at step 1") as end:
        train(LocalBackend(), chosen)
    assert end.value.exit_code == 6
    run = RunDir(tmp_path / "outputs" / "diverging")
    assert run.status == "failed"
    assert run.history() == []


def test_a_run_on_a_relative_model_directory_is_found_from_anywhere(
    config: Callable[..., LocalTrainConfig], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").symlink_to(tiny_model)
    monkeypatch.chdir(tmp_path)
    chosen = config("training.max_steps=1").model_copy(update={"model": "mine"})
    run = train(LocalBackend(), chosen)
    monkeypatch.chdir("/")
    assert find_model(str(run.path)).model == str(tiny_model.resolve())
    again = load_config(LocalTrainConfig, files=[str(run.path / "config.yaml")]).config
    assert train(LocalBackend(), again).path == run.path


def test_a_run_of_one_step_moves_the_adapters(config: Callable[..., LocalTrainConfig]) -> None:
    from safetensors.torch import load_file

    run = train(LocalBackend(), config("training.max_steps=1"))
    weights = load_file(run.path / "adapter_model.safetensors")
    assert any(weight.abs().max() > 0 for name, weight in weights.items() if "lora_B" in name)


def test_training_opens_no_connection(config: Callable[..., LocalTrainConfig], tmp_path: Path) -> None:
    """TRL reports trainings to the Hub by default, in a thread of its own, outside CI and where it is not offline."""
    import os
    import subprocess
    import sys

    settings = tmp_path / "config.json"
    settings.write_text(config("training.max_steps=1").model_dump_json())
    script = """
import sys, pathlib, time
asked = []
sys.addaudithook(lambda event, args: asked.append(args) if event in ("socket.connect", "socket.getaddrinfo") else None)
from huggingface_hub.utils import send_telemetry  # as a program may have done before
from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.training import train
train(LocalBackend(), LocalTrainConfig.model_validate_json(pathlib.Path(sys.argv[1]).read_text()))
time.sleep(2)
print("asked for", asked)
"""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "HF_HUB_OFFLINE")}
    environment.pop("HF_HUB_DISABLE_TELEMETRY", None)
    outcome = subprocess.run(
        [sys.executable, "-c", script, str(settings)], env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.stdout == "asked for []\n", outcome.stderr


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_an_evaluation_pass_leaves_the_gradients_of_a_quantised_model_as_they_were(
    tiny_model: Path, quantization: Literal["nf4", "int8"]
) -> None:
    """bitsandbytes repacks 4-bit weights in eval mode on AVX512-BF16 CPUs and loses the backward pass of each layer."""
    from mistraltune.backends.local.adapting import attach_adapters
    from mistraltune.backends.local.loading import keep_trainable, load_base

    ref = ModelRef(model=str(tiny_model), quantization=quantization)
    config = LocalTrainConfig.model_validate(
        {"model": str(tiny_model), "data": {"train_file": "unused"}, "lora": {"dropout": 0.0}}
    )
    torch.manual_seed(0)
    base = load_base(ref, dtype=torch.bfloat16)
    keep_trainable(base)
    model = attach_adapters(base, config)
    token_ids = torch.arange(5, 45).unsqueeze(0)

    def gradients() -> torch.Tensor:
        model.zero_grad()
        model.train()
        model(input_ids=token_ids, labels=token_ids).loss.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    before = gradients()
    model.eval()
    with torch.no_grad():
        model(input_ids=token_ids)
    assert before.norm() > 0
    assert torch.equal(gradients(), before)


def test_training_ends_early_where_the_validation_loss_falls_no_more(config: Callable[..., LocalTrainConfig]) -> None:
    still = ("training.learning_rate=1e-12", "training.eval_steps=1", "training.early_stopping_patience=2")
    notes: list[str] = []
    run = train(
        LocalBackend(), config(*still), on_event=lambda e: notes.append(e["text"]) if e["event"] == "note" else None
    )
    assert run.status == "finished"
    assert run.metrics["num_steps"] == 3
    assert run.metadata["training"]["stopped_early_at"] == 3
    assert run.metadata["training"]["adapter_step"] == 3
    assert notes == ["stopped early at step 3: 2 validations in a row brought no lower loss"]


@pytest.mark.parametrize(
    ("patience", "min_delta", "said"),
    [
        (1, 0.0, "1 validation brought no lower loss"),
        (3, 0.01, "3 validations in a row brought no loss lower by more than 0.01"),
    ],
)
def test_an_early_end_names_what_was_waited_for(patience: int, min_delta: float, said: str) -> None:
    training = TrainingConfig(early_stopping_patience=patience, early_stopping_min_delta=min_delta)
    assert describe_plateau(training) == said


BEST_OF_ALL = (
    *("training.load_best_model_at_end=true", "training.eval_steps=1", "training.keep_checkpoints=1"),
    *("training.learning_rate=1", "lora.alpha=4096", "training.schedule=constant"),  # soon too far
    "training.early_stopping_patience=3",
)


def checkpoint_steps(run: RunDir) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (run.path / "checkpoints").iterdir())


def test_the_adapter_is_that_of_the_lowest_validation_loss(config: Callable[..., LocalTrainConfig]) -> None:
    run = train(LocalBackend(), config(*BEST_OF_ALL, "training.keep_checkpoints=1"))
    losses = {event["step"]: event["val_loss"] for event in run.history() if event["event"] == "validation"}
    best, last = min(losses, key=lambda step: losses[step]), max(losses)
    assert best < last
    assert checkpoint_steps(run) == [best, last]
    facts = run.metadata["training"]
    assert (facts["adapter_step"], facts.get("stopped_early_at", last)) == (best, last)
    assert run.metrics["val_loss"] == losses[best]
    saved = run.path / "checkpoints" / f"step-{best}" / "adapter_model.safetensors"
    assert adapter_bytes(run) == saved.read_bytes()


def test_a_run_that_was_killed_after_its_early_end_trains_no_further(
    config: Callable[..., LocalTrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mistraltune.backends.local.trainer import LocalTrainer

    whole = train(LocalBackend(), config(*BEST_OF_ALL, "run_id=whole"))
    with monkeypatch.context() as patched:
        patched.setattr(LocalTrainer, "publish_adapter", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(LocalBackend(), config(*BEST_OF_ALL, "run_id=killed"))
    continued = train(LocalBackend(), config(*BEST_OF_ALL, "run_id=killed"))
    assert adapter_bytes(continued) == adapter_bytes(whole)
    assert continued.metrics["num_steps"] == whole.metrics["num_steps"]
    assert continued.metadata["training"] == whole.metadata["training"]


@pytest.mark.parametrize("key", ["training.early_stopping_patience=2", "training.load_best_model_at_end=true"])
def test_what_needs_a_validation_loss_is_refused_without_one(tiny_model: Path, key: str) -> None:
    options = {"model": str(tiny_model), "data.train_file": "rows.jsonl"}
    with pytest.raises(ConfigError, match=rf"{key.partition('=')[0]} needs a validation loss: set data\.val_file"):
        load_config(LocalTrainConfig, overrides=[key], options=options)


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_a_quantised_run_learns_and_answers_as_it_was_trained(
    config: Callable[..., LocalTrainConfig], quantization: str
) -> None:
    from mistraltune.data.conversation import Conversation, Message
    from mistraltune.interfaces import Sampling

    run = train(LocalBackend(), config(f"quantization={quantization}", "training.learning_rate=1e-2"))
    losses = [event["loss"] for event in run.history() if event["event"] == "step"]
    assert losses[-1] < losses[0]
    assert run.metadata["training"]["quantised_share"] > 0.01  # the rest of the tiny model is its vocabulary
    assert run.model.quantization == quantization
    model = LocalBackend().chat_model(run.model)
    (answer,) = model.generate([Conversation((Message("user", "Label this ticket."),))], Sampling(max_new_tokens=4))
    assert answer.num_tokens == 4
