"""Training on a CPU: `mistraltune train local` against TRL's SFTTrainer on the same tokens, one epoch of 16 rows.

The peer is what `trl sft --use_peft` builds: SFTTrainer with its own defaults, LoRA r=16 on all linear layers, on rows
that are tokenised already, so that both sides train the same labels. Timed is the training loop; memory is the peak of
the whole process, imports and model included. The adapters of both are then scored by the same code on 16 other rows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from measuring import Figures, Row, Target, measure_in_turns, own_side, report, say

DATA = Path(__file__).parents[2] / "shared" / "data" / "instruct" / "alpaca_en_demo.json"
NUM_ROWS = 16
SETTINGS = {"learning_rate": 2e-4, "batch_size": 8, "seed": 7, "r": 16, "alpha": 32, "dropout": 0.05}
AS_IT_COMES, UNCHECKPOINTED, OURS = "trl sft", "trl sft, no checkpointing", "mistraltune"
DTYPES = ("bf16", "nf4")
BOUND = "matrix products"
SIDES = {f"{who}, {held}": (who, held) for who in (AS_IT_COMES, UNCHECKPOINTED, OURS) for held in DTYPES}


def main() -> None:
    """Measure the sides in turns, or do the work of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=[*SIDES, BOUND])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not arguments.side:
        measure_all(arguments.rounds)
    elif arguments.side == BOUND:
        say({"tokens_per_second": matrix_product_bound()})
    else:
        who, held = SIDES[arguments.side]
        with tempfile.TemporaryDirectory() as folder:
            train = train_ours if who == OURS else train_trl
            say(train(Path(folder), held, checkpointing=who == AS_IT_COMES))


def measure_all(rounds: int) -> None:
    """All sides in turns, and what became of the targets."""
    sides = {name: own_side(__file__, "--side", name) for name in (*SIDES, BOUND)}
    measured = measure_in_turns(sides, rounds=rounds)

    def row(side: str, unit: str, key: str, scale: float = 1) -> Row:
        return Row(side, unit, tuple(figures[key] / scale for figures in measured[side]))

    speeds = {side: row(side, "tokens/s", "tokens_per_second") for side in sides}
    peaks = {side: row(side, "GB at most", "peak_bytes", 1e9) for side in SIDES}
    losses = {side: row(side, "validation loss", "val_loss") for side in SIDES}
    targets = []
    for held in DTYPES:
        for peer, speedup, memory in ((AS_IT_COMES, 4, 0.75), (UNCHECKPOINTED, 4 if held == "bf16" else 3, 0.4)):
            ours, theirs = f"{OURS}, {held}", f"{peer}, {held}"
            targets += [
                Target(f"speed: {ours} / {theirs}", ratio(speeds, ours, theirs), at_least=speedup),
                Target(f"memory: {ours} / {theirs}", ratio(peaks, ours, theirs), at_most=memory),
            ]
        difference = abs(ratio(losses, f"{OURS}, {held}", f"{AS_IT_COMES}, {held}") - 1)
        targets.append(Target(f"validation loss, {held}: difference from trl's", difference, at_most=0.01))
    share = ratio(speeds, f"{OURS}, bf16", BOUND)
    targets.append(Target("stretch: share of the matrix-product bound, bf16", share, at_least=0.45))
    report("training", [*speeds.values(), *peaks.values(), *losses.values()], targets)


def ratio(rows: dict[str, Row], ours: str, theirs: str) -> float:
    """Median by median."""
    return rows[ours].median / rows[theirs].median


def matrix_product_bound() -> float:
    """Tokens/s if there were nothing but products at the speed of a large one: 4 operations per weight and token.

    Forward and backward pass take two each; the weights are frozen, so that no gradient of them is computed.
    """
    import torch

    size, repetitions = 2048, 20
    one, other = (torch.randn(size, size).bfloat16() for _ in range(2))
    for _ in range(3):
        one @ other
    started = time.perf_counter()
    for _ in range(repetitions):
        one @ other
    operations_per_second = repetitions * 2 * size**3 / (time.perf_counter() - started)
    num_weights = 134_515_008
    return operations_per_second / (4 * num_weights)


def write_rows(folder: Path) -> tuple[Path, Path]:
    """The first 16 rows to train on and the next 16 to score with."""
    rows = json.loads(DATA.read_text(encoding="utf-8"))
    files = (folder / "train.jsonl", folder / "val.jsonl")
    for number, file in enumerate(files):
        chosen = rows[number * NUM_ROWS : (number + 1) * NUM_ROWS]
        file.write_text("".join(json.dumps(row) + "\n" for row in chosen), encoding="utf-8")
    return files


def render(file: Path) -> list[dict[str, list[int]]]:
    """Rows as token ids and labels, by our renderer."""
    from mistraltune.backends.local.batching import labels
    from mistraltune.backends.local.loading import load_renderer
    from mistraltune.data.conversation_file import ConversationFile
    from mistraltune.results import ModelRef

    renderer = load_renderer(ModelRef(model="quickstart"))
    rendered = [sequence for row in ConversationFile.open(file) for sequence in renderer.render(row)]
    return [{"input_ids": sequence.token_ids, "labels": labels(sequence)} for sequence in rendered]


def train_ours(folder: Path, held: str, *, checkpointing: bool) -> Figures:
    """One epoch by the line that `mistraltune train local` runs."""
    from mistraltune.backends.local import LocalBackend, LocalTrainConfig
    from mistraltune.training import train

    train_file, val_file = write_rows(folder)
    config = LocalTrainConfig.model_validate(
        {
            "model": "quickstart",
            "quantization": "nf4" if held == "nf4" else "none",
            "data": {"train_file": str(train_file)},
            "output_dir": str(folder / "outputs"),
            "training": {
                "epochs": 1,
                "batch_size": SETTINGS["batch_size"],
                "gradient_accumulation_steps": 1,
                "learning_rate": SETTINGS["learning_rate"],
                "schedule": "constant",
                "warmup_fraction": 0,
                "seed": SETTINGS["seed"],
            },
            "lora": {"r": SETTINGS["r"], "alpha": SETTINGS["alpha"], "dropout": SETTINGS["dropout"]},
        }
    )
    run = train(LocalBackend(), config)
    figures = json.loads((run.path / "metrics.json").read_text())
    return {"tokens_per_second": figures["tokens_per_second"], "val_loss": score(run.path, held, val_file)}


def train_trl(folder: Path, held: str, *, checkpointing: bool) -> Figures:
    """One epoch by SFTTrainer with its defaults."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    from mistraltune.backends.local.loading import quiet_libraries
    from mistraltune.backends.local.locating import locate
    from mistraltune.results import ModelRef

    quiet_libraries()
    train_file, val_file = write_rows(folder)
    rows = render(train_file)
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    trainer = SFTTrainer(
        model=str(locate(ModelRef(model="quickstart"))),
        args=SFTConfig(
            output_dir=str(folder),
            model_init_kwargs={"dtype": torch.bfloat16}
            | ({"quantization_config": quantization} if held == "nf4" else {}),
            use_cpu=True,
            bf16=True,
            num_train_epochs=1,
            per_device_train_batch_size=SETTINGS["batch_size"],
            learning_rate=SETTINGS["learning_rate"],
            lr_scheduler_type="constant",
            seed=SETTINGS["seed"],
            activation_checkpointing=checkpointing,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=SETTINGS["r"],
            lora_alpha=SETTINGS["alpha"],
            lora_dropout=SETTINGS["dropout"],
            target_modules="all-linear",
        ),
    )
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    trainer.model.save_pretrained(folder / "adapter")
    num_tokens = sum(len(row["input_ids"]) for row in rows)
    return {"tokens_per_second": num_tokens / seconds, "val_loss": score(folder / "adapter", held, val_file)}


def score(adapter: Path, held: str, val_file: Path) -> float:
    """Loss in nats per trained token of the validation rows, one row at a time, by transformers and PEFT alone."""
    import torch
    from peft import PeftModel

    from mistraltune.backends.local.loading import load_base
    from mistraltune.results import ModelRef

    ref = ModelRef(model="quickstart", quantization="nf4" if held == "nf4" else "none")
    model = PeftModel.from_pretrained(load_base(ref, dtype=torch.bfloat16), adapter).eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for row in render(val_file):
            logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :-1].float()
            targets = torch.tensor(row["labels"][1:])
            total += float(torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum"))
            count += int((targets != -100).sum())
    return total / count


if __name__ == "__main__":
    main()
