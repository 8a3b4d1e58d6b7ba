"""Token statistics of a file: rows a second, against one process of mistral-common, and how the cost grows.

The peer does what a script with mistral-common does: parse a line, make the request, encode it as for fine-tuning,
count. Ours renders with loss masks, compares every rendering with its row, and uses every core.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from measuring import MEBIBYTE, Figures, Row, Target, measure, measure_in_turns, own_side, report, say
from rows import write_rows

TOKENIZERS = {"tekken": 150_000, "v3": 60_000}
"""Each with the rows that it is measured on."""
SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = 3


def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory() as folder:
        files = {number: write_rows(Path(folder) / f"{number}.jsonl", number=number) for number in all_sizes()}
        speeds: dict[str, list[Figures]] = {}
        for tokenizer, number in TOKENIZERS.items():
            sides = {
                f"{side}, {tokenizer}": own_side(__file__, side, tokenizer, str(files[number]))
                for side in ("mistral-common", "mistraltune")
            }
            speeds |= measure_in_turns(sides, rounds=ROUNDS)
        scaling = {number: measure(own_side(__file__, "mistraltune", "tekken", str(files[number]))) for number in SIZES}
    report("token_statistics", table_rows(speeds, scaling), targets(speeds, scaling), remarks=REMARKS)


def all_sizes() -> set[int]:
    """How many rows the files have."""
    return {*SIZES, *TOKENIZERS.values()}


REMARKS = (
    "Timed from the first row to the result: the start of the worker processes counts, loading the first tokenizer and",
    "checking the file do not. The rows are `alpaca_en_demo.json` over and over, each with a number of its own.",
)


def table_rows(speeds: dict[str, list[Figures]], scaling: dict[int, Figures]) -> list[Row]:
    """Rows a second of each side, then seconds and memory by number of rows."""
    by_side = [
        Row(side, "rows/s", tuple(each["num_rows"] / each["seconds"] for each in measured))
        for side, measured in speeds.items()
    ]
    by_size = [
        row
        for number, each in scaling.items()
        for row in (
            Row(f"mistraltune, tekken, {number:,} rows", "s per 10,000 rows", (per_ten_thousand(each),)),
            Row(f"mistraltune, tekken, {number:,} rows", "MiB, largest process", (each["peak_bytes"] / MEBIBYTE,)),
        )
    ]
    return by_side + by_size


def targets(speeds: dict[str, list[Figures]], scaling: dict[int, Figures]) -> list[Target]:
    """The ratios that are asked for."""
    ratios = [
        Target(f"{tokenizer}: rows/s, ratio", speed(ours) / speed(theirs), at_least=1.8)
        for tokenizer in TOKENIZERS
        for theirs, ours in [(speeds[f"mistral-common, {tokenizer}"], speeds[f"mistraltune, {tokenizer}"])]
    ]
    few, *_, many = SIZES
    growth = per_ten_thousand(scaling[many]) / per_ten_thousand(scaling[few])
    return [*ratios, Target(f"seconds a row, {many:,} rows to {few:,}", growth, at_most=1.1)]


def speed(measured: list[Figures]) -> float:
    """Rows a second, the median."""
    return Row("", "", tuple(each["num_rows"] / each["seconds"] for each in measured)).median


def per_ten_thousand(figures: Figures) -> float:
    """Seconds for 10,000 rows."""
    return figures["seconds"] / figures["num_rows"] * 10_000


def mistral_common(tokenizer: str, path: Path) -> Figures:
    """One process of mistral-common."""
    from mistral_common.protocol.instruct.messages import FinetuningAssistantMessage, UserMessage
    from mistral_common.protocol.instruct.normalize import get_normalizer
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    instruct = MistralTokenizer.v3(is_tekken=tokenizer == "tekken", is_mm=tokenizer == "tekken").instruct_tokenizer
    version = instruct.tokenizer.version
    finetuning = MistralTokenizer(
        instruct,
        validator=get_validator(version, mode=ValidationMode.finetuning),
        request_normalizer=get_normalizer(version, instruct.tokenizer.model_settings_builder),
    )
    num_rows = num_tokens = 0
    started = time.perf_counter()
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            question = "\n\n".join(part for part in (row["instruction"], row["input"]) if part)
            answer = FinetuningAssistantMessage(content=row["output"])
            request = ChatCompletionRequest(messages=[UserMessage(content=question), answer])
            num_tokens += len(finetuning.encode_chat_completion(request).tokens)
            num_rows += 1
    return {"seconds": time.perf_counter() - started, "num_rows": num_rows, "num_tokens": num_tokens}


def mistraltune(tokenizer: str, path: Path) -> Figures:
    """What `train` does before its first step."""
    from mistraltune.data.conversation_file import ConversationFile
    from mistraltune.data.measuring import Rules, measure
    from mistraltune.data.rendering import MistralRenderer
    from mistraltune.data.reopening import Reopening

    open_renderer = partial(MistralRenderer.from_name, tokenizer)
    renderer = open_renderer()
    conversations = ConversationFile.open(path)
    started = time.perf_counter()
    measured = measure(
        conversations,
        renderer.render,
        rules=Rules(None, bos_id=renderer.bos_id, end_ids=renderer.end_ids),
        reopening=Reopening(open_renderer, renderer.fingerprint),
    )
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "num_rows": measured.num_rows, "num_tokens": measured.num_tokens}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["mistral-common", name, file]:
            say(mistral_common(name, Path(file)))
        case ["mistraltune", name, file]:
            say(mistraltune(name, Path(file)))
        case _:
            main()
