"""Merging: the right weights, a whole model, and figures that say what was compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mistraltune.backends.local import LocalBackend, merging
from mistraltune.errors import ConfigError, TemporaryError
from mistraltune.exporting.merging import merge_run
from mistraltune.exporting.prompts import Prompts, pick_prompts
from mistraltune.exporting.records import RECORD
from mistraltune.registry import find_model
from mistraltune.results import ModelRef

NOTHING = Prompts((), "none", 8)


def ignore(text: str, num_done: int, num_total: int) -> None:
    pass


def merge(run: Path, out: Path, prompts: Prompts = NOTHING, dtype: str = "bfloat16") -> tuple[dict, bool]:
    return merge_run(find_model(str(run)), out, dtype=dtype, prompts=prompts, watch=ignore)


@pytest.fixture
def merged(run: Path, tmp_path: Path) -> Path:
    merge(run, tmp_path / "merged")
    return tmp_path / "merged"


def test_the_adapter_goes_into_the_16_bit_weights_and_not_into_those_of_4_bits(
    run: Path, merged: Path, tiny_model: Path
) -> None:
    base, adapter = load_file(tiny_model / "model.safetensors"), load_file(run / "adapter_model.safetensors")
    result = load_file(merged / "model.safetensors")
    config = json.loads((run / "adapter_config.json").read_text())
    changed = [name for name in base if not torch.equal(base[name], result[name])]
    assert len(changed) == 2 * 7  # layers x linear modules
    for name in changed:
        a, b = (adapter[f"base_model.model.{name.removesuffix('.weight')}.lora_{part}.weight"] for part in "AB")
        delta = config["lora_alpha"] / config["r"] * (b @ a)
        torch.testing.assert_close(result[name], (base[name].float() + delta).bfloat16(), rtol=2.0**-7, atol=1e-7)
        exact = (result[name] == (base[name].float() + delta).bfloat16()).float().mean()
        assert exact > 0.999, name  # the rest lies between two numbers, where the order of additions decides
        assert result[name].dtype == torch.bfloat16


def test_the_directory_is_a_whole_model_for_transformers(merged: Path, tiny_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(merged, local_files_only=True)
    assert model.dtype == torch.bfloat16
    assert not hasattr(model.config, "quantization_config")
    name = "tokenizer.model.v3"
    assert (merged / name).read_bytes() == (tiny_model / name).read_bytes()
    assert not list(merged.glob("adapter_*"))


def test_the_figures_say_what_was_compared_and_are_kept_beside_the_model(run: Path, tmp_path: Path) -> None:
    prompts = pick_prompts(find_model(str(run)), file=None, limit=2, max_new_tokens=6)
    record, was_there = merge(run, tmp_path / "out", prompts)
    assert not was_there
    assert record == json.loads((tmp_path / "out" / RECORD).read_text())
    assert record["prompts"]["origin"] == "validation rows"
    on_16_bit, on_nf4 = record["agreement"]
    assert (on_16_bit["quantization"], on_nf4["quantization"]) == ("none", "nf4")
    assert on_16_bit["num_prompts"] == on_nf4["num_prompts"] == 2
    assert on_16_bit["num_same_tokens"] >= on_nf4["num_same_tokens"]
    assert str(tmp_path) not in json.dumps(record)


def test_a_rerun_finds_it_done_and_other_prompts_are_compared_without_merging_again(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    merge(run, out)
    weights = (out / "model.safetensors").stat().st_ino
    assert merge(run, out)[1]
    prompts = pick_prompts(find_model(str(run)), file=None, limit=1, max_new_tokens=2)
    record, was_there = merge(run, out, prompts)
    assert was_there
    assert record["prompts"]["num_prompts"] == 1
    assert json.loads((out / RECORD).read_text()) == record
    assert (out / "model.safetensors").stat().st_ino == weights
    assert merge(run, out) == (record, True)  # asked nothing, the figures stay


def test_another_export_and_a_foreign_directory_are_left_alone(run: Path, merged: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="different: dtype"):
        merge(run, merged, dtype="float16")
    before = sorted(path.name for path in run.iterdir())
    with pytest.raises(ConfigError, match="is no export, but holds"):
        merge(run, run)
    assert sorted(path.name for path in run.iterdir()) == before


def test_what_fails_leaves_nothing_behind(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "free_bytes", lambda path: 1000)
    place = tmp_path / "place"
    with pytest.raises(TemporaryError, match="1,000 bytes are free, the result takes about"):
        merge(run, place / "out")
    assert list(place.iterdir()) == []


def test_a_model_without_an_adapter_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no adapter to merge"):
        merge(tiny_model, tmp_path / "out")


def test_rows_that_have_changed_since_the_training_are_not_asked(run: Path, rows: Path, tmp_path: Path) -> None:
    ref = find_model(str(run))
    assert pick_prompts(ref, file=None, limit=9, max_new_tokens=8).origin == "validation rows"
    changed = tmp_path / "changed.jsonl"
    changed.write_text('{"instruction": "Other", "output": "rows"}\n')
    config = (run / "config.yaml").read_text().replace(str(rows / "val.jsonl"), str(changed))
    (run / "config.yaml").unlink()
    (run / "config.yaml").write_text(config)
    assert pick_prompts(ref, file=None, limit=9, max_new_tokens=8).origin == "training rows"


def test_prompts_of_a_file_come_first(run: Path, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("One?\nTwo?\nThree?\n")
    prompts = pick_prompts(find_model(str(run)), file=tmp_path / "asked.txt", limit=2, max_new_tokens=8)
    assert [each.messages[0].content for each in prompts.conversations] == ["One?", "Two?"]
    assert prompts.origin == "rows of asked.txt"


def test_the_command_merges_prints_and_is_understood_by_eval(run: Path, mistraltune, tmp_path: Path) -> None:
    outcome = mistraltune("export", "merge", run, "merged", "--num-prompts", "1", "--max-new-tokens", "2", "--json")
    assert outcome.returncode == 0, outcome.stderr
    printed = json.loads(outcome.stdout)
    assert printed["already_merged"] is False
    assert printed["agreement"][0]["compared_with"] == "the adapter on the 16-bit base"
    again = mistraltune("export", "merge", run, "merged", "--num-prompts", "1", "--max-new-tokens", "2")
    assert again.returncode == 0
    assert "1 validation rows" in again.stdout
    assert LocalBackend().renderer(ModelRef(model=str(tmp_path / "merged"))).bos_id == 1
    shutil.rmtree(tmp_path / "merged")
