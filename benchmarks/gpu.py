"""QLoRA of a 7B on a GPU: tokens/s, peak memory and model FLOPs utilisation of `configs/base.yaml`, random weights.

Weights decide neither speed nor memory, so they are random, in the shape of Mistral-7B-v0.3. Without a GPU the table
says that nothing was run; `--shape tiny` walks the same way on any machine.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from measuring import Row, report

SHAPES: dict[str, dict[str, int]] = {
    "7b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
    },
}
NUM_ROWS = 320  # 20 steps of base.yaml's 16 rows
WORDS_PER_ROW = (100, 1200)


def main() -> None:
    """Train, and put what came of it into the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="7b")
    arguments = parser.parse_args()
    import torch

    if arguments.shape == "tiny":
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(train(Path(folder), "tiny", "nf4")))
    elif not torch.cuda.is_available():
        report("gpu", [], [], remarks=["Not run: there was no CUDA device."])
    else:
        measure_on_gpu()


def measure_on_gpu() -> None:
    """The 7B in 4 and in 16 bits."""
    import torch
    from trl.trainer.utils import get_peak_flops

    name = torch.cuda.get_device_name()
    peak = get_peak_flops(name, "bfloat16")
    rows = []
    for quantization in ("nf4", "none"):
        with tempfile.TemporaryDirectory() as folder:
            figures = train(Path(folder), "7b", quantization)
        side = f"7B, {quantization}, {name}"
        rows.append(Row(side, "tokens/s", (figures["tokens_per_second"],)))
        rows.append(Row(side, "GB at most", (figures["peak_memory_bytes"] / 1e9,)))
        if peak:
            # Frozen weights take part in two products of the backward pass' three.
            used = figures["tokens_per_second"] * 4 * figures["num_weights"]
            rows.append(Row(side, "share of the device's bf16 FLOPs", (used / peak,)))
    report("gpu", rows, [])


def train(folder: Path, shape: str, quantization: str) -> dict[str, Any]:
    """Figures of 20 steps by the line that `mistraltune train local --config base` runs."""
    import torch

    from mistraltune.backends.local import LocalBackend, LocalTrainConfig
    from mistraltune.configuring import load_config
    from mistraltune.training import train as run_training

    write_model(folder / "model", SHAPES[shape])
    write_rows(folder / "train.jsonl")
    overrides = [
        f"model={folder / 'model'}",
        f"quantization={quantization}",
        f"data.train_file={folder / 'train.jsonl'}",
        f"output_dir={folder / 'outputs'}",
        "training.epochs=1",
        *([] if torch.cuda.is_available() else ["local.dtype=auto"]),
    ]
    config = load_config(LocalTrainConfig, files=["base"], overrides=overrides).config
    run = run_training(LocalBackend(), config)
    return json.loads((run.path / "metrics.json").read_text()) | {"num_weights": count_weights(folder / "model")}


def write_model(folder: Path, shape: dict[str, int]) -> None:
    """A Mistral with random weights, and Mistral's own v3 tokenizer."""
    import mistral_common
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(vocab_size=32768, max_position_embeddings=32768, sliding_window=None, **shape)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = MistralForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    del model
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()  # the peak is the training's
    (tokenizer,) = (Path(mistral_common.__file__).parent / "data").glob("*.model.v3")
    shutil.copy(tokenizer, folder / "tokenizer.model.v3")


def write_rows(path: Path) -> None:
    """Rows of very different lengths, as instruction data has them."""
    chance = random.Random(0)
    words = ("the", "model", "reads", "every", "row", "and", "learns", "what", "it", "should", "answer")
    with path.open("w", encoding="utf-8") as file:
        for number in range(NUM_ROWS):
            answer = " ".join(chance.choices(words, k=chance.randint(*WORDS_PER_ROW)))
            file.write(json.dumps({"instruction": f"Write about number {number}.", "output": answer}) + "\n")


def count_weights(model: Path) -> int:
    """Weights that take part in products: all but the embedding, which is looked up."""
    from safetensors import safe_open

    total = 0
    for path in model.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                shape = file.get_slice(name).get_shape()
                total += 0 if "embed_tokens" in name or len(shape) < 2 else shape[0] * shape[1]
    return total


if __name__ == "__main__":
    main()
