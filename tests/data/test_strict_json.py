from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from mistraltune.data.strict_json import LineError, loads

SUITE = Path(__file__).parents[2].parent / "shared" / "data" / "json-test-suite"
DUPLICATE_KEYS = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}

needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason="JSONTestSuite (shared/data/json-test-suite) is not here")


def documents(prefix: str) -> list[Path]:
    return sorted(SUITE.glob(f"{prefix}_*.json"))


def refusal(text: bytes) -> LineError:
    with pytest.raises(LineError) as caught:
        loads(text)
    return caught.value


@needs_suite
def test_every_document_that_must_be_rejected_is_rejected():
    paths = documents("n")
    assert len(paths) == 188
    for path in paths:
        assert refusal(path.read_bytes()).rule, path.name


@needs_suite
def test_every_document_that_must_parse_does_but_those_with_duplicate_keys():
    paths = documents("y")
    assert len(paths) == 95
    for path in paths:
        if path.name in DUPLICATE_KEYS:
            assert refusal(path.read_bytes()).rule == "duplicate-key"
        else:
            loads(path.read_bytes())


@needs_suite
def test_a_document_that_may_be_either_never_crashes():
    for path in documents("i"):
        with contextlib.suppress(LineError):
            loads(path.read_bytes())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b'{"a": NaN}', "number"),
        (b'{"a": -Infinity}', "number"),
        (b'{"a": 1e999}', "number"),
        (b"9" * 5000, "number"),
        (b'{"role": 1, "\\u0072ole": 2}', "duplicate-key"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\uDC00\\uD800"', "surrogate"),
        (b'"\xff\xfe"', "encoding"),
        (b'"\xc0\xaf"', "encoding"),
        (b'"\xed\xa0\x80"', "encoding"),
        (b"[" * 65 + b"]" * 65, "depth"),
        (b"[" * 100_000, "depth"),
        (b'{"a": "' + b"[" * 100 + b'"' + b'\\"' * 10, "json"),
        (b"{'a': 1}", "json"),
        (b'{"a": 1,}', "json"),
        (b'{"a": 1} // comment', "json"),
        (b"", "json"),
    ],
)
def test_what_breaks_the_rule_is_refused_by_its_id(text: bytes, rule: str):
    assert refusal(text).rule == rule


def test_sixty_four_levels_and_any_number_of_siblings_are_fine():
    assert loads(b"[" * 64 + b"]" * 64)
    assert len(loads(b"[" + b"[]," * 1000 + b"[]]")) == 1001
    assert loads(b'{"a": "' + b"[" * 100 + b'"}') == {"a": "[" * 100}


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_fine():
    assert loads(b'"\\ud83d\\ude00"') == "😀"
    assert loads(b'"\\\\ud800"') == "\\ud800"


def test_an_error_names_the_column_and_what_to_do():
    error = refusal(b'{"a": 1}{"b": 2}')
    assert (error.message, error.column) == ("a second value starts at column 9", 9)
    assert error.hint == "write one JSON object per line"
    assert refusal(b'{"a": 1,}').hint == "remove the comma before it"
    assert refusal(b"{'a': 1}").hint == "strings and keys stand in double quotes"
    assert refusal(b"instruction,output").hint == "a row is one JSON object on a line"


def test_a_byte_that_is_no_utf8_is_named_with_its_offset():
    assert refusal(b'"abc\xe9"').message == "byte 0xe9 at offset 4 is not UTF-8"


def test_an_object_with_a_million_keys_is_searched_for_the_repeated_one_in_linear_time():
    keys = b",".join(b'"%d":0' % number for number in range(200_000))
    assert "'7'" in refusal(b"{" + keys + b',"7":1}').message
