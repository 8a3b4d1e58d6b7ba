import pytest

from mistraltune.errors import (
    ConfigError,
    DataError,
    ExitCode,
    GateError,
    LockedError,
    MistralTuneError,
    Stopped,
    TemporaryError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (MistralTuneError, 2),
        (ConfigError, 2),
        (DataError, 3),
        (TemporaryError, 5),
        (GateError, 6),
        (LockedError, 11),
        (Stopped, 130),
    ],
)
def test_scripts_can_rely_on_the_exit_code_of_every_error(kind: type[MistralTuneError], code: int) -> None:
    assert kind("what went wrong").exit_code == code


def test_exit_codes_of_signals_are_those_of_a_shell() -> None:
    assert (ExitCode.HANGUP, ExitCode.INTERRUPTED, ExitCode.TERMINATED) == (128 + 1, 128 + 2, 128 + 15)


def test_an_error_carries_words_for_people_and_facts_for_scripts() -> None:
    error = DataError("rows.jsonl:3: no answer", hint="add one", details={"num_errors": 1})
    assert str(error) == "rows.jsonl:3: no answer"
    assert (error.hint, error.details) == ("add one", {"num_errors": 1})


def test_errors_share_no_facts() -> None:
    ConfigError("one").details["findings"] = []
    assert ConfigError("two").details == {}
