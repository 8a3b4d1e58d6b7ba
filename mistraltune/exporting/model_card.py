"""A model card from what a run recorded: base, data, figures with their intervals, versions, how to load it.

Pure: values in, Markdown out. Nothing that names a place on the machine of the training goes in.
Source of the header's keys: https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mistraltune.evaluation.wording import figure, label, span
from mistraltune.exporting.agreement_reading import held_in, read_agreement
from mistraltune.exporting.card_evaluations import CardEvaluations, describe_evaluation
from mistraltune.results import QUICKSTART

QUICKSTART_BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""What the quickstart model is on the Hub."""


class Card(NamedTuple):
    """What a card is made of.

    Attributes:
        repo: Where the model goes, `OWNER/NAME`.
        base: The base model: `quickstart`, a Hub id, or the bare name of a directory.
        base_on_hub: Its Hub id; None for a base that is a directory.
        revision: Hub commit of the base, where it is known.
        metadata: The run's.
        metrics: The run's.
        evaluations: Those of the run that are shown, and what was left out.
        merged: The record of the merged model that is published; None where the adapter is.
    """

    repo: str
    base: str
    base_on_hub: str | None
    revision: str | None
    metadata: Mapping[str, Any]
    metrics: Mapping[str, Any]
    evaluations: CardEvaluations
    merged: Mapping[str, Any] | None


def write_card(card: Card) -> str:
    """The card's Markdown, with its YAML header."""
    parts = [header(card), opening(card), usage(card), data(card), training(card), evaluation(card), versions(card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def header(card: Card) -> str:
    """The YAML that the Hub reads."""
    lines = ["---"]
    if card.base_on_hub:
        lines += [f"base_model: {card.base_on_hub}"]
        lines += [f"base_model_relation: {'finetune' if card.merged else 'adapter'}"]
    lines += [f"library_name: {'transformers' if card.merged else 'peft'}", "pipeline_tag: text-generation", "tags:"]
    lines += [f"- {tag}" for tag in ("mistraltune", *(() if card.merged else ("lora",)))]
    return "\n".join([*lines, "---"])


def opening(card: Card) -> str:
    """Title, and what it is in a sentence or two."""
    kind = "A fine-tuned model" if card.merged else "A LoRA adapter"
    base = f"[{card.base_on_hub}](https://huggingface.co/{card.base_on_hub})" if card.base_on_hub else f"`{card.base}`"
    pinned = f", revision `{card.revision}`" if card.revision else ""
    lines = [f"# {card.repo.rpartition('/')[2]}", "", f"{kind} on {base}{pinned}, trained with MistralTune."]
    if card.base == QUICKSTART:
        lines += ["", "It was trained on a 4-bit (Q4_1) copy of that base, unpacked to bf16: MistralTune's quickstart."]
    return "\n".join(lines)


def usage(card: Card) -> str:
    """How to load it."""
    if card.merged:
        lines = ["from transformers import AutoModelForCausalLM", ""]
        lines += [f'model = AutoModelForCausalLM.from_pretrained("{card.repo}")']
        shell = f"mistraltune chat --model {card.repo}"
    else:
        base = card.base_on_hub or f"path/to/{card.base}"
        revision = f', revision="{card.revision}"' if card.revision else ""
        lines = ["from peft import PeftModel", "from transformers import AutoModelForCausalLM", ""]
        lines += [f'base = AutoModelForCausalLM.from_pretrained("{base}"{revision})']
        lines += [f'model = PeftModel.from_pretrained(base, "{card.repo}")']
        shell = ""
    text = "## Use\n\n```python\n" + "\n".join(lines) + "\n```"
    return f"{text}\n\nOr `{shell}`." if shell else text


def data(card: Card) -> str:
    """Rows, tokens and hashes; the rows themselves stay where they are."""
    plan, identity = card.metadata.get("plan", {}), card.metadata["identity"]
    lines = [
        "## Data",
        "",
        "| | rows | tokens | trained tokens | left out | cut | SHA-256 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, key in (("training", "train"), ("validation", "validation")):
        if counts := plan.get(key):
            digest = identity.get("train_sha256" if key == "train" else "val_sha256") or ""
            numbers = ("num_rows", "num_tokens", "num_trained_tokens", "num_dropped", "num_truncated")
            cells = " | ".join(f"{counts[number]:,}" for number in numbers)
            lines.append(f"| {name} | {cells} | `{digest}` |")
    return "\n".join(lines)


def training(card: Card) -> str:
    """The settings that decide a result, and what came of them."""
    config, metrics = card.metadata["identity"]["config"], card.metrics
    facts = dict(plain_values(config, ("quantization", "training", "lora")))
    shown = {"train_loss": "training loss", "val_loss": "validation loss", "num_steps": "steps"}
    results = [f"{words} {metrics[name]:.4g}" for name, words in shown.items() if metrics.get(name) is not None]
    lines = ["## Training", "", f"Result: {', '.join(results)} (losses in nats per trained token).", ""]
    return "\n".join([*lines, "```yaml", *(f"{key}: {value}" for key, value in facts.items()), "```"])


def plain_values(config: Mapping[str, Any], sections: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Dotted keys and values of some sections, without those that are unset."""
    for section in sections:
        value = config.get(section)
        entries = value.items() if isinstance(value, Mapping) else [("", value)]
        for key, entry in entries:
            if entry is not None:
                yield f"{section}.{key}" if key else section, json.dumps(entry) if not isinstance(entry, str) else entry


def evaluation(card: Card) -> str:
    """Figures of each evaluation with their 95 % intervals, and how a merged model agrees with the adapter."""
    lines: list[str] = []
    for report in card.evaluations.shown:
        lines += [describe_evaluation(report), ""]
        lines += ["| metric | value | 95 % interval |", "|---|---|---|"]
        for name, value in report.metrics.items():
            interval = report.intervals.get(name)
            lines.append(f"| {label(name)} | {figure(name, value)} | {span(name, interval) if interval else ''} |")
        lines.append("")
    if lines and card.merged:
        lines += ["These figures are of the adapter on the base as it was trained on, not of the merged weights.", ""]
    if note := card.evaluations.note():
        lines += [note, ""]
    for found in (card.merged or {}).get("agreement", ()):
        lines.append(
            f"Of {found['num_prompts']} greedy answers, {found['num_same_answers']} are those of "
            f"{found['compared_with']} ({read_agreement(found, held_in=held_in(card.merged or {})).text})."
        )
    return "\n".join(["## Evaluation", "", *lines]).rstrip() if lines else ""


def versions(card: Card) -> str:
    """What it was made with."""
    found = card.metadata.get("versions", {})
    return "## Made with\n\n" + ", ".join(f"{name} {version}" for name, version in found.items()) if found else ""
