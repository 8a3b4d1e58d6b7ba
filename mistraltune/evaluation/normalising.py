"""What SQuAD's metrics pass over in a text: case, punctuation, articles and white space, in several languages."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

Normalise = Callable[[str], str]


class Articles(NamedTuple):
    """The articles of a language.

    Attributes:
        words: Those that stand alone.
        elided: Those that end with an apostrophe and lean on the next word.
    """

    words: tuple[str, ...]
    elided: tuple[str, ...] = ()


ARTICLES = {
    "de": Articles(("der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines")),
    "en": Articles(("a", "an", "the")),
    "es": Articles(("el", "la", "los", "las", "lo", "un", "una", "unos", "unas")),
    "fr": Articles(("le", "la", "les", "un", "une", "des"), elided=("l",)),
    "it": Articles(("il", "lo", "la", "i", "gli", "le", "un", "uno", "una"), elided=("l", "gl", "un")),
    "nl": Articles(("de", "het", "een")),
    "pt": Articles(("o", "a", "os", "as", "um", "uma", "uns", "umas")),
}
"""Definite and indefinite articles. What a preposition has swallowed (`du`, `am`, `del`, `nella`) stays a word."""

LANGUAGES = tuple(ARTICLES)

_ENGLISH_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


@cache
def normaliser(language: str) -> Normalise:
    """What normalises texts of a language, one of `LANGUAGES`.

    English is SQuAD v1.1's own: punctuation is ASCII's. In other languages any Unicode punctuation and symbol counts,
    as in MLQA's evaluation (Lewis et al. 2020, arXiv:1910.07475), and elided articles are taken away with it.
    """
    if language == "en":
        return normalise_english
    articles = ARTICLES[language]
    words = re.compile(rf"\b({'|'.join(articles.words)})\b")
    elided = re.compile(rf"\b({'|'.join(articles.elided)})['’]") if articles.elided else None
    return partial(_normalise, words=words, elided=elided)


def normalise_english(text: str) -> str:
    """`text` in lower case without ASCII punctuation, English articles and surplus white space, in SQuAD's order.

    Source: `normalize_answer` of SQuAD v1.1's evaluate-v1.1.py (Rajpurkar et al. 2016, arXiv:1606.05250).
    """
    without_punctuation = text.lower().translate(_ASCII_PUNCTUATION)
    return " ".join(_ENGLISH_ARTICLES.sub(" ", without_punctuation).split())


def _normalise(text: str, *, words: re.Pattern[str], elided: re.Pattern[str] | None) -> str:
    lowered = unicodedata.normalize("NFC", text.lower())
    if elided:
        lowered = elided.sub(" ", lowered)
    bare = "".join(character for character in lowered if not is_punctuation(character))
    return " ".join(words.sub(" ", bare).split())


@cache
def is_punctuation(character: str) -> bool:
    """Whether a character is punctuation: ASCII's, or any of Unicode's categories P."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")
