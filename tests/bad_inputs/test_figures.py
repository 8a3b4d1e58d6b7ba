"""Figures D2 to D7: where a bad line is, what a fuzz finds, memory, and that checking and training read the same."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mistraltune.backends.local import LocalBackend
from mistraltune.backends.local.batching import ConversationCollator
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.fitting import fit
from mistraltune.data.measuring import Rules
from mistraltune.data.rendering import MistralRenderer
from mistraltune.data.validating import check_files
from mistraltune.errors import DataError
from mistraltune.results import ModelRef

CommandLine = Callable[..., subprocess.CompletedProcess[str]]

MEBIBYTE = 2**20
MAX_RSS = 200 * MEBIBYTE


def good_line(number: int) -> bytes:
    """A row of either format's size and shape, another one for each number."""
    return json.dumps({"instruction": f"question {number} é", "output": f"answer {number}"}).encode()


# D3: one bad line among a thousand

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "json": lambda line: line[:-3],
    "encoding": lambda line: line.replace(b"answer", b"answ\xe9r"),
    "duplicate-key": lambda line: line[:-1] + b', "output": "again"}',
    "number": lambda line: line[:-1] + b', "id": NaN}',
    "not-an-object": lambda line: b"[" + line + b"]",
    "format": lambda line: line.replace(b'"output"', b'"outputs"'),
    "content": lambda line: line.replace(b'"output": ', b'"output": 1, "id": '),
    "surrogate": lambda line: line.replace(b"answer", b"\\ud800"),
    "newline": lambda line: line + b"\r" + line,
    "depth": lambda line: line[:-1] + b', "id": ' + b"[" * 65 + b"]" * 65 + b"}",
}


def test_d3_one_bad_line_among_a_thousand_gives_exactly_that_line_200_times(tmp_path: Path) -> None:
    chance = random.Random(3)
    good = [good_line(number) for number in range(1000)]
    path = tmp_path / "rows.jsonl"
    for bad in chance.sample(range(1, 1000), 200):  # a first row that is a list means another thing: a JSON array
        rule = chance.choice(list(DAMAGE))
        path.write_bytes(b"\n".join([*good[:bad], DAMAGE[rule](good[bad]), *good[bad + 1 :]]) + b"\n")
        found = check_files([path]).findings
        assert [(finding.line, finding.rule) for finding in found] == [(bad + 1, rule)]


# D5: nothing makes a traceback

CHAT_ROW = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "What is the weather? 😀"}]},
        {
            "role": "assistant",
            "tool_calls": [{"id": "abcdefgh1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}],
        },
        {"role": "tool", "content": "sun", "tool_call_id": "abcdefgh1", "name": "weather"},
        {"role": "assistant", "content": "Sunny.", "weight": 1},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
}


def mutated(good: bytes, chance: random.Random) -> bytes:
    """`good` with a few bytes changed, cut out, put in or doubled."""
    content = bytearray(good)
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(content))
        end = min(len(content), start + chance.choice((0, 1, 1, 1, 2, 8, 40)))
        match chance.randrange(4):
            case 0:
                content[start:end] = chance.randbytes(end - start)
            case 1:
                content[start:end] = b""
            case 2:
                content[start:start] = chance.choice([b'"', b"{", b"}", b"[", b",", b":", b"\\", b"\n", b"null", b"\0"])
            case _:
                content[start:start] = content[start:end]
        if not content:
            return b""
    return bytes(content)


@pytest.mark.parametrize("seed", range(4))
def test_d5_a_mutated_file_is_read_or_refused_750_times_a_seed(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    renderer = MistralRenderer.from_name("v3")
    rows = [CHAT_ROW, {**CHAT_ROW, "references": ["Sun."]}, CHAT_ROW]
    good = b"".join(json.dumps(row, ensure_ascii=seed % 2 == 0).encode() + b"\n" for row in rows)
    path = tmp_path / "rows.jsonl"
    num_read = 0
    for _ in range(750):
        path.write_bytes(mutated(good, chance))
        num_errors = check_files([path]).num_errors
        try:
            conversations = ConversationFile.open(path)
        except DataError:
            assert num_errors
            continue
        assert not num_errors
        num_read += len(list(rendered_or_refused(conversations, renderer)))
    assert num_read > 20


def rendered_or_refused(conversations: ConversationFile, renderer: MistralRenderer) -> Iterator[bool]:
    """For each conversation, whether the tokenizer takes it."""
    for conversation in conversations:
        try:
            yield bool(renderer.render(conversation))
        except DataError:
            yield False


def test_d5_the_command_ends_a_mutated_file_with_0_or_3(mistraltune: CommandLine, tmp_path: Path) -> None:
    chance = random.Random(5)
    good = (json.dumps(CHAT_ROW).encode() + b"\n") * 2
    for number in range(300):
        (tmp_path / f"{number}.jsonl").write_bytes(mutated(good, chance))
    done = mistraltune("data", "validate", "--json", *(f"{number}.jsonl" for number in range(300)))
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert len(json.loads(done.stdout)["error"]["files"]) == 300


# D6: what was checked is what is trained


def test_d6_training_reads_the_tokens_that_data_show_prints(
    mistraltune: CommandLine, triage_rows: Path, tiny_model: Path
) -> None:
    path = triage_rows / "train.jsonl"
    renderer = LocalBackend().renderer(ModelRef(model=str(tiny_model)))
    rules = Rules(4096, "error", renderer.bos_id, renderer.end_ids)
    fitted = fit(ConversationFile.open(path), renderer.render, rules=rules)
    collate = ConversationCollator(fitted, renderer, pass_length=1)
    for row in (0, 7):
        batch = collate([{"row": row}])
        done = mistraltune("data", "show", path, "--row", str(row + 1), "--model", tiny_model, "--json")
        shown = json.loads(done.stdout)
        assert batch["input_ids"].tolist() == [shown["token_ids"]]
        trained = [token if mask else -100 for token, mask in zip(shown["token_ids"], shown["loss_mask"], strict=True)]
        assert batch["labels"].tolist() == [trained]


def test_d6_validation_and_a_plan_count_the_same_tokens(
    mistraltune: CommandLine, triage_rows: Path, tiny_model: Path
) -> None:
    path = triage_rows / "train.jsonl"
    checked = json.loads(mistraltune("data", "validate", path, "--model", tiny_model, "--json").stdout)["files"][0]
    options = ("--model", tiny_model, "--train-file", path, "--dry-run", "--json")
    planned = json.loads(mistraltune("train", "local", *options).stdout)["train"]
    counts = {name: value for name, value in checked.items() if name in planned}
    assert {"num_tokens", "num_trained_tokens"} <= set(counts)
    assert counts == {name: planned[name] for name in counts}


# D7: an input is never changed


def test_d7_no_command_changes_its_input(mistraltune: CommandLine, triage_rows: Path, tiny_model: Path) -> None:
    train, bad = triage_rows / "train.jsonl", triage_rows / "bad.jsonl"
    bad.write_bytes(b"\xef\xbb\xbf" + train.read_bytes().replace(b"\n", b"\r\n") + b"{")
    before = fingerprints(triage_rows)
    for file in (train, bad):
        mistraltune("data", "validate", file, "--tokenizer", "v3")
        mistraltune("data", "convert", file, "out.jsonl", "--force")
        mistraltune("data", "convert", file, file, "--force")
        mistraltune("data", "split", file, "--out-dir", "parts", "--force")
        mistraltune("data", "show", file, "--row", "1", "--tokenizer", "v3")
        mistraltune("train", "local", "--model", tiny_model, "--train-file", file, "--dry-run")
    assert fingerprints(triage_rows) == before


def fingerprints(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of each file."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


# D2 and D4: memory


def peak_rss(*arguments: str, folder: Path) -> tuple[int, int]:
    """Exit code of a command and the most memory that it held, in bytes."""
    script = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'mistraltune', *sys.argv[1:]], capture_output=True)\n"
        "print(json.dumps([done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    code, peak = json.loads(done.stdout)
    return code, peak if sys.platform == "darwin" else peak * 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with 150 MiB of rows, a line of 400 MiB (sparse), and a compressed file that would unpack to 1 GiB."""
    folder = tmp_path_factory.mktemp("large")
    with (folder / "rows.jsonl").open("wb") as file:
        for number in range(30_000):
            file.write(good_line(number)[:-1] + b', "input": "' + b"word " * 1024 + b'"}\n')
    with (folder / "line.jsonl").open("wb") as file:
        file.write(b'{"instruction": "')
        file.truncate(400 * MEBIBYTE)
    (folder / "bomb.jsonl").write_bytes(gzip.compress(bytes(8 * MEBIBYTE)) * 128)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("validate", "rows.jsonl"), 0),
        (("validate", "line.jsonl"), 3),
        (("validate", "bomb.jsonl"), 3),
        (("convert", "rows.jsonl", "converted.jsonl"), 0),
        (("split", "rows.jsonl", "--out-dir", "parts"), 0),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_d2_and_d4_a_command_holds_less_than_200_mib_whatever_the_file_weighs(
    large: Path, arguments: tuple[str, ...], code: int
) -> None:
    found, peak = peak_rss("data", *arguments, folder=large)
    assert found == code
    assert peak < MAX_RSS


def test_d2_the_measure_sees_memory_that_grows(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("held = bytearray(b'x') * (300 * 2**20)\n")
    (tmp_path / "rows.jsonl").write_bytes(good_line(1))
    script = (
        "import os, sys; os.environ['PYTHONPATH'] = sys.argv[1] + os.pathsep + os.environ.get('PYTHONPATH', '')\n"
        "import subprocess, resource\n"
        "subprocess.run([sys.executable, '-m', 'mistraltune', 'data', 'validate', 'rows.jsonl'], capture_output=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 > MAX_RSS
