"""What is refused of a rendered row, whichever renderer made it."""

import pytest

from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.rendered import Rendered, RowError, as_finding, check_rendered

BOS, END = 1, 2
ROW = Conversation((Message(role="user", content="aa"), Message(role="assistant", content="b")), source="train.jsonl:1")


def test_an_answer_whose_end_is_not_trained_is_refused() -> None:
    sequence = Rendered([BOS, 5, 6, END, 5, 6, END], [False, False, True, False, False, True, True])
    with pytest.raises(RowError, match="without the token that ends it") as caught:
        check_rendered([sequence], ROW, end_ids=(END,))
    assert caught.value.rule == "untrained-end"


def test_a_sequence_that_ends_within_an_answer_is_refused() -> None:
    with pytest.raises(RowError, match="without the token that ends it"):
        check_rendered([Rendered([BOS, 5, 6], [False, False, True])], ROW, end_ids=(END,))


def test_a_doubled_beginning_of_sequence_is_refused() -> None:
    with pytest.raises(RowError, match="beginning-of-sequence token is doubled"):
        check_rendered([Rendered([BOS, BOS, 6, END], [False, False, True, True])], ROW, bos_id=BOS, end_ids=(END,))


def test_a_row_of_several_sequences_needs_only_one_that_trains() -> None:
    untrained = Rendered([BOS, 5], [False, False])
    check_rendered([untrained, Rendered([BOS, 5, END], [False, True, True])], ROW, bos_id=BOS, end_ids=(END,))


def test_a_finding_names_the_place_of_its_row() -> None:
    error = RowError(ROW, "some-rule", "it is wrong", hint="mend it")
    assert str(as_finding(error, ROW, row=0)) == "train.jsonl:1 some-rule it is wrong; mend it"
    nameless = Conversation(ROW.messages)
    assert str(as_finding(RowError(nameless, "some-rule", "wrong"), nameless, row=4)) == "row:5 some-rule wrong"
