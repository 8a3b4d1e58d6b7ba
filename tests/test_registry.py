import json
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalBackend
from mistraltune.errors import ConfigError
from mistraltune.evaluation.evaluator import TextEvaluator
from mistraltune.registry import backend_names, find_model, get_backend, get_evaluator
from mistraltune.results import ModelRef, TrainResult
from mistraltune.runs import RunDir

HUB_ID = "mistralai/Mistral-7B-Instruct-v0.3"


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_adapter(folder: Path, **config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def finished_run(folder: Path) -> Path:
    run = RunDir(folder)
    run.begin({"config": {"model": HUB_ID}}, config={"model": HUB_ID}, facts={})
    write_adapter(folder, base_model_name_or_path=HUB_ID)
    ref = ModelRef(model=HUB_ID, adapter=str(folder), quantization="nf4")
    run.finish(TrainResult(model=ref, metrics={"train_loss": 0.5}))
    return folder


# Backends and evaluators


def test_the_built_in_backend_enters_by_the_plugin_door() -> None:
    assert "local" in backend_names()
    assert isinstance(get_backend("local"), LocalBackend)


def test_the_built_in_evaluator_enters_by_the_plugin_door() -> None:
    assert isinstance(get_evaluator("text"), TextEvaluator)


def test_a_mistyped_backend_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="there is no backend called 'locale'") as refused:
        get_backend("locale")
    assert refused.value.hint == "did you mean local?"


def test_a_mistyped_evaluator_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="there is no evaluator called 'txet'") as refused:
        get_evaluator("txet")
    assert refused.value.hint == "did you mean text?"


def test_a_name_like_no_other_is_answered_with_all_names() -> None:
    with pytest.raises(ConfigError) as refused:
        get_evaluator("zzz")
    assert refused.value.hint.startswith("installed: ")
    assert "text" in refused.value.hint


# Models


def test_a_run_directory_names_its_base_adapter_and_quantisation(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    assert find_model(str(run)) == ModelRef(model=HUB_ID, adapter=str(run), quantization="nf4")


def test_an_unfinished_run_is_no_model_yet(tmp_path: Path) -> None:
    RunDir(tmp_path / "run").begin({}, config={}, facts={})
    with pytest.raises(ConfigError, match="run has not finished"):
        find_model("run")


def test_an_adapter_directory_names_the_base_that_it_was_made_for(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", base_model_name_or_path=HUB_ID, revision="v1")
    assert find_model(str(adapter)) == ModelRef(model=HUB_ID, adapter=str(adapter), revision="v1")


def test_an_adapter_without_a_base_is_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapter", r=16)
    with pytest.raises(ConfigError, match="names no base model"):
        find_model("adapter")


def test_an_adapter_whose_configuration_is_torn_is_refused(tmp_path: Path) -> None:
    (write_adapter(tmp_path / "adapter") / "adapter_config.json").write_text('{"base_mod')
    with pytest.raises(ConfigError, match=r"adapter/adapter_config\.json is not JSON"):
        find_model("adapter")


def test_a_model_directory_names_itself(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    assert find_model(str(model), quantization="nf4") == ModelRef(model=str(model), quantization="nf4")


def test_a_relative_directory_comes_before_a_hub_id(tmp_path: Path) -> None:
    write_model(tmp_path / HUB_ID)
    assert find_model(HUB_ID) == ModelRef(model=HUB_ID)
    with pytest.raises(ConfigError, match="no such model directory"):
        find_model(f"./{HUB_ID}-missing")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model = write_model(tmp_path / "models" / "mine")
    assert find_model("~/models/mine") == ModelRef(model=str(model))


@pytest.mark.parametrize("text", ["./missing", "/missing/model", "~/missing", "~nobody-at-all/model"])
def test_a_path_that_does_not_exist_is_not_taken_for_a_hub_id(text: str) -> None:
    with pytest.raises(ConfigError, match="no such model directory"):
        find_model(text)


def test_a_file_is_no_model_directory(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    with pytest.raises(ConfigError, match=r"no such model directory: model\.gguf"):
        find_model("model.gguf")


def test_a_directory_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty holds no model: config\.json is missing"):
        find_model("empty")


def test_what_is_no_path_is_a_hub_id() -> None:
    assert find_model(HUB_ID, revision="v1") == ModelRef(model=HUB_ID, revision="v1")


def test_quickstart_is_the_small_model_even_beside_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "quickstart").mkdir()
    assert find_model("quickstart") == ModelRef(model="quickstart")


def test_another_backend_is_named_before_a_colon() -> None:
    assert find_model("local:some/model") == ModelRef(backend="local", model="some/model")
    assert find_model("local:model@house") == ModelRef(backend="local", model="model", endpoint="house")


def test_an_unknown_backend_before_a_colon_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no backend called 'unknown'"):
        find_model("unknown:thing")


def test_a_colon_in_the_name_of_a_directory_names_no_backend(tmp_path: Path) -> None:
    write_model(tmp_path / "model:v2")
    assert find_model("model:v2") == ModelRef(model="model:v2")


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_reference_is_refused_with_what_could_be_named(text: str) -> None:
    with pytest.raises(ConfigError, match="a model reference is empty") as refused:
        find_model(text)
    assert "quickstart" in refused.value.hint


def test_a_reference_reads_well_in_a_report() -> None:
    assert str(ModelRef(model="quickstart")) == "quickstart"
    tuned = ModelRef(model="quickstart", adapter="outputs/run", quantization="nf4")
    assert str(tuned) == "outputs/run (nf4, base quickstart)"


def test_an_apis_own_name_of_a_model_is_answered_with_how_it_is_named_here() -> None:
    with pytest.raises(ConfigError, match="is a model of an API") as refused:
        find_model("ft:open-mistral-7b:8e2706f0:20261126:db22ea7e")
    assert refused.value.hint.startswith("name it api:ft:open-mistral-7b:")


@pytest.mark.parametrize("text", ["api:", "api:@lab", "api:open-mistral-7b@"])
def test_a_reference_that_lacks_a_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"{text} lacks a name"):
        find_model(text)


def test_a_model_of_an_api_is_named_with_its_endpoint() -> None:
    ref = find_model("api:ft:open-mistral-7b:x@lab")
    assert ref == ModelRef(backend="api", model="ft:open-mistral-7b:x", endpoint="lab")
    assert str(ref) == "api:ft:open-mistral-7b:x@lab"
