"""How answers are judged, beside which evaluator judges them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mistraltune.errors import ConfigError
from mistraltune.evaluation.normalising import LANGUAGES
from mistraltune.evaluation.text_metrics import DEFAULT_METRICS, require_metrics
from mistraltune.interfaces import Evaluator
from mistraltune.registry import get_evaluator

Turns = Literal["last", "all"]


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What an evaluator may be told.

    Attributes:
        metrics: Names of the scores, the most telling first; empty means the evaluator's own.
        language: Of the texts, for articles: one of `LANGUAGES`.
        turns: Whether the last answer of a conversation is judged, or each.
    """

    metrics: tuple[str, ...] = ()
    language: str = "en"
    turns: Turns = "last"

    def as_dict(self) -> dict[str, Any]:
        """What differs from the default: all that a report's identity needs, so that older reports are found again."""
        values: dict[str, Any] = {"metrics": list(self.metrics), "language": self.language, "turns": self.turns}
        usual: dict[str, Any] = {"metrics": [], "language": "en", "turns": "last"}
        return {name: value for name, value in values.items() if value != usual[name]}


def judge_options(metrics: Iterable[str], language: str, turns: Turns) -> JudgeOptions:
    """The options, if there are such.

    Args:
        metrics: Names; none, like those that are usual, means the evaluator's own.
        language: Two letters.
        turns: `last` or `all`.

    Raises:
        ConfigError: There is no such metric or language.
    """
    names = require_metrics(metrics)
    return JudgeOptions(() if names == DEFAULT_METRICS else names, require_language(language), turns)


def require_language(language: str) -> str:
    """The language, if its articles are known.

    Raises:
        ConfigError: They are not; the message lists the valid ones.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"the articles of {language!r} are not known", hint=f"languages: {', '.join(LANGUAGES)}")
    return language


def open_evaluator(name: str, options: JudgeOptions) -> Evaluator:
    """The evaluator of that name, told what it may be told.

    Raises:
        ConfigError: There is none, or it takes no options and some were given.
    """
    evaluator = get_evaluator(name)
    if not options.as_dict():
        return evaluator
    if not hasattr(evaluator, "with_options"):
        given = " and ".join(options.as_dict())
        raise ConfigError(f"the evaluator {name} takes no options", hint=f"leave out {given}")
    told: Evaluator = evaluator.with_options(metrics=options.metrics, language=options.language)
    return told
