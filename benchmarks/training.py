"""Training on a CPU: `mistraltune train local` against TRL's SFTTrainer on the same tokens, one epoch of 16 rows.

The peer is what `trl sft --use_peft` builds: SFTTrainer with its own defaults, LoRA r=16 on all linear layers, on rows
that are tokenised already, so that both sides train the same labels. Timed is the training loop; memory is the peak of the
whole process, imports and model included. The adapters of both are then scored by the same code on 16 other rows.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import Figures, Row, Target, measure_in_turns, own_side, report, say

DATA = Path(__file__).parents[2] / "shared" / "data" / "instruct" / "alpaca_en_demo.json"
NUM_ROWS = 16
SETTINGS = {"learning_rate": 2e-4, "batch_size": 8, "seed": 7, "r": 16, "alpha": 32, "dropout": 0.05}
SIDES = {
    f"{who}, {held}": (who, held)
    for who in ("trl sft", "trl sft, no checkpointing", "mistraltune")
    for held in ("bf16", "nf4")
}


def main() -> None:
    """Measure the sides in turns, or do the work of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--only", help="measure only the sides that contain this text")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.side == "bound":
        return
    if arguments.side:
        who, held = SIDES[arguments.side]
        with tempfile.TemporaryDirectory() as folder:
            train = train_ours if who == "mistraltune" else train_trl
            say(train(Path(folder), held, checkpointing=who == "trl sft"))


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
    from mistraltune.data.reading import ConversationFile
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
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    from datasets import Dataset
    from mistraltune.backends.local.locating import locate
    from mistraltune.backends.local.loading import quiet_libraries
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
            model_init_kwargs={"dtype": torch.bfloat16} | ({"quantization_config": quantization} if held == "nf4" else {}),
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
