from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistraltune.backends.api import ApiOptions
from mistraltune.backends.local import LocalOptions
from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import LoadedConfig, dump_yaml, load_config, parse_yaml
from mistraltune.errors import ConfigError
from mistraltune.shipped import shipped_root

ROOT = Path(__file__).parents[1]
LOCAL = train_config_type("local", LocalOptions)
API = train_config_type("api", ApiOptions)
MINIMAL = "model: quickstart\ndata: {train_file: rows.jsonl}\n"


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def minimal(tmp_path: Path) -> str:
    """A file that sets what has no default."""
    return write(tmp_path / "minimal.yaml", MINIMAL)


def load(*files: str, overrides: tuple[str, ...] = (), **options: Any) -> TrainConfig:
    dotted = {key.replace("__", "."): value for key, value in options.items()}
    config: TrainConfig = load_config(LOCAL, files=files, overrides=overrides, options=dotted).config
    return config


def refusal(*files: str, overrides: tuple[str, ...] = (), **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        load(*files, overrides=overrides, **options)
    return refused.value


# Where values come from


def test_later_layers_win_and_leave_the_rest_alone(tmp_path: Path, minimal: str) -> None:
    lora = write(tmp_path / "lora.yaml", "lora: {r: 8, alpha: 16}\ntraining: {seed: 1, batch_size: 2, epochs: 1}\n")
    config = load(minimal, lora, overrides=("training.seed=2", "training.batch_size=3"), training__batch_size=5)
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (8, 16, 0.05)
    assert (config.training.epochs, config.training.seed, config.training.batch_size) == (1, 2, 5)


def test_every_value_remembers_the_layer_that_set_it(tmp_path: Path, minimal: str) -> None:
    lora = write(tmp_path / "lora.yaml", "lora: {r: 8}\n")
    loaded = load_config(
        LOCAL, files=[minimal, lora], overrides=["training.seed=2"], options={"model": "tiny", "run_id": None}
    )
    assert loaded.origins["data.train_file"] == minimal
    assert loaded.origins["lora.r"] == lora
    assert loaded.origins["training.seed"] == "--set"
    assert loaded.origins["model"] == "command line"
    assert loaded.origins["run_id"] == "default"
    assert loaded.origins["local.dtype"] == "default"


def test_a_list_is_replaced_not_lengthened(minimal: str) -> None:
    assert load(minimal, overrides=("lora.target_modules=[q_proj]",)).lora.target_modules == ("q_proj",)


def test_an_option_that_was_not_given_changes_nothing(minimal: str) -> None:
    assert load(minimal, model=None, data__val_file=None) == load(minimal)


# What values mean


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "0.0001", "1.0e-4"])
def test_scientific_notation_is_a_number_in_files_and_overrides(tmp_path: Path, minimal: str, text: str) -> None:
    file = write(tmp_path / "rate.yaml", f"training: {{learning_rate: {text}}}\n")
    assert load(minimal, file).training.learning_rate == 1e-4
    assert load(minimal, overrides=(f"training.learning_rate={text}",)).training.learning_rate == 1e-4


def test_interpolations_are_taken_literally(tmp_path: Path, minimal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    text = "${oc.env:SECRET}"
    file = write(tmp_path / "run.yaml", f"run_id: {text}\n")
    config = load(minimal, file, overrides=(f"output_dir={text}",), model=text)
    assert (config.run_id, config.output_dir, config.model) == (text, text, text)


def test_an_interpolation_that_nothing_closes_is_an_error_with_its_key(minimal: str) -> None:
    assert refusal(minimal, data__train_file="${rows").message.startswith("data.train_file: ")


def test_a_value_may_hold_an_equals_sign(minimal: str) -> None:
    assert load(minimal, overrides=("data.train_file=lang=fr.jsonl",)).data.train_file == "lang=fr.jsonl"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
        lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text("abc_"), values, max_size=3),
        max_leaves=10,
    ).filter(lambda value: "${" not in repr(value))
)
def test_what_is_dumped_as_yaml_is_read_back_unchanged(value: Any) -> None:
    assert parse_yaml(dump_yaml({"key": value})) == {"key": value}


# Epochs or steps


def test_max_steps_on_the_command_line_replace_the_epochs_of_a_file(tmp_path: Path, minimal: str) -> None:
    file = write(tmp_path / "long.yaml", "training: {epochs: 7}\n")
    loaded = load_config(LOCAL, files=[minimal, file], overrides=["training.max_steps=30"])
    assert loaded.config.training.max_steps == 30
    assert loaded.origins["training.epochs"] == "default"


def test_epochs_on_the_command_line_replace_the_max_steps_of_a_file(tmp_path: Path, minimal: str) -> None:
    file = write(tmp_path / "short.yaml", "training: {max_steps: 30}\n")
    training = load(minimal, file, overrides=("training.epochs=2",)).training
    assert (training.epochs, training.max_steps) == (2, None)


def test_max_steps_can_be_taken_back(tmp_path: Path, minimal: str) -> None:
    file = write(tmp_path / "short.yaml", "training: {max_steps: 30}\n")
    assert load(minimal, file, overrides=("training.max_steps=null",)).training.max_steps is None


@pytest.mark.parametrize("place", ["file", "--set"])
def test_epochs_and_max_steps_in_one_place_contradict_each_other(tmp_path: Path, minimal: str, place: str) -> None:
    both = {"training.epochs": 1, "training.max_steps": 5}
    if place == "file":
        file = write(tmp_path / "both.yaml", "training:\n  epochs: 1\n  max_steps: 5\n")
        origin = f"{file}:3"
        error = refusal(minimal, file)
    else:
        origin = "--set"
        error = refusal(minimal, overrides=tuple(f"{key}={value}" for key, value in both.items()))
    assert error.message == f"training.epochs and training.max_steps are both set (from {origin})"


# What is refused, and how


def test_all_problems_are_listed_at_once_with_key_origin_and_advice(tmp_path: Path) -> None:
    file = write(
        tmp_path / "wrong.yaml", "model: quickstart\ntraining: {lerning_rate: 1, batch_size: 0}\nrank: 8\ndata: {}\n"
    )
    error = refusal(file, overrides=("lora.dropout=2",))
    assert error.details["problems"] == [
        "data.train_file: required, but not set",
        f"training.batch_size: Input should be greater than or equal to 1, got 0 (from {file}:2)",
        f"training.lerning_rate: unknown key (from {file}:2); did you mean training.learning_rate?",
        "lora.dropout: Input should be less than 1, got 2 (from --set)",
        f"rank: unknown key (from {file}:3); valid keys: "
        "model, revision, quantization, data, training, lora, output_dir, run_id, local",
    ]
    assert error.message == "\n  ".join(["5 problems in the configuration:", *error.details["problems"]])


def test_an_unknown_section_is_named_with_where_it_came_from(minimal: str) -> None:
    error = refusal(minimal, overrides=("trainig.seed=1",))
    assert error.details["problems"] == ["trainig: unknown key (from --set); did you mean training?"]


@pytest.mark.parametrize("override", ["training.seed", "training.seed 1", "=1", " =1", ""])
def test_an_override_without_key_and_value_is_refused_before_it_becomes_nothing(minimal: str, override: str) -> None:
    error = refusal(minimal, overrides=(override,))
    assert error.message == f"--set {override!r} is not KEY=VALUE"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.learning_rate=nan", "Input should be a finite number"),
        ("training.learning_rate=0", "Input should be greater than 0"),
        ("training.epochs=.inf", "Input should be a finite number"),
        ("training.batch_size=2.5", "Input should be a valid integer"),
        ("training.seed=-1", "Input should be greater than or equal to 0"),
        ("lora.target_modules=[]", "Tuple should have at least 1 item"),
        ("lora.target_modules=q_proj", "Input should be a valid tuple"),
        ("quantization=int3", "Input should be 'none', 'nf4' or 'int8'"),
        ("data.on_too_long=cut", "Input should be 'error', 'drop' or 'truncate'"),
        ("training=3", "Input should be a valid dictionary"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_key(minimal: str, override: str, problem: str) -> None:
    key, _, _ = override.partition("=")
    (found,) = refusal(minimal, overrides=(override,)).details["problems"]
    assert found.startswith(f"{key}: {problem}")
    assert found.endswith("(from --set)")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"model: [", "cannot read the configuration"),
        (b"model: a\nmodel: b\n", "duplicate key"),
        (b"- model\n", "a configuration is a mapping"),
        (b"42", "cannot read the configuration"),
        (b"\xff\xfe", "cannot read the configuration"),
        (b"model: !!python/object/apply:os.getcwd []\n", "cannot read the configuration"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    error = refusal(str(file))
    assert str(file) in error.message
    assert complaint in error.message


def test_a_key_in_a_file_is_refused_and_never_repeated(tmp_path: Path, minimal: str) -> None:
    file = write(tmp_path / "secret.yaml", MINIMAL + "hf_token: hf_verysecret\n")
    error = refusal(file)
    assert error.details["problems"] == [f"hf_token: looks like a secret (from {file}:3)"]
    assert error.hint == "take it out, and set HF_TOKEN in the environment or in .env"
    assert "verysecret" not in f"{error.message}{error.hint}{error.details}"


def test_only_the_chosen_backend_has_its_section(minimal: str) -> None:
    assert "echo: unknown key (from --set)" in refusal(minimal, overrides=("echo.volume=7",)).message


# What is shipped and documented


def configuration_files() -> list[Path]:
    return sorted([*(ROOT / "configs").glob("*.yaml"), *(ROOT / "examples").rglob("train.yaml")])


@pytest.mark.parametrize("path", configuration_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_shipped_configuration_loads(path: Path) -> None:
    is_fragment = path.name.startswith("lora_")
    config_type = API if "api" in (path.stem, *path.parent.name.split("_")) else LOCAL
    loaded = load_config(config_type, files=["base", str(path)] if is_fragment else [str(path)])
    assert str(path) in loaded.origins.values()


def test_the_shipped_names_are_those_that_the_help_promises() -> None:
    names = {path.stem for path in (shipped_root() / "configs").iterdir()}
    assert names == {"api", "base", "cpu", "lora_r16a32_experts", "lora_r8a16", "lora_r16a32", "lora_r32a64"}


def test_the_file_name_of_a_lora_fragment_tells_its_rank_and_alpha() -> None:
    for path in (ROOT / "configs").glob("lora_*.yaml"):
        lora = load("base", str(path)).lora
        assert path.stem.removesuffix("_experts") == f"lora_r{lora.r}a{lora.alpha:g}"


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    error = refusal("bsae")
    assert error.message == "no such configuration: bsae"
    names = "api, base, cpu, lora_r16a32, lora_r16a32_experts, lora_r32a64, lora_r8a16"
    assert error.hint == f"give a YAML file or a shipped name: {names}"


def test_what_a_run_uses_can_be_written_down_and_loaded_again(tmp_path: Path) -> None:
    loaded: LoadedConfig = load_config(LOCAL, files=["base", "lora_r8a16"], overrides=["training.max_steps=30"])
    values = loaded.config.model_dump(mode="json")
    del values["training"]["epochs"]
    assert load(write(tmp_path / "again.yaml", dump_yaml(values))) == loaded.config
