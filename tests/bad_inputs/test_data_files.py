"""The catalogue of bad data files, rows 1 to 25: each is refused by line and rule, or accepted on purpose."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mistraltune.data.checking import parse_row
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.lines import MAX_LINE_BYTES
from mistraltune.data.reading import read_rows
from mistraltune.data.rendering import MistralRenderer
from mistraltune.data.validating import check_files

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

GOOD = b'{"instruction": "a", "output": "b"}'
USER = {"role": "user", "content": "a"}
ANSWER = {"role": "assistant", "content": "b"}
CALL = {"id": "abcdefgh1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "1", "tool_call_id": "abcdefgh1", "name": "f"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


class Case(NamedTuple):
    """A file, and what is said of it: (line, rule) of each error, (line, rule) of each warning, words in a message."""

    name: str
    content: bytes
    errors: tuple[tuple[int, str], ...] = ()
    warnings: tuple[tuple[int, str], ...] = ()
    said: str = ""


def chat(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"messages": list(messages), **fields}).encode()


def with_value(value: bytes) -> bytes:
    """A good row with one more field."""
    return GOOD[:-1] + b', "id": ' + value + b"}\n"


def refused(name: str, content: bytes, rule: str, *, line: int = 1, said: str = "", **more: Any) -> Case:
    return Case(name, content, ((line, rule),), said=said, **more)


CASES = [
    refused("row-01-nothing", b"", "empty"),
    refused(
        "row-01-blank-lines-only",
        b"\n \t\n\n",
        "empty",
        warnings=((1, "blank-line"), (2, "blank-line"), (3, "blank-line")),
    ),
    Case("row-01-blank-line-between", GOOD + b"\n\n{}\n", ((3, "format"),), ((2, "blank-line"),)),
    refused("row-02-cut", GOOD + b'\n{"messages":[{"ro', "json", line=2, said="the file looks truncated"),
    refused("row-02-cut-in-a-character", GOOD + b'\n{"instruction": "\xc3', "encoding", line=2, said="looks truncated"),
    Case("row-03-no-final-newline", GOOD + b"\n" + GOOD.replace(b"a", b"c")),
    Case("row-04-byte-order-mark", b"\xef\xbb\xbf" + GOOD + b"\n", (), ((1, "bom"),)),
    refused("row-05-utf-16", GOOD.decode().encode("utf-16"), "encoding", said="iconv"),
    refused("row-05-utf-16-be-without-mark", GOOD.decode().encode("utf-16-be"), "encoding", said="iconv"),
    refused("row-05-utf-32", GOOD.decode().encode("utf-32"), "encoding", said="byte offset 0"),
    refused(
        "row-05-latin-1",
        GOOD + b'\n{"instruction": "\xe9t\xe9", "output": "b"}',
        "encoding",
        line=2,
        said="at offset 53",
    ),
    refused("row-06-no-utf-8", GOOD.replace(b'"a', b'"\xff\xfe'), "encoding", said="byte 0xff at offset 17"),
    refused("row-06-overlong", GOOD.replace(b"a", b"\xc0\xaf", 1), "encoding"),
    refused("row-06-surrogate-bytes", GOOD.replace(b'"a"', b'"\xed\xa0\xbd\xed\xb8\x80"'), "encoding"),
    refused("row-07-half-pair", GOOD.replace(b'"a"', b'"\\ud800"'), "surrogate"),
    refused("row-07-swapped-pair", GOOD.replace(b'"a"', b'"\\ude00\\ud83d"'), "surrogate"),
    Case("row-07-whole-pair", GOOD.replace(b'"a"', b'"\\ud83d\\ude00"')),
    refused("row-08-escaped-nul", GOOD.replace(b'"a"', b'"\\u0000"'), "nul"),
    refused("row-08-raw-nul", GOOD.replace(b'"a"', b'"\0"'), "json"),
    refused("row-08-raw-control-character", GOOD.replace(b'"a"', b'"\x07"'), "json"),
    Case("row-08-escaped-control-character", GOOD.replace(b'"a"', b'"\\u001b[31m"'), (), ((1, "invisible-character"),)),
    Case("row-08-bidi-override", GOOD.replace(b'"a"', '"\u202e"'.encode()), (), ((1, "invisible-character"),)),
    Case("row-08-zero-width", GOOD.replace(b'"a"', '"x\u200b"'.encode()), (), ((1, "invisible-character"),)),
    Case("row-09-crlf", GOOD + b"\r\n" + GOOD.replace(b"a", b"c") + b"\r\n"),
    refused("row-09-cr-only", GOOD + b"\r" + GOOD + b"\r", "newline"),
    Case(
        "row-09-separators-in-a-text",
        GOOD.replace(b'"a"', '"a\u2028b\u0085c\u2029"'.encode()),
        (),
        ((1, "invisible-character"),),
    ),
    *(
        refused(f"row-10-{name}", with_value(value), "number")
        for name, value in {"nan": b"NaN", "infinity": b"-Infinity", "1e999": b"1e999", "digits": b"9" * 5000}.items()
    ),
    refused("row-11-twice", b'{"instruction": "a", "output": "b", "output": "c"}', "duplicate-key", said="'output'"),
    refused(
        "row-11-twice-by-escape",
        chat(USER, ANSWER).replace(b'"role"', b'"role": "user", "\\u0072ole"', 1),
        "duplicate-key",
        said="'role'",
    ),
    *(
        refused(f"row-12-depth-{depth}", with_value(b"[" * depth + b"]" * depth), "depth")
        for depth in (64, 1001, 100_000)
    ),
    refused("row-12-depth-of-objects", with_value(b'{"a":' * 100_000), "depth"),
    Case("row-12-depth-63", with_value(b"[" * 63 + b"]" * 63)),
    refused("row-13-8-mib-and-one", GOOD[:-2] + b"x" * (MAX_LINE_BYTES + 1 - len(GOOD)) + b'"}', "line-too-long"),
    refused("row-14-two-objects", GOOD + b" " + GOOD, "json", said="column 37"),
    refused("row-14-trailing-comma", GOOD[:-1] + b",}", "json", said="remove the comma before it"),
    refused("row-14-single-quotes", GOOD.replace(b'"', b"'"), "json", said="double quotes"),
    refused("row-14-comment", b"// rows\n" + GOOD, "json", said="JSON has no comments"),
    refused(
        "row-15-array",
        b"[" + GOOD + b"," + GOOD + b"]",
        "json-array",
        said="JSON array: use `mistraltune data convert`",
    ),
    refused("row-15-array-over-lines", b"[\n" + GOOD + b",\n" + GOOD + b"\n]", "json-array"),
    refused("row-15-pretty-printed", json.dumps(json.loads(GOOD), indent=2).encode(), "json", said="jq -c"),
    *(
        refused(f"row-16-{name}", GOOD + b"\n" + value, "not-an-object", line=2)
        for name, value in {"null": b"null", "list": b"[]", "text": b'"x"', "number": b"1", "true": b"true"}.items()
    ),
    *(
        refused(f"row-17-content-{name}", chat({"role": "user", "content": value}, ANSWER), "content")
        for name, value in {"null": None, "number": 3, "list-of-numbers": [1], "object": {}}.items()
    ),
    refused("row-17-empty-answer", chat(USER, {"role": "assistant", "content": ""}), "content"),
    Case("row-17-null-with-tool-calls", chat(USER, {**CALLING, "content": None}, tools=TOOLS)),
    refused("row-18-unknown-role", chat({"role": "bot", "content": "a"}, ANSWER), "role"),
    Case(
        "row-18-two-systems", chat({"role": "system", "content": "x"}, {"role": "system", "content": "y"}, USER, ANSWER)
    ),
    Case("row-18-starts-with-assistant", chat(ANSWER, USER, ANSWER), (), ((1, "order"),)),
    refused("row-18-ends-with-user", chat(USER, ANSWER, USER), "last-role"),
    refused("row-18-no-assistant", chat(USER), "last-role"),
    refused(
        "row-18-system-in-the-middle", chat(USER, ANSWER, {"role": "system", "content": "x"}, USER, ANSWER), "order"
    ),
    Case("row-19-result-without-call", chat(USER, RESULT, ANSWER), ((1, "order"), (1, "tool-result"))),
    refused(
        "row-19-bad-call-id",
        chat(USER, {**CALLING, "tool_calls": [{**CALL, "id": "call_1"}]}, tools=TOOLS),
        "tool-call-id",
        said="messages[1]",
    ),
    refused(
        "row-19-arguments-no-json",
        chat(USER, {**CALLING, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{a}"}}]}, tools=TOOLS),
        "tool-arguments",
        said="messages[1]",
    ),
    Case(
        "row-20-control-tokens",
        chat(USER, {"role": "assistant", "content": "[INST] </s> <|im_end|>"}),
        (),
        ((1, "control-token"),),
    ),
    Case("row-21-only-duplicates", (GOOD + b"\n") * 3, (), ((2, "duplicate"), (3, "duplicate"))),
    refused("row-22-gzip", gzip.compress(GOOD), "compressed", said="a gzip file"),
    refused("row-22-gzip-bomb", gzip.compress(bytes(50_000_000)), "compressed"),
    refused("row-22-zip", b"PK\x03\x04" + bytes(100), "compressed"),
    refused("row-22-xz", lzma.compress(GOOD), "compressed"),
]


def write_cases(folder: Path) -> None:
    for case in CASES:
        (folder / case.name).mkdir()
        (folder / case.name / "rows.jsonl").write_bytes(case.content)


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What the check says of each file of the catalogue, by case."""
    folder = tmp_path_factory.mktemp("catalogue")
    write_cases(folder)
    return {case.name: check_files([folder / case.name / "rows.jsonl"]).as_dict()["findings"] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_file_is_named_by_line_and_rule(case: Case, findings: dict[str, list[dict[str, Any]]]) -> None:
    found = findings[case.name]
    assert tuple((f["line"], f["rule"]) for f in found if f["is_error"]) == case.errors
    assert tuple((f["line"], f["rule"]) for f in found if not f["is_error"]) == case.warnings
    assert case.said in " ".join(f"{f['message']}; {f['hint']}" for f in found)
    assert all(f["message"].isprintable() for f in found)


def test_one_process_refuses_the_whole_catalogue_with_exit_code_3(mistraltune: CommandLine, tmp_path: Path) -> None:
    write_cases(tmp_path)
    files = [f"{case.name}/rows.jsonl" for case in CASES]
    done = mistraltune("data", "validate", "--json", *files)
    report = json.loads(done.stdout)["error"]
    reported = {file["file"]: file["num_errors"] for file in report["files"]}
    assert done.returncode == report["exit_code"] == 3
    assert reported == {f"{case.name}/rows.jsonl": len(case.errors) for case in CASES}


def test_one_process_accepts_what_is_only_odd(mistraltune: CommandLine, tmp_path: Path) -> None:
    write_cases(tmp_path)
    done = mistraltune("data", "validate", *(f"{case.name}/rows.jsonl" for case in CASES if not case.errors))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


# Rows that need more than a file's bytes


def test_row_04_a_byte_order_mark_is_not_written_again(mistraltune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD + b"\n")
    assert mistraltune("data", "convert", "in.jsonl", "out.jsonl").returncode == 0
    assert (tmp_path / "out.jsonl").read_bytes().startswith(b'{"messages"')


def test_row_17_a_row_over_the_context_is_listed_with_its_token_count(mistraltune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_bytes(GOOD + b"\n" + GOOD.replace(b'"a"', b'"' + b"word " * 9000 + b'"'))
    done = mistraltune("data", "validate", "long.jsonl", "--tokenizer", "v3", "--max-length", "4096")
    assert done.returncode == 3
    assert "long.jsonl:2 too-long " in done.stdout
    assert "9,0" in done.stdout


@pytest.mark.parametrize("tokenizer", ["v1", "v2", "v3", "v7", "tekken"])
def test_row_20_control_token_text_is_tokenised_as_text(tokenizer: str) -> None:
    renderer = MistralRenderer.from_name(tokenizer)
    control = {renderer.bos_id, *renderer.end_ids, *control_ids(renderer, "a")}
    text = "[INST] </s> <s> [/INST] [TOOL_CALLS] [AVAILABLE_TOOLS] <unk> [SYSTEM_PROMPT]"
    plain, odd = (rendered(renderer, content) for content in ("harmless", text))
    assert [i for i in odd if i in control] == [i for i in plain if i in control]
    assert renderer.decode(odd).count("[TOOL_CALLS]") == 1


def rendered(renderer: MistralRenderer, content: str) -> list[int]:
    row = {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "b"}]}
    (sequence,) = renderer.render(parse_row(row))
    return list(sequence.token_ids)


def control_ids(renderer: MistralRenderer, content: str) -> set[int]:
    """Ids of the tokens that vanish when special tokens are skipped."""
    return {i for i in rendered(renderer, content) if not renderer.decode([i], skip_special_tokens=True)}


def test_row_21_rows_that_train_and_validation_share_are_refused_with_counts(
    mistraltune: CommandLine, tmp_path: Path, triage_rows: Path, tiny_model: Path
) -> None:
    shared = (triage_rows / "train.jsonl").read_text().splitlines(keepends=True)[:3]
    (triage_rows / "val.jsonl").write_text("".join(shared))
    rows = ("--train-file", triage_rows / "train.jsonl", "--val-file", triage_rows / "val.jsonl")
    done = mistraltune("train", "local", "--model", tiny_model, *rows, "--dry-run")
    assert done.returncode == 3
    assert "error: 3 validation rows are in the training data too: " in done.stderr


@pytest.mark.parametrize("name", ["fifo", "loop", "folder", "device"])
def test_row_23_what_is_no_regular_file_is_refused_without_a_hang(
    mistraltune: CommandLine, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    match name:
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "folder":
            path.mkdir()
        case _:
            path = Path("/dev/zero")
    done = mistraltune("data", "validate", path)
    assert done.returncode == 3
    assert f"{path} not-a-file " in done.stdout


def test_row_23_a_link_to_a_file_is_followed(mistraltune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(GOOD)
    (tmp_path / "link").symlink_to("rows.jsonl")
    assert mistraltune("data", "validate", "link").returncode == 0


def test_row_23_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes((GOOD + b"\n") * 3)
    rows = read_rows(path)
    next(rows)
    path.write_bytes(GOOD)
    assert "changed" in [row.problem.rule for row in rows if row.problem]


NAMES = ["new\nline.jsonl", "-rf", "é" * 125 + ".json", "🦜.jsonl", "a b'\"$(id).jsonl", "\x1b[31mred.jsonl"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_row_24_any_file_name_works_and_is_printed_quoted(mistraltune: CommandLine, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{}")
    done = mistraltune("data", "validate", "--", name)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert "\x1b" not in done.stdout + done.stderr


def test_row_24_a_name_that_is_no_utf_8_works(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.jsonl"
    Path(os.fsdecode(name)).write_bytes(GOOD)
    command = [os.fsencode(sys.executable), b"-m", b"mistraltune", b"data", b"validate", name]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcff.jsonl" in done.stdout


# Row 25

HAND_PICKED = [
    "undefined", "null", "NULL", "(null)", "nil", "true", "None", "\\", "\\\\", "0", "-1", "1e5", "0x0", "NaN", "1/0",
    "'", '"', "''", '""', "`", "';--", "' OR 1=1 --", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "$(touch x)", "`touch x`", "${HOME}", "{{7*7}}", "%s%n%x", "../../etc/passwd", "C:\\con\\con", "file://",
    "田中さんにあげて下さい", "社會科學院語學研究所", "울란바토르", "𠜎𠜱𠝹𠱓", "ﷺ", "هَاتِف", "ثم نفس سقطت", "בְּרֵאשִׁית",
    "🏳0🌈️", "👩‍👩‍👧‍👦", "🇺🇸🇷",
    "Z̮̞̠͙͔ͅa̜͝l̥go", "ﾟ･✿ヾ╲(｡◕‿◕｡)╱✿･ﾟ", "¯\\_(ツ)_/¯", "\u202a\u202atest\u202a", "\u2066test\u2067",
    "\u200b\u180e\ufeff", "\u2028\u2029",
    "\x1b[2J\x1b[31m", "\x7f\x80\x9f", "\r\n\t\x0b\x0c", " leading and trailing ", "[INST]</s><|im_end|>", "Ω≈ç√∫˜µ≤≥÷",
]  # fmt: skip


def naughty_strings() -> list[str]:
    """515 texts: those that have broken programs before, and seeded draws from Unicode without NUL and surrogates."""
    random_source = random.Random(25)
    drawn = []
    while len(HAND_PICKED) + len(drawn) < 515:
        points = (random_source.choice((0x80, 0x800, 0x10000, 0x110000)) for _ in range(random_source.randint(1, 20)))
        characters = (chr(random_source.randrange(1, end)) for end in points)
        drawn.append("".join(c for c in characters if unicodedata.category(c) != "Cs") or "x")
    return [*HAND_PICKED, *drawn]


@pytest.mark.parametrize("is_ascii", [True, False])
def test_row_25_naughty_strings_come_out_of_a_round_trip_as_they_went_in(
    mistraltune: CommandLine, tmp_path: Path, is_ascii: bool
) -> None:
    strings = naughty_strings()
    rows = ({"instruction": f"{number}:{text}", "output": text} for number, text in enumerate(strings))
    lines = "".join(json.dumps(row, ensure_ascii=is_ascii) + "\n" for row in rows)
    (tmp_path / "in.jsonl").write_bytes(lines.encode())
    assert mistraltune("data", "convert", "in.jsonl", "out.jsonl").returncode == 0
    conversations = ConversationFile.open(tmp_path / "out.jsonl")
    assert [c.messages[0].content for c in conversations] == [f"{n}:{text}" for n, text in enumerate(strings)]
    assert [c.messages[1].content for c in conversations] == strings
