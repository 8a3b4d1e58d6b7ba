"""Rows measured before training: counted, cut to length, or refused by name."""

import pickle
from array import array

import pytest

from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.fitting import Fitted, fit
from mistraltune.data.measuring import Rules, measure
from mistraltune.data.rendered import Rendered
from mistraltune.data.rendering import MistralRenderer
from mistraltune.data.truncating import without_oldest_turns
from mistraltune.errors import DataError

BOS, END = 1, 2


def chat(*turns: tuple[str, str], system: str = "", line: int = 1, weights: tuple[int, ...] = ()) -> Conversation:
    messages = [Message(role="system", content=system)] if system else []
    for number, (question, answer) in enumerate(turns):
        weight = weights[number] if weights else 1
        messages.append(Message(role="user", content=question))
        messages.append(Message(role="assistant", content=answer, weight=weight))
    return Conversation(tuple(messages), source=f"train.jsonl:{line}")


def render(conversation: Conversation) -> list[Rendered]:
    """One token per character, one to end an answer; answers of weight 1 are trained."""
    token_ids, mask = [BOS], [False]
    for message in conversation.messages:
        trains = message.role == "assistant" and bool(message.weight)
        token_ids += [3] * len(message.content) + [END] * (message.role == "assistant")
        mask += [trains] * (len(message.content) + (message.role == "assistant"))
    return [Rendered(token_ids, mask)]


SHORT = chat(("aa", "b"), line=1)  # 1 + 2 + 2 tokens
LONG = chat(("aaaa", "bbb"), ("cc", "d"), system="ss", line=2)  # 3 + 8 + 4
HUGE = chat(("a" * 50, "b"), line=3)  # 53


def test_counts_are_those_of_the_rendered_rows() -> None:
    measured = measure([SHORT, LONG], render, rules=Rules(None))
    assert measured.figures() == {
        "num_rows": 2,
        "num_sequences": 2,
        "num_tokens": 5 + 15,
        "num_trained_tokens": 2 + 6,
        "longest": 15,
        "num_dropped": 0,
        "num_truncated": 0,
    }
    assert measured.kept is None


def test_all_rows_that_are_too_long_are_named_in_one_error() -> None:
    with pytest.raises(DataError) as caught:
        measure([SHORT, LONG, HUGE], render, rules=Rules(10))
    assert caught.value.message.splitlines() == [
        "2 of 3 rows cannot be trained on",
        "train.jsonl:2 too-long 15 tokens, 10 are allowed",
        "train.jsonl:3 too-long 53 tokens, 10 are allowed",
    ]
    assert caught.value.hint == "raise data.max_length, or set data.on_too_long to drop or truncate"
    assert [finding["line"] for finding in caught.value.details["findings"]] == [2, 3]


def test_a_row_of_exactly_the_longest_length_is_kept() -> None:
    assert measure([LONG], render, rules=Rules(15)).num_dropped == 0


def test_rows_that_are_too_long_are_dropped_where_that_is_wanted() -> None:
    fitted = fit([SHORT, LONG, HUGE, SHORT], render, rules=Rules(10, on_too_long="drop"))
    assert list(fitted) == [SHORT, SHORT]
    assert fitted.measured.kept == array("Q", [0, 3])
    assert fitted.statistics()["num_dropped"] == 2
    assert fitted.statistics()["num_tokens"] == 10


def test_truncation_takes_whole_oldest_turns_and_leaves_the_system_prompt() -> None:
    fitted = fit([SHORT, LONG, HUGE], render, rules=Rules(10, on_too_long="truncate"))
    assert list(fitted) == [SHORT, chat(("cc", "d"), system="ss", line=2)]
    figures = fitted.statistics()
    assert (figures["num_truncated"], figures["num_dropped"], figures["num_tokens"]) == (1, 1, 5 + 7)
    assert figures["longest"] == 7


def test_truncation_takes_no_more_turns_than_it_must() -> None:
    turns = [("aa", "b")] * 20  # 4 tokens each
    for max_length in range(5, 81):
        fitted = fit([chat(*turns)], render, rules=Rules(max_length, on_too_long="truncate"))
        [left] = fitted
        assert len(left.messages) // 2 == (max_length - 1) // 4


def test_a_row_is_dropped_where_nothing_that_trains_would_be_left() -> None:
    conversation = chat(("aaaaaaaa", "b"), ("c", "d"), weights=(1, 0))
    fitted = fit([SHORT, conversation], render, rules=Rules(6, on_too_long="truncate"))
    assert list(fitted) == [SHORT]


def test_truncation_takes_tool_results_with_their_turn() -> None:
    messages = [
        Message(role="user", content="aaaaaaaa"),
        Message(role="assistant", content="b"),
        Message(role="tool", content="c"),
        Message(role="assistant", content="d"),
        Message(role="user", content="e"),
        Message(role="assistant", content="f"),
    ]
    left = without_oldest_turns(Conversation(tuple(messages)), 1)
    assert [message.content for message in left.messages] == ["e", "f"]


def test_the_last_turn_is_never_taken() -> None:
    with pytest.raises(ValueError, match="cannot take 2 of 2 turns"):
        without_oldest_turns(LONG, 2)


def test_a_data_set_of_which_no_row_is_left_is_refused() -> None:
    with pytest.raises(DataError, match="none of 1 row fits into 10 tokens"):
        measure([HUGE], render, rules=Rules(10, on_too_long="drop"))
    with pytest.raises(DataError, match="no rows"):
        measure([], render, rules=Rules(10))


def test_every_refused_row_is_counted_and_the_first_hundred_are_named() -> None:
    rows = [chat(("a" * 20, "b"), line=line) for line in range(1, 151)]
    with pytest.raises(DataError) as caught:
        measure(rows, render, rules=Rules(10))
    lines = caught.value.message.splitlines()
    assert lines[0] == "150 of 150 rows cannot be trained on"
    assert lines[100].startswith("train.jsonl:100 ")
    assert lines[101:] == ["... and 50 more"]
    assert caught.value.details["num_errors"] == 150


def test_rows_that_the_tokenizer_refuses_are_named_beside_the_others() -> None:
    renderer = MistralRenderer.from_name("v3")
    bad = Conversation((Message(role="user", content="a"), Message(role="assistant", content=" ")))
    with pytest.raises(DataError) as caught:
        measure([SHORT, bad], renderer.render, rules=Rules(100, end_ids=renderer.end_ids, bos_id=renderer.bos_id))
    assert "row:2 empty-answer an assistant message of nothing but spaces" in caught.value.message


def test_a_row_that_trains_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:9 nothing-trained no token of this row is trained"):
        measure([chat(("a", "b"), line=9, weights=(0,))], render, rules=Rules(None))


def test_progress_is_told_every_so_many_rows_and_at_the_end() -> None:
    heard: list[int] = []
    measure([SHORT] * 600, render, rules=Rules(None), on_progress=heard.append)
    assert heard == [250, 500, 600]


def test_a_fitted_view_reads_like_a_sequence() -> None:
    fitted = fit([HUGE, SHORT, LONG, HUGE, SHORT], render, rules=Rules(10, on_too_long="truncate"))
    rows = list(fitted)
    assert len(fitted) == len(rows) == 3
    assert [fitted[index] for index in range(3)] == rows
    assert fitted[-1] == rows[-1]
    assert fitted[1:] == rows[1:]
    with pytest.raises(IndexError):
        fitted[3]
    assert list(pickle.loads(pickle.dumps(fitted))) == rows


def test_a_fitted_view_reads_rows_only_when_they_are_asked_for() -> None:
    class Counting(list[Conversation]):
        num_read = 0

        def __getitem__(self, index):
            Counting.num_read += 1
            return super().__getitem__(index)

    rows = Counting([SHORT, HUGE, LONG, SHORT])
    fitted = Fitted(rows, measure([*rows], render, rules=Rules(20, on_too_long="drop")))
    assert Counting.num_read == 0
    assert fitted[1] == LONG
    assert Counting.num_read == 1
