from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from raw_rows import HELLO, HI, TOOL_ROW

LONG = {"role": "user", "content": "long " * 200}


def data(cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`mistraltune data ...` in a process of its own, in `cwd`."""
    command = [sys.executable, "-m", "mistraltune", "data", *arguments]
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "COLUMNS": "200", "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def write(path: Path, *rows: Any) -> None:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))


def row(text: str) -> dict[str, str]:
    return {"instruction": text, "output": "answer"}


# validate


def test_good_files_get_a_line_each(tmp_path: Path):
    write(tmp_path / "train.jsonl", row("a"), row("b"))
    write(tmp_path / "val.jsonl", {"messages": [HI, HELLO]})
    done = data(tmp_path, "validate", "train.jsonl", "val.jsonl")
    assert done.stdout == (
        "train.jsonl: 2 rows (instruct), 0 errors, 0 warnings\nval.jsonl: 1 row (messages), 0 errors, 0 warnings\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_all_errors_are_listed_with_line_rule_and_advice_and_end_with_exit_code_3(tmp_path: Path):
    write(tmp_path / "bad.jsonl", row("a"), "\n", '{"instruction": "b", "output": "c",}\n', {"text": "d"}, row("a"))
    done = data(tmp_path, "validate", "bad.jsonl")
    assert done.stdout == (
        "bad.jsonl:3 json Expecting property name enclosed in double quotes at column 36; remove the comma before it\n"
        "bad.jsonl:4 format neither `messages` nor `instruction`/`output` nor `prompt`/`completion`, but 'text'\n"
        "bad.jsonl:2 blank-line warning: a blank line\n"
        "bad.jsonl:5 duplicate warning: the same row as bad.jsonl:1\n"
        "bad.jsonl: 4 rows (instruct), 2 errors, 2 warnings\n"
    )
    assert done.stderr == "error: 2 errors in the data\nhint: mend or drop the rows named above\n"
    assert done.returncode == 3


def test_json_is_one_object_whether_the_data_is_good_or_bad(tmp_path: Path):
    write(tmp_path / "good.jsonl", row("a"))
    done = data(tmp_path, "validate", "good.jsonl", "--json")
    report = {"file": "good.jsonl", "format": "instruct", "num_rows": 1, "num_errors": 0, "num_warnings": 0}
    assert json.loads(done.stdout) == {"num_errors": 0, "num_warnings": 0, "files": [report], "findings": []}
    write(tmp_path / "bad.jsonl", {})
    done = data(tmp_path, "validate", "good.jsonl", "bad.jsonl", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit_code"], error["num_errors"]) == (3, 3, 1)
    assert [file["num_rows"] for file in error["files"]] == [1, 1]
    assert (error["findings"][0]["file"], error["findings"][0]["line"]) == ("bad.jsonl", 1)


def test_more_findings_than_are_shown_are_counted(tmp_path: Path):
    write(tmp_path / "bad.jsonl", *[{"id": number} for number in range(150)])
    done = data(tmp_path, "validate", "bad.jsonl")
    assert done.stdout.count(" format ") == 100
    assert "bad.jsonl: 50 more findings are not shown\n" in done.stdout
    assert "150 rows, 150 errors" in done.stdout


def test_a_fifo_a_folder_and_a_device_are_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    done = data(tmp_path, "validate", "fifo", ".", "/dev/zero")
    assert done.stdout.count("not-a-file") == 3
    assert done.returncode == 3


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path):
    done = data(tmp_path, "validate", "absent.jsonl")
    assert (done.stdout, done.stderr, done.returncode) == ("", "error: no such file: absent.jsonl\n", 2)


def test_with_a_tokenizer_tokens_are_counted_and_long_rows_are_errors(tmp_path: Path):
    write(tmp_path / "train.jsonl", {"messages": [HI, HELLO]}, TOOL_ROW, {"messages": [LONG, HELLO]})
    done = data(tmp_path, "validate", "train.jsonl", "--tokenizer", "tekken", "--json")
    (file,) = json.loads(done.stdout)["files"]
    assert (file["num_rows"], file["num_sequences"]) == (3, 4)
    assert 0 < file["num_trained_tokens"] < file["num_tokens"]
    done = data(tmp_path, "validate", "train.jsonl", "--tokenizer", "tekken", "--max-length", "150")
    assert "train.jsonl:3 too-long" in done.stdout
    assert done.returncode == 3


def test_a_row_that_a_tokenizer_cannot_hold_is_an_error(tmp_path: Path):
    write(tmp_path / "tools.jsonl", TOOL_ROW)
    done = data(tmp_path, "validate", "tools.jsonl", "--tokenizer", "v1")
    assert done.stdout.startswith("tools.jsonl:1 ")
    assert done.returncode == 3


@pytest.mark.parametrize(
    "options", [["--max-length", "10"], ["--tokenizer", "v9"], ["--tokenizer", "v3", "--model", "quickstart"]]
)
def test_options_that_do_not_fit_are_usage_errors(tmp_path: Path, options: list[str]):
    write(tmp_path / "train.jsonl", row("a"))
    done = data(tmp_path, "validate", "train.jsonl", *options)
    assert (done.returncode, done.stdout) == (2, "")


def test_checking_without_a_tokenizer_imports_nothing_heavy(tmp_path: Path):
    write(tmp_path / "train.jsonl", {"messages": [HI, HELLO]})
    code = (
        "import sys; from mistraltune.cli.data import app; app(['validate', 'train.jsonl'], standalone_mode=False);"
        "print([name for name in ('torch', 'transformers', 'mistral_common', 'numpy', 'jsonschema')"
        " if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("\n[]\n")


# stats


def test_stats_show_figures_a_histogram_and_what_files_share(tmp_path: Path):
    write(tmp_path / "train.jsonl", row("a"), row("b"), row("long " * 30))
    write(tmp_path / "val.jsonl", row("A"), row("c"))
    done = data(tmp_path, "stats", "train.jsonl", "val.jsonl", "--max-length", "20")
    assert done.returncode == 0
    assert (
        done.stdout
        == (
            "train.jsonl\n"
            "  3 rows (instruct), 0 duplicates\n"
            "  3 sequences, 48 tokens, 6 of them trained (12.5%)\n"
            "  tokens a sequence: 6 to 36, mean 16.0\n"
            "  percentiles: p5 6, p25 6, p50 6, p75 36, p95 36, p99 36\n"
            "  longer than 20 tokens: 1 row\n"
            "  steps an epoch: 1 of 16 rows\n"
            "  6 to 7   2   ████████████████████████████████████████\n"
        )
        + done.stdout[done.stdout.index("  8 to 9") :]
    )
    assert done.stdout.endswith("val.jsonl: 1 row of it is in train.jsonl exactly; none nearly\n")
    assert done.stderr == "tokens of tekken\ntrain.jsonl:3 has 36 tokens\n"


def test_stats_tell_what_files_share_exactly_from_what_they_share_nearly(tmp_path: Path):
    write(tmp_path / "train.jsonl", row(LONG_TEXT), row("a"))
    write(tmp_path / "val.jsonl", row(LONG_TEXT + " now"), row("c"))
    write(tmp_path / "test.jsonl", row("d"))
    done = data(tmp_path, "stats", "train.jsonl", "val.jsonl", "test.jsonl")
    assert done.stdout.splitlines()[-3:] == [
        "val.jsonl: no row of it is in train.jsonl exactly; 1 nearly",
        "test.jsonl: no row of it is in train.jsonl exactly; none nearly",
        "test.jsonl: no row of it is in val.jsonl exactly; none nearly",
    ]
    shared = json.loads(data(tmp_path, "stats", "train.jsonl", "val.jsonl", "--json").stdout)["overlaps"]
    assert shared == [{"first": "train.jsonl", "second": "val.jsonl", "num_rows": 0, "num_near": 1}]


def test_stats_as_json_are_one_object(tmp_path: Path):
    write(tmp_path / "train.jsonl", row("a"), row("a"))
    stats = json.loads(data(tmp_path, "stats", "train.jsonl", "--tokenizer", "v3", "--json").stdout)
    (file,) = stats["files"]
    assert (stats["tokenizer"], stats["overlaps"]) == ("v3", [])
    assert (file["file"], file["num_rows"], file["num_duplicates"]) == ("train.jsonl", 2, 1)
    assert sum(bin_["count"] for bin_ in file["lengths"]["bins"]) == file["num_sequences"] == 2
    assert "keys" not in file


def test_stats_of_bad_rows_are_refused(tmp_path: Path):
    write(tmp_path / "train.jsonl", {})
    done = data(tmp_path, "stats", "train.jsonl")
    assert (done.returncode, done.stdout) == (3, "")


# convert


SHAREGPT = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}


def test_convert_writes_once_and_says_what_it_did(tmp_path: Path):
    (tmp_path / "in.json").write_text(json.dumps([SHAREGPT, SHAREGPT], indent=1))
    done = data(tmp_path, "convert", "in.json", "out.jsonl")
    assert (done.stdout, done.stderr, done.returncode) == ("out.jsonl: 2 rows\n", "", 0)
    done = data(tmp_path, "convert", "in.json", "out.jsonl")
    assert done.stdout == "out.jsonl: 2 rows (unchanged: the file held them already)\n"
    done = data(tmp_path, "convert", "in.json", "out.jsonl", "--to", "instruct")
    assert done.stderr == "error: out.jsonl exists and holds something else\nhint: --force replaces it\n"
    assert done.returncode == 2
    done = data(tmp_path, "convert", "in.json", "out.jsonl", "--to", "instruct", "--force", "--json")
    expected = {"file": "out.jsonl", "format": "instruct", "num_rows": 2, "num_tool_calls": 0, "is_written": True}
    assert json.loads(done.stdout) == expected
    assert (tmp_path / "out.jsonl").read_text() == '{"instruction": "a", "output": "b"}\n' * 2


def test_convert_lists_every_row_that_it_cannot_convert(tmp_path: Path):
    write(tmp_path / "in.jsonl", SHAREGPT, *[{"text": "a"}] * 12)
    done = data(tmp_path, "convert", "in.jsonl", "out.jsonl")
    assert done.stderr.count(" format row ") == 12
    assert "in.jsonl:13 format row 13: " in done.stderr
    assert (done.stdout, done.returncode) == ("", 3)
    assert not (tmp_path / "out.jsonl").exists()


def test_convert_refuses_to_work_in_place(tmp_path: Path):
    write(tmp_path / "in.jsonl", SHAREGPT)
    done = data(tmp_path, "convert", "in.jsonl", "./in.jsonl", "--force")
    assert done.stderr == "error: in.jsonl would overwrite its own source\nhint: write to another file\n"
    assert done.returncode == 2


# dedupe

LONG_TEXT = " ".join(f"word{number}" for number in range(60))


def test_dedupe_says_what_goes_and_which_row_stays_for_it(tmp_path: Path):
    write(tmp_path / "in.jsonl", row("a"), row("A"), row(LONG_TEXT), row(LONG_TEXT + " now"))
    done = data(tmp_path, "dedupe", "in.jsonl", "out.jsonl")
    assert done.stdout == "out.jsonl: 3 rows, 1 duplicate left out of 4 rows\n"
    assert done.stderr == "in.jsonl:2 is the same as line 1\n"
    done = data(tmp_path, "dedupe", "in.jsonl", "near.jsonl", "--near", "0.9")
    assert done.stdout == "near.jsonl: 2 rows, 1 duplicate and 1 near-duplicate left out of 4 rows\n"
    assert "in.jsonl:4 is 0.98 like line 3\n" in done.stderr
    done = data(tmp_path, "dedupe", "in.jsonl", "near.jsonl", "--near", "0.9", "--json")
    result = json.loads(done.stdout)
    assert result["duplicates"][0] == {"line": 2, "duplicate_of": 1, "similarity": 1.0}
    assert (result["num_rows"], result["num_kept"], result["num_near"], result["is_written"]) == (4, 2, 1, False)


def test_dedupe_counts_apart_what_is_alike_but_answers_differently(tmp_path: Path):
    write(tmp_path / "in.jsonl", row(LONG_TEXT), {"instruction": LONG_TEXT, "output": "no"}, row(LONG_TEXT + " now"))
    done = data(tmp_path, "dedupe", "in.jsonl", "out.jsonl", "--near", "0.9")
    assert done.stdout == "out.jsonl: 2 rows, 0 duplicates and 1 near-duplicate left out of 3 rows\n"
    assert "alike, other answers: 1 row kept, such as line 2, 0.97 like line 1; --json lists all\n" in done.stderr
    result = json.loads(data(tmp_path, "dedupe", "in.jsonl", "out.jsonl", "--near", "0.9", "--json").stdout)
    assert (result["num_near"], result["num_other_answers"]) == (1, 1)
    assert [(found["line"], found["alike_to"]) for found in result["other_answers"]] == [(2, 1)]


@pytest.mark.parametrize("share", ["0", "0.4", "1.1", "much"])
def test_a_likeness_that_is_none_is_a_usage_error(tmp_path: Path, share: str):
    write(tmp_path / "in.jsonl", row("a"))
    assert data(tmp_path, "dedupe", "in.jsonl", "out.jsonl", "--near", share).returncode == 2
    assert data(tmp_path, "split", "in.jsonl", "--out-dir", "out", "--near", share).returncode == 2


# split


def test_split_writes_the_parts_and_prints_their_sizes(tmp_path: Path):
    write(tmp_path / "all.jsonl", *[row(str(number)) for number in range(19)], row("  18"))
    done = data(tmp_path, "split", "all.jsonl", "--out-dir", "parts", "--val", "0.1", "--test", "0.2")
    assert done.stdout == "parts/train.jsonl: 14 rows\nparts/val.jsonl: 2 rows\nparts/test.jsonl: 4 rows\n"
    assert done.stderr == "1 duplicate row, each kept with the row it repeats\n"
    assert data(tmp_path, "validate", *[f"parts/{name}.jsonl" for name in ("train", "val", "test")]).returncode == 0
    done = data(tmp_path, "split", "all.jsonl", "--out-dir", "parts", "--val", "0.1", "--test", "0.2", "--json")
    assert json.loads(done.stdout) == {
        "files": {name: f"parts/{name}.jsonl" for name in ("train", "val", "test")},
        "num_rows": {"train": 14, "val": 2, "test": 4},
        "num_duplicates": 1,
        "num_near": 0,
        "written": [],
    }
    done = data(tmp_path, "split", "all.jsonl", "--out-dir", "parts", "--seed", "7")
    assert done.returncode == 2


def test_split_refuses_a_file_in_the_place_of_its_folder(tmp_path: Path):
    write(tmp_path / "all.jsonl", *[row(str(number)) for number in range(20)])
    (tmp_path / "parts").write_text("")
    for place in ("parts", "parts/below"):
        done = data(tmp_path, "split", "all.jsonl", "--out-dir", place)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: parts is a file, not a folder")


# show


def test_show_brackets_what_is_trained_where_there_is_no_terminal(tmp_path: Path):
    write(tmp_path / "train.jsonl", "\n", {"messages": [HI, HELLO]})
    done = data(tmp_path, "show", "train.jsonl", "--row", "1")
    assert done.stdout == "<s>[INST]Hi there.[/INST]⟦Hello!</s>⟧\n"
    assert done.stderr == "train.jsonl:2: 9 tokens, 3 of them trained\n"


def test_show_as_json_gives_ids_mask_and_text_of_each_sequence(tmp_path: Path):
    write(tmp_path / "train.jsonl", {"messages": [HI, HELLO]}, TOOL_ROW)
    shown = json.loads(data(tmp_path, "show", "train.jsonl", "--row", "1", "--tokenizer", "tekken", "--json").stdout)
    assert shown["text"] == "<s>[INST]Hi there.[/INST]Hello!</s>"
    assert shown["loss_mask"] == [0] * 6 + [1] * 3
    assert len(shown["token_ids"]) == 9
    shown = json.loads(data(tmp_path, "show", "train.jsonl", "--row", "2", "--json").stdout)
    assert [set(sequence) for sequence in shown["sequences"]] == [{"token_ids", "loss_mask", "text"}] * 2


def test_show_escapes_what_would_steer_the_terminal(tmp_path: Path):
    write(tmp_path / "train.jsonl", {"messages": [HI, {**HELLO, "content": "\x1b[31mred\u202e"}]})
    done = data(tmp_path, "show", "train.jsonl", "--row", "1")
    assert done.stdout == "<s>[INST]Hi there.[/INST]⟦\\u001b[31mred\\u202e</s>⟧\n"


def test_a_row_that_is_not_there_or_is_broken_is_an_error(tmp_path: Path):
    write(tmp_path / "train.jsonl", row("a"), {})
    assert data(tmp_path, "show", "train.jsonl", "--row", "3").returncode == 2
    done = data(tmp_path, "show", "train.jsonl", "--row", "2")
    assert (done.returncode, done.stdout) == (3, "")
    assert "train.jsonl:2 format" in done.stderr


@pytest.mark.parametrize(("variables", "style"), [({}, "\x1b[4;32m"), ({"NO_COLOR": "1"}, "\x1b[4m")])
def test_on_a_terminal_what_is_trained_is_underlined_and_coloured_unless_colours_are_unwanted(
    tmp_path: Path, variables: dict[str, str], style: str
):
    write(tmp_path / "train.jsonl", {"messages": [HI, HELLO]})
    shown = on_terminal(tmp_path, "show", "train.jsonl", "--row", "1", **variables)
    assert f"{style}Hello!</s>" in shown


def on_terminal(cwd: Path, *arguments: str, **variables: str) -> str:
    """What `mistraltune data ...` writes to a terminal."""
    parent, child = pty.openpty()
    base = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env = {**base, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "COLUMNS": "200", **variables}
    command = [sys.executable, "-m", "mistraltune", "data", *arguments]
    subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=child, stderr=subprocess.PIPE, check=True
    )
    os.close(child)
    text = os.read(parent, 100_000).decode()
    os.close(parent)
    return text
