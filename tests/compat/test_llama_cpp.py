"""GGUF files in llama.cpp itself: the same tokens, the same answers, and its server behind `eval --model api:...`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import mistral_common
import pytest
import torch
from faulty_api import KEY, write_endpoints

from mistraltune.backends.local import LocalBackend, LocalTrainConfig
from mistraltune.backends.local.gguf_export import read_with_template
from mistraltune.backends.local.gguf_writing import FILE_TYPES, write_gguf
from mistraltune.backends.local.loading import load_base, load_renderer
from mistraltune.backends.local.merging import merge
from mistraltune.backends.local.modelfile import SAMPLES, say
from mistraltune.configuring import load_config
from mistraltune.data.conversation import Conversation, message_dicts
from mistraltune.errors import DataError
from mistraltune.evaluation.prompts import read_prompts
from mistraltune.exporting.agreement import compare_answers
from mistraltune.exporting.agreement_reading import EXPLAINED
from mistraltune.interfaces import Completion, Renderer, Sampling
from mistraltune.registry import find_model
from mistraltune.shipped import example_dir
from mistraltune.training import train

CLIENTS = os.environ.get("MISTRALTUNE_CLIENTS", "")
MODEL = os.environ.get("MISTRALTUNE_COMPAT_MODEL", "quickstart")
TRIAGE = example_dir("support_triage")
PROMPTS = read_prompts(TRIAGE / "val.jsonl")[:20]
MAX_NEW_TOKENS = 8 if MODEL == "tiny" else 128

pytestmark = [
    pytest.mark.skipif(not CLIENTS, reason="`nox -s compat` makes llama.cpp's environment"),
    pytest.mark.timeout(1200),
]

TOKENIZERS = {
    "v1": ("tokenizer.model.v1", "tokenizer.model.v1"),
    "v2": ("mistral_instruct_tokenizer_240216.model.v2", "tokenizer.model.v2"),
    "v3": ("mistral_instruct_tokenizer_240323.model.v3", "tokenizer.model.v3"),
    "v7": ("mistral_instruct_tokenizer_241114.model.v7", "tokenizer.model.v7"),
    "tekken": ("tekken_240911.json", "tekken.json"),
}
AWKWARD = (
    say("  two spaces first,\tthen a tab\n\n\nand  lines "),
    say("L'été à Noël, c'est 1234567,89 € 🙂👩‍🚀 你好 Здравствуйте"),
    say("if x == 1:\n\treturn {'a': [1, 2]}  # ok", "Yes.", "It'S DON'T we'LL"),
)


@contextmanager
def llama_cpp(*files: Path) -> Iterator[list[httpx2.Client]]:
    """A client of llama.cpp's server for each file."""
    python = Path(CLIENTS) / "llama.cpp" / "bin" / "python"
    script = Path(__file__).parent / "clients" / "llama_cpp_server.py"
    log = files[0].with_suffix(".log")
    with (
        log.open("wb") as told,
        subprocess.Popen(
            [str(python), str(script), *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        addresses = [process.stdout.readline().strip() for _ in files]
        assert all(addresses), log.read_text(errors="replace")
        clients = [httpx2.Client(base_url=address, timeout=300) for address in addresses]
        yield clients
        for client in clients:
            client.close()
        process.stdin.close()


def tokenize(server: httpx2.Client, text: str) -> list[int]:
    """llama.cpp's tokens of a prompt, names of control tokens read as such."""
    answer = server.post("/tokenize", json={"content": text, "add_special": True, "parse_special": True})
    return list(answer.raise_for_status().json()["tokens"])


def apply_template(server: httpx2.Client, conversation: Conversation) -> str:
    """The prompt that llama.cpp makes of a conversation with the template in the file."""
    answer = server.post("/apply-template", json={"messages": message_dicts(conversation)})
    return str(answer.raise_for_status().json()["prompt"])


def complete(server: httpx2.Client, prompt: Sequence[int]) -> Completion:
    """llama.cpp's greedy answer to a prompt."""
    asked = {"prompt": list(prompt), "n_predict": MAX_NEW_TOKENS, "temperature": 0, "return_tokens": True}
    answer = server.post("/completion", json=asked).raise_for_status().json()
    token_ids = tuple(answer["tokens"])
    return Completion(text=answer["content"], num_tokens=len(token_ids), finish_reason="stop", token_ids=token_ids)


def write_file(model: Path, file: Path, *, file_type: str) -> Path:
    """A model directory as `export gguf` writes it; what that reads back is not read here."""
    ref = find_model(str(model))
    write_gguf(read_with_template(ref, load_renderer(ref), name=model.name), file, file_type=file_type)
    return file


@pytest.fixture(scope="module")
def tokenizing(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Renderer, httpx2.Client]]]:
    """For each of Mistral's tokenizers, its renderer, and llama.cpp with a tiny model that has it."""
    place = tmp_path_factory.mktemp("tokenizers")
    models = {name: write_tiny_model(tiny_model, place / name, *files) for name, files in TOKENIZERS.items()}
    files = [write_file(model, place / f"{name}.gguf", file_type="q8_0") for name, model in models.items()]
    with llama_cpp(*files) as servers:
        yield {
            name: (load_renderer(find_model(str(model))), server)
            for (name, model), server in zip(models.items(), servers, strict=True)
        }


def write_tiny_model(tiny_model: Path, folder: Path, source: str, name: str) -> Path:
    """The tiny model with another tokenizer, and embeddings for its tokens."""
    shutil.copytree(tiny_model, folder)
    (folder / "tokenizer.model.v3").unlink()
    shutil.copyfile(Path(mistral_common.__file__).parent / "data" / source, folder / name)
    if name == "tekken.json":
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
        model.resize_token_embeddings(131_072, mean_resizing=False)
        model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", TOKENIZERS)
def test_llama_cpp_reads_prompts_token_for_token(
    tokenizing: dict[str, tuple[Renderer, httpx2.Client]], name: str
) -> None:
    renderer, server = tokenizing[name]
    asked = 0
    for conversation in [*SAMPLES, *AWKWARD, *PROMPTS]:
        try:
            expected = renderer.prompt(conversation)
        except DataError:  # v1 knows no system message
            continue
        assert tokenize(server, apply_template(server, conversation)) == expected
        asked += 1
    assert asked > 20


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory: the quickstart model after 30 steps, merged; or tiny and random, but sure of itself."""
    place = tmp_path_factory.mktemp("model")
    if MODEL == "tiny":
        return write_decided_model(tiny_model, place / "tiny")
    options = {"output_dir": str(place), "run_id": "run"}
    options |= {f"data.{split}_file": str(TRIAGE / f"{split}.jsonl") for split in ("train", "val")}
    steps = ["training.max_steps=30"]
    config = load_config(LocalTrainConfig, files=[str(TRIAGE / "train.yaml")], options=options, overrides=steps).config
    merge(train(LocalBackend(), config).model, place / "merged", dtype="bfloat16")
    return place / "merged"


def write_decided_model(tiny_model: Path, folder: Path) -> Path:
    """The tiny model with weights so large that rounding seldom changes which token is the likeliest."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    larger = {key: weight * 8 if weight.dim() > 1 else weight for key, weight in weights.items()}
    save_file(larger, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def serving(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx2.Client]]:
    """llama.cpp with a file of each type of that model."""
    place = tmp_path_factory.mktemp("gguf")
    files = [write_file(model, place / f"{name}.gguf", file_type=name) for name in FILE_TYPES]
    with llama_cpp(*files) as servers:
        yield dict(zip(FILE_TYPES, servers, strict=True))


LARGEST_ERROR = {"bf16": 0.02, "q8_0": 0.05, "q4_0": 0.4}
"""Of the logarithm of a likely token's probability, as a share of how far it lies above the mean of all tokens."""


@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_llama_cpp_finds_the_same_tokens_likely(model: Path, serving: dict[str, httpx2.Client], file_type: str) -> None:
    """Against transformers in float32 on the unquantised weights."""
    ref = find_model(str(model))
    renderer, ours = load_renderer(ref), load_base(ref, dtype=torch.float32).eval()
    errors, spreads = [], []
    for prompt in PROMPTS[:5]:
        token_ids = renderer.prompt(prompt)
        with torch.inference_mode():
            expected = ours(input_ids=torch.tensor([token_ids])).logits[0, -1].log_softmax(-1)
        asked = {"prompt": token_ids, "n_predict": 1, "temperature": 0, "n_probs": 20}
        answer = serving[file_type].post("/completion", json=asked).raise_for_status().json()
        likely = answer["completion_probabilities"][0]["top_logprobs"]
        theirs = torch.tensor([token["logprob"] for token in likely])
        errors.append(theirs - expected[[token["id"] for token in likely]])
        spreads.append(theirs - expected.mean())
    error, spread = (torch.cat(parts).square().mean().sqrt() for parts in (errors, spreads))
    print(f"{file_type}: {error / spread:.4f} of {spread:.1f} nats")
    assert error / spread < LARGEST_ERROR[file_type]


@pytest.mark.skipif(MODEL == "tiny", reason="the answers of random weights are close calls, all of them")
@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_llama_cpp_answers_as_the_model_does_as_far_as_rounding_allows(
    model: Path, serving: dict[str, httpx2.Client], file_type: str
) -> None:
    """These are the figures of the README."""
    renderer = load_renderer(find_model(str(model)))
    with closing(LocalBackend().chat_model(find_model(str(model)))) as opened:
        ours = list(opened.generate(PROMPTS, Sampling(max_new_tokens=MAX_NEW_TOKENS)))
    theirs = [complete(serving[file_type], renderer.prompt(prompt)) for prompt in PROMPTS]
    found = compare_answers(theirs, ours)
    print(f"{file_type}: {found.figures()}")
    assert found.num_same_tokens / found.num_tokens >= EXPLAINED[file_type], found


def test_its_server_is_an_endpoint_that_eval_asks(
    model: Path, serving: dict[str, httpx2.Client], mistraltune: Any, tmp_path: Path
) -> None:
    """The template in the file makes the prompts that the renderer makes, so the answers are the same."""
    write_endpoints(tmp_path / "config", llamacpp=str(serving["q8_0"].base_url))
    done = mistraltune(
        *("eval", "--model", "api:tickets@llamacpp", "--eval-file", TRIAGE / "val.jsonl", "--json"),
        *("--limit", str(len(PROMPTS)), "--max-new-tokens", str(MAX_NEW_TOKENS), "--batch-size", "1"),
        MISTRALTUNE_CONFIG_DIR=str(tmp_path / "config"),
        LAB_API_KEY=KEY,
    )
    assert done.returncode == 0, done.stderr
    file = tmp_path / json.loads(done.stdout)["predictions_file"]
    predictions = [json.loads(line) for line in file.read_text().splitlines()]
    renderer = load_renderer(find_model(str(model)))
    answers = [complete(serving["q8_0"], renderer.prompt(prompt)) for prompt in PROMPTS]
    assert [one["text"] for one in predictions] == [answer.text for answer in answers]
    assert [one["num_tokens"] for one in predictions] == [answer.num_tokens for answer in answers]
