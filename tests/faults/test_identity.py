"""R5: a run is continued as what it was begun, or with a change that somebody allowed and that is on record."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mistral_common
import pytest
from strikes import Strike
from tallying import Tally
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from trials import Training, Whole, copy_run

pytestmark = pytest.mark.timeout(3600)

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def other_rows(name: str) -> Callable[[Training, Path], Training]:
    def change(training: Training, folder: Path) -> Training:
        data = copy_run(training.data, folder / "data")
        with (data / name).open("a") as file:
            file.write('{"instruction": "One more.", "output": "yes"}\n')
        return replace(training, data=data)

    return change


def other_weights(training: Training, folder: Path) -> Training:
    model = copy_run(training.model, folder / "model")
    content = bytearray((model / "model.safetensors").read_bytes())
    content[100_000] ^= 1
    (model / "model.safetensors").write_bytes(content)
    return replace(training, model=model)


def other_tokenizer(training: Training, folder: Path) -> Training:
    model = copy_run(training.model, folder / "model")
    (model / "tokenizer.model.v3").unlink()
    known = Path(mistral_common.__file__).parent / "data" / "mistral_instruct_tokenizer_240216.model.v2"
    shutil.copyfile(known, model / "tokenizer.model.v2")
    return replace(training, model=model)


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes:
        field: What the refusal must name.
        options: Of the command.
        training: Makes another training of the one that was begun.
        plant: In the process.
    """

    field: str
    options: tuple[str, ...] = ()
    training: Callable[[Training, Path], Training] = lambda training, folder: training
    plant: str = ""


def setting(key: str, value: Any) -> Change:
    return Change(f"config.{key}", ("--set", f"{key}={value}"))


CHANGES = [
    Change("train_sha256", training=other_rows("train.jsonl")),
    Change("val_sha256", training=other_rows("val.jsonl")),
    Change("base_revision", training=other_weights),
    Change("tokenizer", training=other_tokenizer),
    Change("libraries.torch", plant="another_torch"),
    setting("quantization", "nf4"),
    setting("data.max_length", 1024),
    setting("training.seed", 43),
    setting("training.batch_size", 3),
    setting("training.gradient_accumulation_steps", 1),
    setting("training.learning_rate", 0.001),
    setting("training.epochs", 3),
    setting("lora.r", 8),
    setting("lora.alpha", 8),
    setting("lora.dropout", 0.2),
    setting("lora.target_modules", "[q_proj]"),
]


@pytest.fixture(scope="module")
def begun(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was killed after its first checkpoint."""
    folder = tmp_path_factory.mktemp("begun")
    whole.training.run(folder, strike=Strike(signal.SIGKILL, after_rename_to="checkpoints/step-2"))
    return folder


def visible(folder: Path) -> dict[str, bytes]:
    files = (path for path in (folder / "outputs").rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if not path.name.startswith(".")}


def try_to_continue(whole: Whole, folder: Path, place: Path, change: Change, **more: Any) -> list[str]:
    """What is wrong with how a changed command is refused."""
    place.mkdir()
    before = visible(folder)
    training = change.training(whole.training, place)
    ended = training.run(folder, *change.options, **({"plant": change.plant} | more))
    line = next((line for line in ended.stderr.splitlines() if line.startswith("error: ")), "")
    named = {name.strip() for name in line.partition("different: ")[2].split(",")} - {
        "config.model"
    }  # a copy lies elsewhere
    problems = [] if ended.returncode == 2 else [f"exit {ended.returncode}"]
    if named != {change.field}:
        problems.append(f"told as {ended.stderr[-1500:]}")
    return problems if visible(folder) == before else [*problems, "the run was changed"]


def test_a_run_is_never_continued_as_another_one(whole: Whole, begun: Path, tmp_path: Path, tally: Tally) -> None:
    problems = {change.field: try_to_continue(whole, begun, tmp_path / change.field, change) for change in CHANGES}
    tally("R5", "one changed field: refused by its name with exit 2, run untouched", problems)
    assert whole.recover(copy_run(begun, tmp_path / "unchanged")) == []


def test_a_run_is_never_continued_with_another_chat_template(whole: Whole, tmp_path: Path, tally: Tally) -> None:
    model = copy_run(whole.training.model, tmp_path / "model")
    (model / "tokenizer.model.v3").unlink()
    chatml_tokenizer().save_pretrained(model)
    training, folder = replace(whole.training, model=model), tmp_path / "run"
    training.run(folder, strike=Strike(signal.SIGKILL, after_rename_to="checkpoints/step-2"))
    (model / "chat_template.jinja").write_text(CHATML.replace("<|im_end|>\n", "<|im_end|>\n\n"))
    changed = replace(whole, training=training)
    problems = {"template": try_to_continue(changed, folder, tmp_path / "place", Change("tokenizer"))}
    tally("R5", "another chat template: refused by its name with exit 2, run untouched", problems)


def chatml_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of bytes with a chat template."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["Label this ticket.", "user\nassistant\n"], trainer)
    names = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<|endoftext|>", chat_template=CHATML, **names)


def test_a_change_that_is_allowed_is_on_record(whole: Whole, begun: Path, tmp_path: Path, tally: Tally) -> None:
    folder = copy_run(begun, tmp_path / "run")
    options = ("--set", "training.learning_rate=0.001", "--set", "training.seed=7")
    allowed = ("--allow-changed", "training.learning_rate")
    half = whole.training.run(folder, *options, *allowed)
    assert (half.returncode, "different: config.training.seed\n" in half.stderr) == (2, True)
    ended = whole.training.run(folder, *options, *allowed, "--allow-changed", "config.training.seed")
    shown = whole.training.server.run("runs", "show", "run", "--json", folder=folder)
    (entry,) = json.loads(shown.stdout)["metadata"]["allowed_changes"]
    recorded = [
        {"field": "config.training.learning_rate", "from": 0.0002, "to": 0.001},
        {"field": "config.training.seed", "from": 42, "to": 7},
    ]
    is_right = ended.returncode == 0 and "continuing from step 2\n" in ended.stderr and entry["changes"] == recorded
    tally("R5", "--allow-changed: continued and recorded", {"two fields": [] if is_right else [ended.stderr]})
    assert whole.training.run(folder, *options).returncode == 0  # it is this run now


def test_a_shape_that_does_not_fit_the_checkpoint_is_told_in_words(whole: Whole, begun: Path, tmp_path: Path) -> None:
    for number, option in enumerate(("lora.r=8", "lora.target_modules=[q_proj]")):
        folder = copy_run(begun, tmp_path / str(number))
        ended = whole.training.run(folder, "--set", option, "--allow-changed", "lora")
        assert ended.returncode == 2, ended.stderr
        assert "error: the checkpoint of step 2 does not fit adapters of this shape\n" in ended.stderr


def test_a_field_that_no_run_has_is_refused(whole: Whole, begun: Path) -> None:
    ended = whole.training.run(begun, "--allow-changed", "training.sed")
    assert ended.returncode == 2
    assert (
        "error: --allow-changed training.sed: a run has no such field\nhint: did you mean training.seed?"
        in ended.stderr
    )


def test_a_finished_run_may_be_found_by_newer_libraries_but_not_changed(whole: Whole, tmp_path: Path) -> None:
    folder = copy_run(whole.folder, tmp_path / "run")
    before = visible(folder)
    assert whole.training.run(folder, plant="another_torch").returncode == 0
    other = whole.training.run(folder, "--set", "training.seed=1", "--allow-changed", "training.seed")
    assert other.returncode == 2
    assert visible(folder) == before


def test_an_identity_that_is_never_compared_is_noticed(whole: Whole, begun: Path, tmp_path: Path) -> None:
    """The checker on a planted loss."""
    folder = copy_run(begun, tmp_path / "run")
    change = setting("training.seed", 43)
    assert try_to_continue(whole, folder, tmp_path / "place", change, plant="identity_never_compared")
