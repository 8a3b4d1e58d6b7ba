"""GGUF files: every weight read back, the tokenizer and the answers as in the model, and clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mistraltune.backends.local import LocalBackend
from mistraltune.backends.local.gguf_layout import permuted
from mistraltune.backends.local.gguf_vocabulary import read_vocabulary
from mistraltune.backends.local.gguf_writing import error_bound, read_back, read_model, write_gguf
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.exporting.converting import convert
from mistraltune.exporting.prompts import pick_prompts
from mistraltune.exporting.records import RECORD
from mistraltune.registry import find_model


def ignore(text: str, num_done: int, num_total: int) -> None:
    pass


def export(model: Path, out: Path, *, file_type: str = "bf16", limit: int = 0) -> tuple[dict[str, Any], bool]:
    ref = find_model(str(model))
    prompts = pick_prompts(ref, file=None, limit=limit, max_new_tokens=6)
    return convert(ref, out, file_type=file_type, prompts=prompts, watch=ignore)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def set_config(model: Path, **changes: Any) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))


def test_a_run_becomes_a_file_that_answers_as_the_merged_model(run: Path, tmp_path: Path) -> None:
    record, was_there = export(run, tmp_path / "out", limit=2)
    assert not was_there
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Modelfile", RECORD, "model-bf16.gguf"]
    assert record["tensors"]["largest_error"] == 0  # bf16 from bf16, norms in float32
    assert record["tensors"]["types"] == {"bf16": 16, "f32": 5}
    assert record["tokenizer"]["num_same"] == record["tokenizer"]["num_prompts"] == 7
    assert record["template"] == {"jinja": True, "ollama": True, "num_prompts": 2, "num_same": 2}
    [agreement] = record["agreement"]
    assert agreement["num_prompts"] == agreement["num_same_answers"] == 2
    assert "TEMPLATE" in (tmp_path / "out" / "Modelfile").read_text()
    assert str(tmp_path) not in json.dumps(record)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]  # the merged model was scratch
    assert export(run, tmp_path / "out", limit=2) == (record, True)


@pytest.mark.parametrize(("file_type", "types"), [("q8_0", {"q8_0": 16}), ("q4_0", {"q4_0": 15, "q8_0": 1})])
def test_quantised_weights_read_back_within_their_types_bound(
    tiny_model: Path, tmp_path: Path, file_type: str, types: dict[str, int]
) -> None:
    model = read_model(tiny_model, name="tiny")
    write_gguf(model, tmp_path / "model.gguf", file_type=file_type)
    written = read_back(model, tmp_path / "model.gguf")
    assert written.types == types | {"f32": 5}
    assert 0.5 < written.largest_share <= 1


def test_a_weight_that_changed_on_disk_is_found(tiny_model: Path, tmp_path: Path) -> None:
    model = read_model(tiny_model, name="tiny")
    file = tmp_path / "model.gguf"
    write_gguf(model, file, file_type="q8_0")
    content = bytearray(file.read_bytes())
    content[-40] ^= 0x40
    file.write_bytes(content)
    with pytest.raises(TemporaryError, match="reads back with an error"):
        read_back(model, file)


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_the_bound_holds_on_awkward_blocks_and_is_not_loose(kind: str) -> None:
    import gguf

    blocks = torch.stack(
        [
            torch.linspace(-1, 1, 32),
            torch.cat([torch.tensor([-3.0, 3.0]), torch.zeros(30)]),
            torch.full((32,), 1e-9),
            torch.randn(32, generator=torch.Generator().manual_seed(1)) * 1e-4,
            torch.randn(32, generator=torch.Generator().manual_seed(2)) * 100,
        ]
    )
    type_ = gguf.GGMLQuantizationType[kind.upper()]
    back = torch.from_numpy(gguf.dequantize(gguf.quantize(blocks.numpy(), type_), type_).copy())
    error, bound = (back - blocks).abs(), error_bound(blocks, kind)
    assert (error <= bound).all()
    assert (error / bound).max() > 0.85


def test_query_rows_turn_in_neighbouring_pairs() -> None:
    weight = torch.arange(8.0).reshape(8, 1)  # two heads of four rows: 0 turns with 2, 1 with 3
    assert permuted(weight, 2).flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_transformers_computes_the_same_from_the_file(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from mistraltune.backends.local.loading import load_gguf

    model = read_model(tiny_model, name="tiny")
    write_gguf(model, tmp_path / "model.gguf", file_type="bf16")
    ours = load_gguf(tmp_path / "model.gguf", dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    token_ids = torch.arange(3, 40).reshape(1, -1)
    with torch.inference_mode():
        torch.testing.assert_close(ours(token_ids).logits, theirs(token_ids).logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model_type": "mixtral"}, "its layout is mixtral"),
        ({"sliding_window": 1024}, "a sliding window of 1,024 tokens"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "positions are scaled"),
        ({"hidden_act": "gelu"}, "its activation is gelu"),
        ({"num_hidden_layers": 3}, "it has 21 weights, not 30"),
        ({"vocab_size": 100}, "its embeddings 100"),
    ],
)
def test_what_such_a_file_would_not_say_is_refused_by_name(
    model: Path, tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    set_config(model, **changes)
    with pytest.raises(ConfigError, match=word):
        export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_whose_layout_is_not_known_is_refused_before_it_is_merged(
    run: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_config(model, model_type="mixtral")
    monkeypatch.setattr(LocalBackend, "merge", lambda *_, **__: pytest.fail("merged"))
    ref = find_model(str(run)).model_copy(update={"model": str(model)})
    prompts = pick_prompts(ref, file=None, limit=0, max_new_tokens=1)
    with pytest.raises(ConfigError, match="its layout is mixtral"):
        convert(ref, tmp_path / "out", file_type="bf16", prompts=prompts, watch=ignore)
    assert not (tmp_path / "out").exists()


def test_a_weight_that_the_layout_does_not_know_is_refused_by_name(model: Path, tmp_path: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file(weights | {"model.layers.0.self_attn.sinks": torch.zeros(4)}, model / "model.safetensors")
    with pytest.raises(ConfigError, match=r"a weight model.layers.0.self_attn.sinks"):
        export(model, tmp_path / "out")


def test_a_tokenizer_of_another_kind_is_refused(model: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    (model / "tokenizer.model.v3").unlink()
    words = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1, "<end>": 2}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<end>").save_pretrained(model)
    (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}<end>{% endfor %}")
    with pytest.raises(ConfigError, match=r"its tokenizer.json splits or normalises texts as no known one"):
        export(model, tmp_path / "out")


def test_embeddings_with_more_rows_than_tokens_get_unused_tokens(model: Path) -> None:
    vocabulary = read_vocabulary(model, name="tiny").padded(32_770, name="tiny")
    assert vocabulary.tokens[-2:] == ["[PAD32768]", "[PAD32769]"]
    assert len(vocabulary.tokens) == len(vocabulary.types) == len(vocabulary.scores) == 32_770


def test_the_command_prints_what_reading_back_showed(model: Path, mistraltune: Any) -> None:
    command = ("export", "gguf", model, "out", "--num-prompts", "1", "--max-new-tokens", "2")
    outcome = mistraltune(*command, "--type", "q8_0")
    assert outcome.returncode == 0, outcome.stderr
    assert "weights read back: 21 (16 q8_0, 5 f32), largest error" in outcome.stdout
    assert "tokenizer read back: 6 of 6 prompts token for token" in outcome.stdout
    assert "1 general questions" in outcome.stdout
    again = mistraltune(*command, "--type", "q4_0", "--json")
    assert again.returncode == 2
    assert "different: type" in json.loads(again.stdout)["error"]["message"]
