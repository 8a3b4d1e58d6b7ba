"""The catalogue of bad configurations, rows 26 to 35: each ends with exit code 2, the key, where it stands, and why."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mistraltune.backends.local import LocalOptions
from mistraltune.config import TrainConfig, train_config_type
from mistraltune.configuring import load_config
from mistraltune.errors import ConfigError, ExitCode

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

LOCAL = train_config_type("local", LocalOptions)
MINIMAL = "model: quickstart\ndata: {train_file: rows.jsonl}\n"
HF_KEY = "hf_" + "aB3" * 12
OPENAI_KEY = "sk-" + "proj-Ab3_" * 5
WANDB_KEY = "0123456789abcdef0123456789abcdef01234567"


class Case(NamedTuple):
    """Lines after the minimal configuration's two, and what the refusal says."""

    name: str
    text: str
    said: str


CASES = [
    Case(
        "row-26-in-a-section",
        "training: {lerning_rate: 1}",
        "training.lerning_rate: unknown key (from FILE:3); did you mean training.learning_rate?",
    ),
    Case("row-26-section", "trainnig: {seed: 1}", "trainnig: unknown key (from FILE:3); did you mean training?"),
    Case(
        "row-26-elsewhere",
        "learning_rate: 1",
        "learning_rate: unknown key (from FILE:3); did you mean training.learning_rate?",
    ),
    Case("row-27-no", "training:\n  seed: no", "training.seed: Input should not be true or false"),
    Case("row-27-no-as-a-name", "run_id: no", "run_id: Input should not be true or false"),
    Case(
        "row-27-0o17",
        "training: {seed: 0o17}",
        "unable to parse string as an integer, got '0o17' (from FILE:3)",
    ),
    Case("row-27-017", "training: {seed: 017}", "FILE:3: training.seed: YAML reads 017 as the number 15"),
    Case(
        "row-27-time", "training:\n  seed: 12:30:45", "FILE:4: training.seed: YAML reads 12:30:45 as the number 45045"
    ),
    Case(
        "row-27-rate-as-text",
        "training: {learning_rate: 1 e-4}",
        "unable to parse string as a number, got '1 e-4' (from FILE:3)",
    ),
    Case(
        "row-28-duplicate",
        "training:\n  seed: 1\n  seed: 2",
        "FILE:5: training.seed: duplicate key, it stands on line 4 too",
    ),
    Case("row-28-duplicate-section", "data: {max_length: 99}", "FILE:3: data: duplicate key, it stands on line 2 too"),
    Case("row-28-tab", "training:\n\tseed: 1", "FILE:4: found character '\\t'"),
    Case("row-28-two-documents", "---\nmodel: b", "FILE:3: a second YAML document"),
    Case(
        "row-29-apply", "run_id: !!python/object/apply:os.system [touch canary]", "FILE:3: tags (`!name`) are not read"
    ),
    Case("row-29-name", "run_id: !!python/name:os.system", "FILE:3: tags"),
    Case("row-29-own-tag", "run_id: !vault x", "FILE:3: tags"),
    Case(
        "row-29-anchor", "run_id: &a x\noutput_dir: *a", "FILE:3: anchors (`&name`) and aliases (`*name`) are not read"
    ),
    Case("row-29-merge", "lora: &a {r: 8}\ntraining: {<<: *a}", "FILE:3: anchors"),
    Case("row-29-laughs", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]", "FILE:3: anchors"),
    Case("row-29-depth-20000", "run_id: " + "[" * 20_000 + "]" * 20_000, "FILE:3: nested deeper than 16 levels"),
    Case("row-29-depth-of-mappings", "run_id: " + "{a: " * 5_000 + "}" * 5_000, "FILE:3: nested deeper than 16 levels"),
    Case("row-29-5000-digits", "training: {seed: " + "9" * 5000 + "}", "Exceeds the limit"),
    *(
        Case(f"row-30-{key}-{value}", f"{section}: {{{key}: {value}}}", f"{section}.{key}: {said}, got ")
        for section, key, value, said in [
            ("training", "learning_rate", "0", "Input should be greater than 0"),
            ("training", "learning_rate", "-1", "Input should be greater than 0"),
            ("training", "learning_rate", ".nan", "Input should be a finite number"),
            ("training", "learning_rate", ".inf", "Input should be a finite number"),
            ("training", "learning_rate", "1e999", "Input should be a finite number"),
            ("training", "epochs", "-.inf", "Input should be a finite number"),
            ("training", "batch_size", "1.5", "Input should be a valid integer"),
            ("training", "batch_size", "0", "Input should be greater than or equal to 1"),
            ("training", "max_steps", "1000000000000", "Input should be less than or equal to 100000000"),
            ("training", "save_steps", "1000000000000000000000", "Input should be less than or equal to 100000000"),
            ("training", "warmup_fraction", "1.0", "Input should be less than 1"),
            ("lora", "r", "0", "Input should be greater than or equal to 1"),
            ("lora", "alpha", ".inf", "Input should be a finite number"),
            ("lora", "dropout", "1", "Input should be less than 1"),
        ]
    ),
    Case(
        "row-30-epochs-and-steps",
        "training:\n  epochs: 1\n  max_steps: 1",
        "training.epochs and training.max_steps are both set (from FILE:5)",
    ),
    Case(
        "row-31-root",
        "output_dir: /",
        "output_dir: Input should not be the root of the file system, got '/' (from FILE:3)",
    ),
    Case("row-31-root-by-detour", "output_dir: /var/../..", "output_dir: Input should not be the root"),
    Case("row-31-no-such-home", "output_dir: ~nobody-of-that-name/x", "output_dir: there is no such home directory"),
    Case(
        "row-31-network-path",
        "output_dir: s3://bucket/runs",
        "output_dir: Input should be a path on this machine, not a URL",
    ),
    Case("row-31-empty", "output_dir: ''", "output_dir: String should have at least 1 character"),
    Case("row-31-nul", 'output_dir: "a\\0b"', "output_dir: Input should hold no NUL character"),
    Case("row-31-run-id-leads-out", "run_id: ../elsewhere", "run_id: Input should be the name of one folder"),
    Case("row-31-run-id-is-a-path", "run_id: /etc", "run_id: Input should be the name of one folder"),
    Case("row-31-run-id-is-the-folder", "run_id: '..'", "run_id: Input should be the name of one folder"),
    Case(
        "row-33-url",
        "revision: main\nlora: {}\n",
        "model: Input should be a Hub id, a model directory or quickstart, not a URL",
    ),
]


def write(folder: Path, case: Case) -> Path:
    path = folder / "case.yaml"
    minimal = MINIMAL.replace("quickstart", "https://example.com/model") if case.name == "row-33-url" else MINIMAL
    path.write_text(f"{minimal}{case.text}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60])
def test_a_bad_configuration_is_refused_with_key_and_place(case: Case, tmp_path: Path) -> None:
    path = write(tmp_path, case)
    with pytest.raises(ConfigError) as refused:
        load_config(LOCAL, files=[str(path)])
    assert refused.value.exit_code == ExitCode.USAGE
    assert case.said.replace("FILE", str(path)) in refused.value.message
    assert len(refused.value.message) < 1000


@pytest.mark.parametrize("row", sorted({case.name[:6] for case in CASES}))
def test_each_kind_of_bad_configuration_ends_the_command_with_exit_code_2(
    row: str, mistraltune: CommandLine, tmp_path: Path
) -> None:
    case = next(case for case in CASES if case.name.startswith(row))
    path = write(tmp_path, case)
    done = mistraltune("train", "local", "--config", path, "--dry-run", "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == error["exit_code"] == 2
    assert case.said.replace("FILE", str(path)) in error["message"]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "canary").exists()


# Row 27


def test_row_27_a_number_in_scientific_notation_is_a_number(tmp_path: Path) -> None:
    path = write(tmp_path, Case("row-27", "training: {learning_rate: 1e-4}", ""))
    assert load_config(LOCAL, files=[str(path)]).config.training.learning_rate == 1e-4


# Overrides


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("run_id=!!python/name:os.system", "run_id: tags (`!name`) are not read (from --set)"),
        ("run_id=&a x", "run_id: anchors (`&name`) and aliases (`*name`) are not read (from --set)"),
        ("run_id=" + "[" * 5000, "run_id: nested deeper than 16 levels (from --set)"),
        ("training.seed=12:30:45", "training.seed: YAML reads 12:30:45 as the number 45045; write that, or quote it"),
        ("training={seed: 1, seed: 2}", "training: seed: duplicate key, it stands on line 1 too (from --set)"),
        ("training.seed=no", "training.seed: Input should not be true or false"),
        ("training.learning_rate=nan", "training.learning_rate: Input should be a finite number"),
        ("output_dir=/", "output_dir: Input should not be the root of the file system, got '/' (from --set)"),
        ("run_id=\t", "run_id: "),
        (f"run_id={HF_KEY}", "run_id: looks like a secret (from --set)"),
    ],
    ids=lambda text: text[:40],
)
def test_an_override_keeps_the_same_rules(override: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, Case("", "", ""))
    with pytest.raises(ConfigError) as refused:
        load_config(LOCAL, files=[str(path)], overrides=[override])
    assert said in refused.value.message
    assert HF_KEY not in f"{refused.value.message}{refused.value.hint}"


# Row 31


def plan(mistraltune: CommandLine, model: Path, rows: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return mistraltune("train", "local", "--model", model, "--train-file", rows / "train.jsonl", "--dry-run", *options)


def test_row_31_a_tilde_is_the_home_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(
        LOCAL, overrides=["model=quickstart", "output_dir=~/runs", "data.train_file=~/a.jsonl", "data.val_file=~"]
    ).config
    assert isinstance(config, TrainConfig)
    assert (config.output_dir, config.data.train_file) == (f"{tmp_path}/runs", f"{tmp_path}/a.jsonl")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--output-dir", "file"), "error: cannot write to file: File exists\nhint: choose another --output-dir\n"),
        (("--output-dir", "file/below"), "error: cannot write to file/below: Not a directory\n"),
        (("--output-dir", "/proc/runs"), "error: cannot write to /proc/runs: "),
        (("--output-dir", ".", "--run-id", "file"), "error: file is a file, not a run directory\n"),
        (
            ("--output-dir", ".", "--run-id", "triage"),
            "error: triage is no run directory, but holds test.jsonl, train.jsonl, val.jsonl\n",
        ),
    ],
    ids=["a file", "below a file", "not writable", "run is a file", "run is a foreign folder"],
)
def test_row_31_a_place_that_cannot_hold_a_run_is_refused_before_the_model_loads(
    options: tuple[str, ...], said: str, mistraltune: CommandLine, tmp_path: Path, tiny_model: Path, triage_rows: Path
) -> None:
    (tmp_path / "file").write_text("precious")
    done = plan(mistraltune, tiny_model, triage_rows, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert (tmp_path / "file").read_text() == "precious"


# Row 32


@pytest.mark.parametrize(
    ("text", "path", "variable"),
    [
        ("api_key: NAME", "api_key", "MISTRAL_API_KEY"),
        ("mistral_api_key: NAME", "mistral_api_key", "MISTRAL_API_KEY"),
        ("training: {apiKey: NAME}", "training.apiKey", "MISTRAL_API_KEY"),
        ("local: {secret: NAME}", "local.secret", "MISTRAL_API_KEY"),
        ("hf_token: NAME", "hf_token", "HF_TOKEN"),
        ("a: {b: {c: {hubToken: NAME}}}", "a.b.c.hubToken", "HF_TOKEN"),
        ("wandb_api_key: NAME", "wandb_api_key", "WANDB_API_KEY"),
        ("proxy-password: NAME", "proxy-password", "HTTPS_PROXY"),
        (f"output_dir: {HF_KEY}", "output_dir", "HF_TOKEN"),
        (f"revision: x/{HF_KEY}", "revision", "MISTRAL_API_KEY"),
        (f"lora: {{target_modules: [q_proj, {OPENAI_KEY}]}}", "lora.target_modules", "MISTRAL_API_KEY"),
        (f"run_id: {WANDB_KEY}", "run_id", "WANDB_API_KEY"),
        ("output_dir: http://me:NAME@example.com/x", "output_dir", "HTTPS_PROXY"),
    ],
)
def test_row_32_a_secret_is_refused_unseen_and_its_variable_named(
    text: str, path: str, variable: str, tmp_path: Path
) -> None:
    file = write(tmp_path, Case("", text.replace("NAME", "verysecret"), ""))
    with pytest.raises(ConfigError) as refused:
        load_config(LOCAL, files=[str(file)])
    said = f"{refused.value.message}{refused.value.hint}{refused.value.details}"
    assert refused.value.details["problems"] == [f"{path}: looks like a secret (from {file}:3)"]
    assert f"set {variable} in the environment" in refused.value.hint
    assert not any(secret in said for secret in ("verysecret", HF_KEY, OPENAI_KEY, WANDB_KEY))


def test_row_32_a_commit_is_no_secret(tmp_path: Path) -> None:
    file = write(tmp_path, Case("", f"revision: {WANDB_KEY}", ""))
    assert load_config(LOCAL, files=[str(file)]).config.revision == WANDB_KEY


# Row 33 and 34


@pytest.fixture
def model(tmp_path: Path, tiny_model: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def add_to_json(file: Path, **fields: object) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**content, **fields}))


def test_row_33_a_folder_of_pickled_weights_is_refused(
    model: Path, mistraltune: CommandLine, triage_rows: Path
) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    done = plan(mistraltune, model, triage_rows)
    assert done.returncode == 2
    assert f"error: {model} has no safetensors weights\n" in done.stderr


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_row_33_a_model_that_brings_code_is_refused_and_the_code_never_run(
    file: str, model: Path, mistraltune: CommandLine, triage_rows: Path, tmp_path: Path
) -> None:
    (model / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nclass Evil: pass\n")
    add_to_json(model / file, auto_map={"AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]})
    done = plan(mistraltune, model, triage_rows)
    assert done.returncode == 2
    assert f"(auto_map in {file}), and no such code is run" in done.stderr
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["../x", "./x", "/nowhere/x", "a/b/c", "-rf", "x y"])
def test_row_33_a_name_that_is_no_model_is_refused(name: str, mistraltune: CommandLine, triage_rows: Path) -> None:
    rows = triage_rows / "train.jsonl"
    done = mistraltune("train", "local", f"--model={name}", "--train-file", rows, "--dry-run")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"error: no such model: {name}\n" in done.stderr


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_row_33_a_broken_model_configuration_is_named(
    content: bytes, model: Path, mistraltune: CommandLine, triage_rows: Path
) -> None:
    (model / "config.json").write_bytes(content)
    done = plan(mistraltune, model, triage_rows)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert str(model / "config.json") in done.stderr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tekken.json", b"garbage"),
        ("tokenizer.model.v3", b"garbage"),
        ("tokenizer.json", b"garbage"),
        ("tokenizer.json", b'{"version": "1.0"}'),
        ("vocab.txt", b""),
    ],
)
def test_row_33_a_model_whose_tokenizer_cannot_be_read_is_named(
    file: str, content: bytes, mistraltune: CommandLine, tmp_path: Path, triage_rows: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "mistral"}')
    (tmp_path / "broken" / file).write_bytes(content)
    done = mistraltune("data", "show", triage_rows / "train.jsonl", "--row", "1", "--model", "./broken")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "error: broken" in done.stderr


@pytest.mark.parametrize("content", ["[]", "{}", '{"base_model_name_or_path": 5}', "[" * 100_000, "{"])
def test_row_33_an_adapter_that_names_no_base_is_refused(
    content: str, mistraltune: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(content)
    done = mistraltune("generate", "--model", "./adapter", "hello")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "error: adapter/adapter_config.json " in done.stderr


def test_row_34_target_modules_that_match_nothing_are_refused_with_the_valid_names(
    model: Path, mistraltune: CommandLine, triage_rows: Path
) -> None:
    done = plan(mistraltune, model, triage_rows, "--set", "lora.target_modules=[q_proj, qproj, w1]")
    assert done.returncode == 2
    assert f"error: lora.target_modules: no layer of {model} is called qproj, w1\n" in done.stderr
    assert "hint: its linear layers: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj\n" in done.stderr


def test_row_34_rows_longer_than_the_model_reads_are_refused_with_the_limit(
    model: Path, mistraltune: CommandLine, triage_rows: Path
) -> None:
    done = plan(mistraltune, model, triage_rows, "--set", "data.max_length=4097")
    assert done.returncode == 2
    assert f"error: data.max_length: 4,097 is more than the 4,096 tokens that {model} reads\n" in done.stderr
    assert plan(mistraltune, model, triage_rows, "--set", "data.max_length=4096").returncode == 0


# Row 35


@pytest.mark.parametrize("text", ["${HOME}", "${oc.env:HOME}", "$(id)", "`id`", "{{model}}", "{model}", "%(x)s", "???"])
def test_row_35_what_another_program_would_expand_is_taken_literally(text: str, tmp_path: Path) -> None:
    file = write(tmp_path, Case("", f"run_id: '{text}'", ""))
    assert load_config(LOCAL, files=[str(file)]).config.run_id == text
    assert load_config(LOCAL, files=[str(file)], overrides=[f"output_dir='{text}'"]).config.output_dir == text
