"""YAML that is safe and unambiguous, key by key."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistraltune.configuring import dump_yaml
from mistraltune.strict_yaml import MAX_BYTES, MAX_DEPTH, StrictYamlError, find_key_lines, read_text


def refusal(text: str) -> StrictYamlError:
    with pytest.raises(StrictYamlError) as refused:
        find_key_lines(text)
    return refused.value


def test_each_key_has_its_line() -> None:
    text = "# a comment\nmodel: a\ntraining:\n  seed: 1\n  rates: [1, 2]\nlora: {r: 8,\n  alpha: 16}\n"
    assert find_key_lines(text) == {
        "model": 2,
        "training": 3,
        "training.seed": 4,
        "training.rates": 5,
        "lora": 6,
        "lora.r": 6,
        "lora.alpha": 7,
    }


def test_a_text_without_keys_has_none() -> None:
    assert find_key_lines("") == find_key_lines("# nothing\n") == find_key_lines("12") == find_key_lines("[a]") == {}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "b.c: duplicate key, it stands on line 3 too"),
        ("a: 1\n'a': 2\n", 2, "a: duplicate key, it stands on line 1 too"),
        ("a: [{b: 1, b: 2}]", 1, "a.b: duplicate key, it stands on line 1 too"),
        ("a: 1\n---\nb: 1\n", 2, "a second YAML document (`---`) begins here"),
        ("a: 1\nb: &x 2\n", 2, "anchors (`&name`) and aliases (`*name`) are not read"),
        ("a: *x\n", 1, "anchors (`&name`) and aliases (`*name`) are not read"),
        ("a: !!str 1\n", 1, "tags (`!name`) are not read"),
        ("!!map {a: 1}\n", 1, "tags (`!name`) are not read"),
        ("? !x a\n: 1\n", 1, "tags (`!name`) are not read"),
        ("a:\n\tb: 1\n", 2, "found character '\\t' that cannot start any token"),
        ("a: [1\n", 2, "expected ',' or ']', but got '<stream end>'"),
        ("true: 1\n", 1, "true: a key must be text, and YAML reads another thing here"),
        ("a: {12: 1}\n", 1, "a.12: a key must be text, and YAML reads another thing here"),
        ("? [a]\n: 1\n", 1, "a list or a mapping: a key must be text, and YAML reads another thing here"),
        ("a: 017\n", 1, "a: YAML reads 017 as the number 15; write that, or quote it"),
        ("a: 12:30:45\n", 1, "a: YAML reads 12:30:45 as the number 45045; write that, or quote it"),
        ("a: [1, 1:30.5]\n", 1, "a: YAML reads 1:30.5 as the number 90.5; write that, or quote it"),
        ("a: b\x01c\n", 0, "unacceptable character #x0001: special characters are not allowed"),
    ],
)
def test_what_is_no_plain_value_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    error = refusal(text)
    assert (error.line, error.message) == (line, message)


@pytest.mark.parametrize(
    "text", ["a: '017'", 'a: "12:30:45"', "a: 1_000", "a: 0", "a: 0.5", "a: -3", "a: 1e-4", "a: 08"]
)
def test_what_reads_as_it_looks_is_accepted(text: str) -> None:
    assert find_key_lines(text) == {"a": 1}


BOMBS = {
    "lists": "[" * 20_000 + "]" * 20_000,
    "objects": "{a: " * 12_000 + "}" * 12_000,
    "unclosed": "a: " + "[" * 60_000,
    "blocks": "".join(" " * depth + "a:\n" for depth in range(300)),
    "laughs": "a: &a [x,x]\n"
    + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "itself": "a: &a [*a]\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_after_its_first_few_events(bomb: str) -> None:
    assert "nested deeper" in refusal(BOMBS[bomb]).message or "anchors" in refusal(BOMBS[bomb]).message


def test_depth_is_counted_to_the_level() -> None:
    assert find_key_lines("[" * MAX_DEPTH + "]" * MAX_DEPTH) == {}
    assert "nested deeper" in refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).message


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"#" * (MAX_BYTES + 1), 0, "larger than 64 KiB"),
        (b"a: 1\nb: \xe9\n", 2, "byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
    ],
)
def test_a_file_that_is_no_configuration_by_its_bytes_is_not_parsed(
    tmp_path: Path, content: bytes, line: int, message: str
) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(StrictYamlError) as refused:
        read_text(tmp_path / "a.yaml")
    assert (refused.value.line, refused.value.message) == (line, message)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_text(tmp_path / "a.yaml") == "a: 1\n"


@given(st.text(alphabet=st.sampled_from("ab:[]{}&*!-'\"\n\t ,#?|>%@`1.~\\\0é"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(StrictYamlError):
        assert all(line > 0 for line in find_key_lines(text).values())


plain_values = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
values = st.recursive(
    plain_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc_", min_size=1), values).filter(lambda value: "${" not in repr(value)))
def test_what_a_run_writes_as_its_configuration_is_plain_by_these_rules(value: dict[str, object]) -> None:
    assert set(value) <= set(find_key_lines(dump_yaml(value)))
