"""Build the support-ticket data set from the sentences in wordings.yaml.

A ticket is one problem wording plus one urgency phrase, in either order. Its
label is "<topic> / <urgency>". The splits share no sentence at all, so a good
test score means that the model understood new wordings, not that it
remembered old ones.

    python examples/support_triage/make_data.py [--out-dir DIR] [--seed 42]
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

HERE = Path(__file__).resolve().parent
INSTRUCTION = "Label this support ticket as topic / urgency."
LEVELS = ("urgent", "normal")
# Rows per topic. Even numbers, so that each language is half urgent, half normal.
ROWS = {
    "train": {"en": 52, "fr": 28},
    "val": {"en": 6, "fr": 4},
    "test": {"en": 14, "fr": 8},
}


def normalise(sentence: str) -> str:
    """Reduce a sentence to bare words: slots, case and punctuation make no new wording."""
    without_slots = re.sub(r"\{\w+\}", " ", sentence.lower())
    return " ".join(re.findall(r"\w+", without_slots))


def sentences(node: Any) -> Iterator[str]:
    """Yield every sentence below a node of the wordings tree."""
    if isinstance(node, str):
        yield node
    else:
        for child in node.values() if isinstance(node, dict) else node:
            yield from sentences(child)


def check_disjoint(wordings: dict[str, Any]) -> None:
    """Refuse a sentence that is written twice: across splits it would leak test into train."""
    home: dict[str, str] = {}
    for split in ROWS:
        for sentence in sentences(wordings[split]):
            key = normalise(sentence)
            if key in home:
                raise SystemExit(f"error: in {home[key]} and again in {split}: {sentence!r}")
            home[key] = split


def deck(phrases: list[str], rng: random.Random) -> Iterator[str]:
    """Deal phrases for ever, each equally often: shuffle, deal all, shuffle again."""
    while True:
        yield from rng.sample(phrases, len(phrases))


def assign_levels(texts: list[str], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Give each wording a level, so that a wording tells nothing about the urgency.

    When more rows are asked for than there are wordings, the first few appear
    once as urgent and once as normal. The others alternate.
    """
    both = count - len(texts)
    if not 0 <= both <= len(texts) or count % 2:
        raise SystemExit(f"error: cannot make {count} balanced rows from {len(texts)} wordings")
    order = rng.sample(texts, len(texts))
    pairs = [(text, level) for text in order[:both] for level in LEVELS]
    return pairs + [(text, LEVELS[i % 2]) for i, text in enumerate(order[both:])]


def make_split(split: str, wordings: dict[str, Any], rng: random.Random) -> list[dict[str, str]]:
    """Combine the wordings and phrases of one split into shuffled rows."""
    rows = []
    for language, count in ROWS[split].items():
        slots = wordings["slots"][language]
        decks = {lv: deck(wordings[split]["urgency"][lv][language], rng) for lv in LEVELS}
        for topic, by_language in wordings[split]["topics"].items():
            for text, level in assign_levels(by_language[language], count, rng):
                # The phrase comes first or last by chance: its place must mean nothing.
                ticket = " ".join(rng.sample([text, next(decks[level])], 2))
                values = {slot: rng.choice(options) for slot, options in slots.items()}
                row = {"input": ticket.format(**values), "output": f"{topic} / {level}"}
                rows.append({"instruction": INSTRUCTION} | row)
    rng.shuffle(rows)
    return rows


def main() -> None:
    """Check the sentences, write the three files and print what is in them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out-dir", type=Path, default=HERE, help="where the files go")
    parser.add_argument("--seed", type=int, default=42, help="decides how sentences are combined")
    args = parser.parse_args()

    wordings = OmegaConf.to_container(OmegaConf.load(HERE / "wordings.yaml"))
    check_disjoint(wordings)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for split in ROWS:
        # One generator per split: editing one split leaves the other files as they are.
        rows = make_split(split, wordings, random.Random(f"{args.seed}-{split}"))
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (args.out_dir / f"{split}.jsonl").write_bytes("".join(lines).encode("utf-8"))
        labels = sorted(Counter(row["output"] for row in rows).items())
        words = sum(len(row["input"].split()) for row in rows) / len(rows)
        print(f"{split}: {len(rows)} rows, {words:.1f} words a ticket")
        print("\n".join(f"  {label:18} {n}" for label, n in labels))


if __name__ == "__main__":
    main()
