"""Which open weights stand behind the public names of Mistral's models."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from mistraltune.backends.local.inspecting import context_length
from mistraltune.backends.local.locating import find_here
from mistraltune.errors import ConfigError
from mistraltune.registry import find_model
from mistraltune.results import QUICKSTART, ModelRef

PUBLIC_NAMES = {
    QUICKSTART: QUICKSTART,
    "open-mistral-7b": "mistralai/Mistral-7B-Instruct-v0.3",
    "mistral-tiny": "mistralai/Mistral-7B-Instruct-v0.3",
    "open-mistral-nemo": "mistralai/Mistral-Nemo-Instruct-2407",
    "open-mistral-nemo-2407": "mistralai/Mistral-Nemo-Instruct-2407",
    "ministral-8b-latest": "mistralai/Ministral-8B-Instruct-2410",
    "ministral-8b-2410": "mistralai/Ministral-8B-Instruct-2410",
    "mistral-small-latest": "mistralai/Mistral-Small-24B-Instruct-2501",
    "mistral-small-2501": "mistralai/Mistral-Small-24B-Instruct-2501",
    "codestral-latest": "mistralai/Codestral-22B-v0.1",
    "codestral-2405": "mistralai/Codestral-22B-v0.1",
    "mistral-large-latest": "mistralai/Mistral-Large-Instruct-2411",
    "mistral-large-2411": "mistralai/Mistral-Large-Instruct-2411",
}
"""Public name to Hub id: the newest open weights of that name that load as a plain causal language model."""

QUANTIZATION = "nf4"
"""How bases are held, in training and in chats alike, so that an adapter answers on what it was trained on."""


def make_catalogue(options: Sequence[str] = ()) -> dict[str, ModelRef]:
    """The shipped names, with `NAME=REF` options that replace or add.

    Raises:
        ConfigError: An option is not NAME=REF, or names no local base model.
    """
    names = {name: ModelRef(model=model, quantization=QUANTIZATION) for name, model in PUBLIC_NAMES.items()}
    for option in options:
        name, separator, reference = (part.strip() for part in option.partition("="))
        if not (name and separator and reference) or name.startswith("ft:"):
            hint = "for example --model open-mistral-7b=quickstart"
            raise ConfigError(f"--model {option} is not NAME=REF", hint=hint)
        ref = find_model(reference, quantization=QUANTIZATION)
        if ref.backend != "local" or ref.adapter:
            raise ConfigError(
                f"--model {option}: {reference} is no base model on this machine",
                hint="name a model directory, a Hub id or quickstart; fine-tuned models are served by their ft: names",
            )
        names[name] = ref
    return names


def max_context_length(ref: ModelRef) -> int | None:
    """The longest sequence that a base model reads, in tokens; None where its configuration is not here, or unsound."""
    try:
        folder = find_here(ref)
        return context_length(folder) if folder else None
    except ConfigError:
        return None


def describe_unknown(name: str, served: Sequence[str]) -> str:
    """What to say of a model that is not served."""
    near = difflib.get_close_matches(name, served, n=1, cutoff=0.8)
    guess = f"; did you mean {near[0]}?" if near else "."
    shown = ", ".join(sorted(served))
    return f"there is no model {name[:100]!r} here{guess} Served: {shown}. `--model NAME=REF` adds one"
