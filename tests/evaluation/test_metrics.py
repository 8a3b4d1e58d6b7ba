import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistraltune.data.conversation import ToolCall
from mistraltune.evaluation.metrics import (
    best_over,
    canonical_json,
    exact_match,
    token_f1,
    tool_call_match,
)
from mistraltune.evaluation.normalising import normalise_english

PIECES = ["the", "a", "An", "THE", "billing", "/", "urgent", "Normal", "bug,", "bug.", "returns!", "café", "É", "42"]
PIECES += ["3.14", "l'an", "a-b", "_", "?", "«x»", " ", "\t", "\n"]


def random_text(generator: random.Random) -> str:
    return " ".join(generator.choices(PIECES, k=generator.randrange(0, 8)))


def random_pairs(count: int) -> list[tuple[str, str]]:
    generator = random.Random(7)
    return [(random_text(generator), random_text(generator)) for _ in range(count)]


def test_a_thousand_random_pairs_score_as_torchmetrics_scores_them():
    from torchmetrics.functional.text import squad

    num_compared = 0
    for prediction, reference in random_pairs(1000):
        oracle = squad(
            {"prediction_text": prediction, "id": "1"},
            {"answers": {"answer_start": [0], "text": [reference]}, "id": "1"},
        )
        assert exact_match(prediction, reference) == oracle["exact_match"].item() / 100
        if not normalise_english(prediction) and not normalise_english(reference):
            continue  # torchmetrics takes SQuAD v2.0's rule here, see the test of two empty texts
        assert token_f1(prediction, reference) == pytest.approx(oracle["f1"].item() / 100, abs=1e-6)
        num_compared += 1
    assert num_compared > 900


@pytest.mark.parametrize(
    ("prediction", "reference", "match", "f1"),
    [
        ("The  Billing!", "billing", 1.0, 1.0),
        ("a bug", "an bug.", 1.0, 1.0),
        ("billing urgent", "billing normal", 0.0, 0.5),
        ("no no no", "no", 0.0, 0.5),
        ("billing", "", 0.0, 0.0),
        ("", "billing", 0.0, 0.0),
        ("état", "Etat", 0.0, 0.0),
        ("banana", "banan", 0.0, 0.0),
    ],
)
def test_a_pair_scores_as_squad_defines_it(prediction, reference, match, f1):
    assert exact_match(prediction, reference) == match
    assert token_f1(prediction, reference) == pytest.approx(f1)


@pytest.mark.parametrize("text", ["", "  ", "the", "?!", "A an THE ..."])
def test_two_empty_texts_match_but_share_no_word_as_in_squad_v1_1(text):
    assert exact_match(text, "") == 1.0
    assert token_f1(text, "") == 0.0


@given(st.text(), st.text())
def test_scores_are_symmetric_and_between_0_and_1(first, second):
    assert exact_match(first, second) == exact_match(second, first)
    assert token_f1(first, second) == pytest.approx(token_f1(second, first))
    assert 0.0 <= token_f1(first, second) <= 1.0


@given(st.text())
def test_a_text_matches_itself_in_any_dress(text):
    assert exact_match(f"  The {text}?!\n", text) == 1.0
    assert token_f1(text, text) == float(bool(normalise_english(text)))


def test_the_best_of_several_references_counts():
    assert best_over(["refund", "billing / urgent"], token_f1, "billing urgent") == 1.0
    with pytest.raises(ValueError, match="empty"):
        best_over([], token_f1, "billing")


def call(name: str, arguments: str, call_id: str = "abcdefghi") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


def test_tool_calls_match_whatever_their_spelling_ids_and_order():
    expected = [call("find", '{"id": 1, "tags": ["a", "b"]}'), call("now", "{}")]
    predicted = [call("now", "", "zzzzzzzzz"), call("find", '{"tags":["a","b"],"id":1.0}')]
    assert tool_call_match(predicted, expected) == 1.0


@pytest.mark.parametrize(
    "predicted",
    [
        [],
        [call("find", '{"id": 2}')],
        [call("search", '{"id": 1}')],
        [call("find", '{"id": "1"}')],
        [call("find", '{"id": true}')],
        [call("find", '{"id": 1}'), call("find", '{"id": 1}')],
        [call("find", '{"id": 1')],
    ],
)
def test_tool_calls_that_differ_do_not_match(predicted):
    assert tool_call_match(predicted, [call("find", '{"id": 1}')]) == 0.0


def test_the_order_of_a_list_is_part_of_its_value():
    assert canonical_json('{"x": [1, 2]}') != canonical_json('{"x": [2, 1]}')


@pytest.mark.parametrize("text", ["{", "not json", "[" * 100_000, "1" * 5000, "1e999"])
def test_arguments_that_no_parser_takes_equal_themselves(text):
    assert canonical_json(f" {text}\n") == canonical_json(text)
