"""What accelerate's settings for FSDP mean here: honoured, told of, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mistraltune.abilities import Launch
from mistraltune.backends.local import LocalBackend
from mistraltune.backends.local.launching import find_formation
from mistraltune.backends.local.sharding import (
    Formation,
    Sharding,
    hidden_from_libraries,
    own_formation,
    read_formation,
)
from mistraltune.config import TrainConfig
from mistraltune.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "examples" / "slurm" / "fsdp.yaml"

FSDP2 = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
"""What `accelerate launch` sets, or a person under torchrun."""


def read(variables: dict[str, str], num_processes: int = 2) -> Formation:
    return read_formation(variables, place="in the environment", num_processes=num_processes, num_here=2)


def write_config(folder: Path, **fsdp: Any) -> Launch:
    """accelerate's own file, for four processes on two machines."""
    lines = [f"  {key}: {value}\n" for key, value in fsdp.items()]
    path = folder / "fsdp.yaml"
    path.write_text(
        "distributed_type: FSDP\nnum_machines: 2\nmain_process_ip: node-1\nnum_processes: 4\nfsdp_config:\n"
        + "".join(lines),
        encoding="utf-8",
    )
    return Launch("accelerate", None, str(path))


def test_without_accelerates_word_each_process_holds_the_whole_base() -> None:
    assert read({}) == Formation(2, 2, None)
    assert read({"ACCELERATE_USE_FSDP": "false", "FSDP_VERSION": "2"}).sharding is None


def test_variables_and_file_ask_for_the_same(tmp_path: Path) -> None:
    asked = {"fsdp_version": 2, "fsdp_reshard_after_forward": "false", "fsdp_offload_params": "true"}
    by_file = find_formation(write_config(tmp_path, **asked))
    assert by_file == Formation(4, 2, Sharding(reshard_after_forward=False, offload_params=True, loads_in_turns=True))
    variables = {key.upper(): str(value) for key, value in asked.items()}
    by_variables = read({"ACCELERATE_USE_FSDP": "true", **variables})
    assert by_variables.sharding == by_file.sharding


def test_accelerate_makes_those_variables_of_its_file(tmp_path: Path) -> None:
    """What the launcher tells the processes is what was read of the file before."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    launch = write_config(
        tmp_path, fsdp_version=2, fsdp_offload_params="true", fsdp_state_dict_type="SHARDED_STATE_DICT"
    )
    options = [f"--config_file={launch.accelerate_config}", "--main_process_port=0", "--num_machines=1", "script"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(options))
    told = read(prepare_multi_gpu_env(arguments))
    known = find_formation(launch)
    assert (told.sharding, told.passed_over) == (known.sharding, known.passed_over)
    assert told.passed_over == ("fsdp_state_dict_type=SHARDED_STATE_DICT",)


def test_the_shipped_file_is_read_as_its_comments_say() -> None:
    formation = find_formation(Launch("accelerate", None, str(EXAMPLE)))
    assert formation == Formation(8, 4, Sharding(loads_in_turns=True), ())


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP_VERSION 1, the default, in the environment", "set FSDP_VERSION=2"),
        (FSDP2 | {"FSDP_VERSION": "1"}, "FSDP_VERSION 1 in the environment", "set FSDP_VERSION=2"),
        (FSDP2 | {"FSDP_ACTIVATION_CHECKPOINTING": "true"}, "fsdp_activation_checkpointing", "local.activation_ch"),
        (FSDP2 | {"FSDP_IGNORED_MODULES": "lm_head"}, "fsdp_ignored_modules lm_head", "leave it out"),
        (FSDP2 | {"FSDP_RESHARD_AFTER_FORWARD": "FULL_SHARD"}, "fsdp_reshard_after_forward FULL_SHARD", "true or"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed is asked for in the environment", "fsdp_version 2"),
        (FSDP2 | {"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "tensor or context parallelism", "fsdp_version 2"),
        (FSDP2 | {"ACCELERATE_MIXED_PRECISION": "fp8"}, "mixed_precision fp8 is asked for", "nf4"),
    ],
)
def test_what_is_not_done_is_refused_by_name(variables: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        read(variables)
    assert hint in refused.value.hint


def test_one_process_has_nobody_to_share_with() -> None:
    with pytest.raises(ConfigError, match="FSDP is asked for in the environment, but there is one process"):
        read(FSDP2, num_processes=1)


def test_what_has_no_effect_is_told_and_what_goes_without_saying_is_not() -> None:
    defaults = {"FSDP_USE_ORIG_PARAMS": "true", "FSDP_SHARDING_STRATEGY": "FULL_SHARD", "FSDP_MIN_NUM_PARAMS": "0"}
    assert read(FSDP2 | defaults).passed_over == ()
    odd = {"FSDP_TRANSFORMER_CLS_TO_WRAP": "MistralMLP", "ACCELERATE_MIXED_PRECISION": "bf16"}
    assert read(FSDP2 | odd).passed_over == (
        "fsdp_transformer_layer_cls_to_wrap=MistralMLP",
        "mixed_precision=bf16 (local.dtype decides)",
    )


def test_the_first_fsdp_in_a_file_is_refused_with_what_to_write_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fsdp_version 1 in .*fsdp\.yaml") as refused:
        find_formation(write_config(tmp_path, fsdp_version=1))
    assert "to-fsdp2" in refused.value.hint


def test_a_misspelt_key_is_refused_where_accelerate_would_pass_it_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fsdp\.yaml: fsdp_config has no key fsdp_ofload_params"):
        find_formation(write_config(tmp_path, fsdp_version=2, fsdp_ofload_params="true"))


def test_a_base_in_8_bits_is_refused_before_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in (FSDP2 | told).items():
        monkeypatch.setenv(name, value)
    assert own_formation() == Formation(2, 2, Sharding())
    values = {"model": "nobody/nothing", "data": {"train_file": "rows.jsonl"}, "quantization": "int8"}
    config = TrainConfig.model_validate(values)
    with pytest.raises(ConfigError, match="FSDP cannot shard a base in 8 bits"):
        LocalBackend().trainer(config)


def test_the_libraries_see_none_of_it_while_they_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(ZeroDivisionError), hidden_from_libraries():
        assert not [name for name in os.environ if name in ("ACCELERATE_USE_FSDP", "ACCELERATE_MIXED_PRECISION")]
        _ = 1 / 0
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"
