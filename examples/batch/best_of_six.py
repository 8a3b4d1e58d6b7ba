"""Train three LoRA configurations with two seeds each, and name the best by validation loss.

    python examples/batch/best_of_six.py --train-file train.jsonl --val-file val.jsonl

Everything after `--` goes to each `mistraltune train local`, for example `-- --config cpu --set training.max_steps=20`.
A run that has finished is not trained again, so that the same command may be given after an interruption.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import signal
import subprocess
import sys

LORA_CONFIGS = ("lora_r8a16", "lora_r16a32", "lora_r32a64")
SEEDS = (1, 2)


def mistraltune(*arguments: str) -> str:
    """What the command prints on stdout; its progress goes to stderr, as it comes.

    Where it fails, it has said why there, and the script ends with its exit code.
    """
    command = [sys.executable, "-m", "mistraltune", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - its own command
    if done.returncode:
        print(f"stopped at: {shlex.join(['mistraltune', *arguments])}", file=sys.stderr)
        sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)  # as a shell has it for signals
    return done.stdout


def main() -> None:
    """Train all six, list them, name the best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train-file", required=True)
    parser.add_argument("--val-file", required=True)
    parser.add_argument("--output-dir", default="outputs/batch")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="after --: options of `mistraltune train local`")
    args = parser.parse_args()
    place = ["--output-dir", args.output_dir]
    data = ["--train-file", args.train_file, "--val-file", args.val_file]
    options = [option for option in args.options if option != "--"]

    # Ctrl-C is for the training, which saves and exits; it is not to be killed while it does.
    signal.signal(signal.SIGINT, lambda *_: None)
    for lora, seed in itertools.product(LORA_CONFIGS, SEEDS):
        name = ["--run-id", f"{lora}-seed{seed}", "--set", f"training.seed={seed}"]
        mistraltune("train", "local", *options, "--lora", lora, *data, *place, *name, "--json")

    listed = mistraltune("runs", "list", *place, "--where", "status=finished", "--sort", "val_loss", "--json")
    runs = json.loads(listed)["runs"]
    for run in runs:
        print(f"{run['metrics']['val_loss']:.4f}  {run['run_id']}")
    print(f"best: {runs[0]['run_dir']}")


if __name__ == "__main__":
    main()
