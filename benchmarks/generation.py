"""Answers to a file of prompts: MistralTune against transformers' `generate` in batches of 32.

The quickstart model in bf16 answers the first rows of an instruction data set with at most 48 tokens each; tokens are
counted up to the one that ends an answer. Loading is not timed. `identity` compares answers in fp32, token by token,
with those of one prompt at a time.

    python benchmarks/generation.py [mistraltune | in-order | sorted | identity]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measuring import MEBIBYTE, Row, Target, measure, measure_in_turns, own_side, report, say

from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.backends.local.decoding import Prompt
from mistraltune.backends.local.quickstart_model import ensure_quickstart_model
from mistraltune.data.conversation import ask
from mistraltune.interfaces import Sampling
from mistraltune.results import ModelRef

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "instruct" / "alpaca_en_demo.json"
NUM_PROMPTS = 384
NUM_COMPARED = 48
MAX_NEW_TOKENS = 48
BATCH_SIZE = 32
ROUNDS = 3

SIDES = {
    "mistraltune": "MistralTune",
    "in-order": f"transformers, batches of {BATCH_SIZE} in the order of the file",
    "sorted": f"transformers, batches of {BATCH_SIZE} sorted by length",
}


def main() -> None:
    """Measure the sides in turns and report."""
    measured = measure_in_turns({side: own_side(__file__, side) for side in SIDES}, rounds=ROUNDS)
    print("identity", file=sys.stderr, flush=True)
    identity = measure(own_side(__file__, "identity"))
    speed = {side: tuple(figures["tokens_per_s"] for figures in measured[side]) for side in SIDES}
    memory = {side: tuple(figures["peak_bytes"] / MEBIBYTE for figures in measured[side]) for side in SIDES}
    ours = statistics.median(speed["mistraltune"])
    first = measured["mistraltune"][0]
    report(
        "generation",
        [Row(title, "tokens/s", speed[side]) for side, title in SIDES.items()]
        + [Row(title, "peak MiB", memory[side]) for side, title in SIDES.items()],
        [
            Target("times the tokens/s of batches in order", ours / statistics.median(speed["in-order"]), at_least=2),
            Target("times the tokens/s of sorted batches", ours / statistics.median(speed["sorted"]), at_least=1),
            Target(
                f"fp32 answers, of {NUM_COMPARED}, identical to one prompt at a time",
                identity["num_identical"],
                at_least=NUM_COMPARED,
            ),
        ],
        remarks=[
            f"{NUM_PROMPTS} prompts of {first['shortest']:.0f} to {first['longest']:.0f} tokens, answers of at most "
            f"{MAX_NEW_TOKENS}, {first['share_ended']:.0%} of which end before.",
        ],
    )


def time_side(side: str) -> None:
    """Answer all prompts by one side's method, and print how fast."""
    model = open_model()
    prompts = read_prompts(model)
    answer: Callable[[LocalChatModel, list[list[int]]], Iterator[list[int]]] = {
        "mistraltune": answer_together,
        "in-order": answer_in_order,
        "sorted": answer_sorted,
    }[side]
    list(answer(model, prompts[:2]))  # what torch does once
    started = time.perf_counter()
    answers = list(answer(model, prompts))
    seconds = time.perf_counter() - started
    lengths = list(map(len, answers))
    say(
        {
            "tokens_per_s": sum(lengths) / seconds,
            "shortest": min(map(len, prompts)),
            "longest": max(map(len, prompts)),
            "share_ended": sum(length < MAX_NEW_TOKENS for length in lengths) / len(lengths),
        }
    )


def compare_answers() -> None:
    """Print how many answers in fp32 are the same tokens, together and one at a time."""
    model = open_model()
    model.model.float()
    prompts = read_prompts(model)[:NUM_COMPARED]
    together = answer_together(model, prompts, batch_size=NUM_COMPARED // 4)
    alone = (next(answer_batch(model, [prompt])) for prompt in prompts)
    say({"num_identical": sum(a == b for a, b in zip(together, alone, strict=True))})


def open_model() -> LocalChatModel:
    """The quickstart model as MistralTune opens it: in bf16 where the hardware has it."""
    ensure_quickstart_model()
    return LocalChatModel(ModelRef(model="quickstart"))


def read_prompts(model: LocalChatModel) -> list[list[int]]:
    """Token ids of the first prompts of the file."""
    rows = json.loads(DATA.read_text(encoding="utf-8"))[:NUM_PROMPTS]
    return [model.renderer.prompt(ask(f"{row['instruction']}\n{row['input']}".strip())) for row in rows]


def answer_together(
    model: LocalChatModel, prompts: list[list[int]], *, batch_size: int | None = None
) -> Iterator[list[int]]:
    """As `LocalChatModel.generate` does, short of turning tokens into text."""
    waiting = [Prompt(index, token_ids, MAX_NEW_TOKENS) for index, token_ids in enumerate(prompts)]
    answers = model.answers(waiting, Sampling(max_new_tokens=MAX_NEW_TOKENS, batch_size=batch_size))
    by_index = {prompt.index: answer for prompt, answer in answers}
    return (by_index[prompt.index] for prompt in waiting)


def answer_in_order(model: LocalChatModel, prompts: list[list[int]]) -> Iterator[list[int]]:
    """By transformers, batch after batch."""
    for start in range(0, len(prompts), BATCH_SIZE):
        yield from answer_batch(model, prompts[start : start + BATCH_SIZE])


def answer_sorted(model: LocalChatModel, prompts: list[list[int]]) -> Iterator[list[int]]:
    """Likewise, prompts of similar length together."""
    return answer_in_order(model, sorted(prompts, key=len))


def answer_batch(model: LocalChatModel, prompts: list[list[int]]) -> Iterator[list[int]]:
    """By transformers, padded on the left; up to the token that ends an answer."""
    width = max(map(len, prompts))
    pad = min(model.stop_ids)
    with torch.inference_mode():
        output = model.model.generate(
            input_ids=torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts]),
            attention_mask=torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]),
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            eos_token_id=sorted(model.stop_ids),
            pad_token_id=pad,
        )
    for answer in output[:, width:].tolist():
        ends = [position for position, token in enumerate(answer) if token in model.stop_ids]
        yield answer[: ends[0] + 1] if ends else answer


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["identity"]:
            compare_answers()
        case [side]:
            time_side(side)
