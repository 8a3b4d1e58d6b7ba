"""`mistraltune export ...`: what a trained model becomes elsewhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mistraltune.cli.completion import complete_model, complete_run
from mistraltune.cli.console import JsonOption, note, print_json, show
from mistraltune.cli.counting import CountingProgress

app = typer.Typer(no_args_is_help=True, help="Merge a run into one model, convert it, publish it.")


class Dtype(StrEnum):
    """Precision of a merged model."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class GgufType(StrEnum):
    """Type of the weights in a GGUF file."""

    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


NumPrompts = Annotated[int, typer.Option("--num-prompts", min=0, metavar="N", help="Prompts to compare on; 0: none.")]
PromptsFile = Annotated[
    Path | None,
    typer.Option(
        "--prompts-file",
        help="A prompt a line, or JSONL with `messages` rows.",
        show_default="the run's validation rows, else its training rows",
    ),
]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")]


@app.command("merge")
def merge(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A finished run, or an adapter directory.", autocompletion=complete_run)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The model directory to write.")],
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Precision of the weights.")] = Dtype.BFLOAT16,
    num_prompts: NumPrompts = 20,
    prompts_file: PromptsFile = None,
    max_new_tokens: MaxNewTokens = 128,
    as_json: JsonOption = False,
) -> None:
    """Merge a run's adapter into the 16-bit weights of its base: one model directory, for any tool.

    Then the merged model and the adapter answer the same prompts greedily, and how far they agree is printed and
    recorded. The same command again finds the model and computes nothing.
    """
    from mistraltune.exporting.agreement_reading import warnings
    from mistraltune.exporting.merging import merge_run
    from mistraltune.exporting.prompts import pick_prompts
    from mistraltune.registry import find_model

    ref = find_model(run)
    prompts = pick_prompts(ref, file=prompts_file, limit=num_prompts, max_new_tokens=max_new_tokens)
    with CountingProgress(as_json=as_json) as watch:
        record, was_there = merge_run(ref, out, dtype=dtype.value, prompts=prompts, watch=watch)
    if was_there:
        note("merged already; nothing was merged again")
    if as_json:
        print_json({"folder": str(out), "already_merged": was_there, "warnings": warnings(record), **record})
        return
    show(f"merged model: {out} ({dtype.value})")
    show_agreement(record, what="the merged model")


@app.command("gguf")
def gguf(
    model: Annotated[
        str, typer.Argument(metavar="RUN_OR_MODEL", help="A run, adapter or model.", autocompletion=complete_model)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The directory to write.")],
    file_type: Annotated[GgufType, typer.Option("--type", help="Type of the weights.")] = GgufType.Q8_0,
    num_prompts: NumPrompts = 20,
    prompts_file: PromptsFile = None,
    max_new_tokens: MaxNewTokens = 128,
    as_json: JsonOption = False,
) -> None:
    """Write a run or a model as a GGUF file for llama.cpp and Ollama, with a Modelfile of the same template.

    Every weight is read back and compared with its source; then the file, as transformers loads it, and the model
    answer the same prompts greedily. Other types (K-quants): write bf16, then use llama-quantize of llama.cpp.
    """
    from mistraltune.exporting.agreement_reading import warnings
    from mistraltune.exporting.converting import convert
    from mistraltune.exporting.prompts import pick_prompts
    from mistraltune.registry import find_model

    ref = find_model(model)
    prompts = pick_prompts(ref, file=prompts_file, limit=num_prompts, max_new_tokens=max_new_tokens)
    with CountingProgress(as_json=as_json) as watch:
        record, was_there = convert(ref, out, file_type=file_type.value, prompts=prompts, watch=watch)
    if was_there:
        note("written already; nothing was written again")
    if as_json:
        print_json({"folder": str(out), "already_written": was_there, "warnings": warnings(record), **record})
        return
    show(f"GGUF file: {out / record['file']}\nfor Ollama: ollama create NAME -f {out / 'Modelfile'}")
    show_read_back(record)
    show_agreement(record, what="the GGUF model")


@app.command("push")
def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run.", autocompletion=complete_run)],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The model repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    merged: Annotated[
        Path | None, typer.Option("--merged", metavar="DIR", help="Publish this merged model, not the adapter.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the model card and send nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a run on the Hugging Face Hub, with a model card made of what it recorded.

    The key is HF_TOKEN of the environment or of .env. The card holds base, data hashes and counts, settings, figures
    with their intervals and versions; no rows, and no path of this machine.
    """
    from mistraltune.exporting import pushing
    from mistraltune.registry import find_model

    planned = pushing.plan_push(find_model(run), repo, merged=merged)
    names = sorted(planned.files)
    if planned.note:
        note(planned.note)
    if dry_run:
        if as_json:
            print_json({"repo": repo, "private": private, "files": names, "card": planned.card, "url": None})
            return
        note(f"would publish to {repo}: {', '.join(names)}")
        show(planned.card.rstrip())
        return
    note(f"publishing {len(names)} files to {repo} ...")
    url = pushing.push(planned, private=private)
    if as_json:
        print_json({"repo": repo, "private": private, "files": names, "card": planned.card, "url": url})
        return
    show(f"published: {url}")


def show_read_back(record: dict[str, Any]) -> None:
    """Say what reading the file back showed."""
    tensors, tokenizer, template = record["tensors"], record["tokenizer"], record["template"]
    types = ", ".join(f"{number} {kind}" for kind, number in tensors["types"].items())
    show(
        f"weights read back: {tensors['num_tensors']} ({types}), largest error {tensors['largest_error']:.3g}, "
        f"{100 * tensors['largest_share']:.0f} % of what the type may lose"
    )
    show(f"tokenizer read back: {tokenizer['num_same']} of {tokenizer['num_prompts']} prompts token for token")
    if template["ollama"]:
        show(f"Modelfile's template: {template['num_same']} of {template['num_prompts']} prompts as in training")
    else:
        note("the chat format is none that is written as a Go template here; the Modelfile has none")
    if not template["jinja"]:
        note("no Jinja template says what the renderer says; the GGUF file has none")


def show_agreement(record: dict[str, Any], *, what: str) -> None:
    """Say how far exported and original model give the same answers, and what that means."""
    from mistraltune.exporting.agreement_reading import held_in, read_agreement, warnings

    asked = record["prompts"]
    if not record["agreement"]:
        show(f"not compared: {what} was asked no prompts (--num-prompts)")
        return
    show(f"greedy answers of {what} to {asked['num_prompts']} {asked['origin']}, compared with")
    for figures in record["agreement"]:
        shown = f"{figures['num_same_answers']} of {figures['num_prompts']} answers the same"
        if figures["token_agreement"] is not None:
            shown += f", {100 * figures['token_agreement']:.1f} % of {figures['num_tokens']} tokens"
        show(f"  {figures['compared_with']}: {shown}")
        show(f"    {read_agreement(figures, held_in=held_in(record)).text}")
    for warning in warnings(record):
        note(f"warning: {warning}")
