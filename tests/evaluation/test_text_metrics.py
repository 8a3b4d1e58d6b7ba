"""Each metric against its reference implementation, or against a plain one written here."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistraltune.errors import ConfigError
from mistraltune.evaluation.corpus_scores import CORPUS_SCORES, bleu
from mistraltune.evaluation.normalising import ARTICLES, LANGUAGES, normaliser
from mistraltune.evaluation.text_metrics import (
    METRICS,
    edit_similarity,
    json_valid,
    require_metrics,
    rouge_l,
    score_functions,
)
from mistraltune.results import Prediction

TEXT = "the cat sat on a mat and was very happy today , but not tomorrow . yes no 42 3.14"
WORDS = TEXT.split()


def sentence(generator: random.Random, most: int = 14) -> str:
    return " ".join(generator.choices(WORDS, k=generator.randrange(0, most)))


def pairs(count: int, seed: int = 7) -> list[tuple[str, list[str]]]:
    """Answers with one to three references each, some of them close."""
    generator = random.Random(seed)
    found = []
    for _ in range(count):
        references = [sentence(generator) or "yes" for _ in range(generator.randrange(1, 4))]
        answer = " ".join(word for word in references[0].split() if generator.random() > 0.3)
        found.append((answer if generator.random() < 0.6 else sentence(generator), references))
    return found


def score(metric: str, prediction: str, references: list[str], language: str = "en") -> float:
    return score_functions([metric], language)[metric](prediction, references)


def test_rouge_l_is_rouge_scores_on_english_text():
    from rouge_score.rouge_scorer import RougeScorer

    oracle = RougeScorer(["rougeL"])
    for prediction, references in pairs(300):
        expected = max(oracle.score(reference, prediction)["rougeL"].fmeasure for reference in references)
        assert score("rouge_l", prediction, references) == pytest.approx(expected)


def test_rouge_l_keeps_letters_that_rouge_score_drops():
    assert rouge_l("déjà vu", ["deja vu"]) < 1
    assert rouge_l("Привет, мир!", ["привет мир"]) == 1
    assert rouge_l("cafe\u0301", ["café"]) == 1


def test_chrf_is_sacrebleus_sentence_chrf():
    from sacrebleu import sentence_chrf

    for prediction, references in pairs(200):
        assert score("chrf", prediction, references) == pytest.approx(sentence_chrf(prediction, references).score / 100)


def test_a_rows_bleu_is_sacrebleus_sentence_bleu():
    from sacrebleu import sentence_bleu

    for prediction, references in pairs(200):
        expected = sentence_bleu(prediction, references, use_effective_order=True).score / 100
        assert score("bleu", prediction, references) == pytest.approx(expected)


def prediction_of(text: str, references: list[str]) -> Prediction:
    return Prediction(row=1, prompt=[], references=references, text=text, num_tokens=1, finish_reason="stop", scores={})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 3, 40])
def test_the_bleu_of_a_corpus_is_sacrebleus(seed: int, count: int):
    from sacrebleu.metrics.bleu import BLEU

    corpus = pairs(count, seed)
    statistics = [CORPUS_SCORES["bleu"].statistics(prediction_of(*pair)) for pair in corpus]
    (found,) = bleu(np.array([np.sum(statistics, axis=0)], dtype=np.float64))
    most = max(len(references) for _, references in corpus)
    streams = [[refs[place] if place < len(refs) else None for _, refs in corpus] for place in range(most)]
    expected = BLEU().corpus_score([text for text, _ in corpus], streams).score / 100
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_bleu_of_answers_without_four_words_or_without_a_match_is_0():
    assert bleu(np.array([[2, 2, 2, 1, 0, 0, 2, 1, 0, 0], [9, 9, 0, 0, 0, 0, 9, 8, 7, 6]], float)).tolist() == [0, 0]


@given(st.text(max_size=12), st.text(max_size=12))
def test_edit_similarity_counts_the_fewest_changes_of_a_character(first: str, second: str):
    row = list(range(len(second) + 1))
    for place, character in enumerate(first, start=1):
        before, row = row, [place]
        for other_place, other in enumerate(second, start=1):
            row.append(min(before[other_place] + 1, row[-1] + 1, before[other_place - 1] + (character != other)))
    longest = max(len(first), len(second))
    expected = 1 - row[-1] / longest if longest else 1.0
    assert edit_similarity(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("text", ['{"a": [1, 2.5e3, null]}', " [] \n", '"text"', "42", "true"])
def test_an_answer_that_is_json_is_valid(text: str):
    assert json_valid(text) == 1.0


@pytest.mark.parametrize(
    "text", ["", "yes", "{'a': 1}", '{"a": 1,}', '```json\n{"a": 1}\n```', "NaN", "[" * 100_000, "{} {}"]
)
def test_an_answer_that_is_none_is_not(text: str):
    assert json_valid(text) == 0.0


def test_json_suite_agrees(shared_data):
    for path in sorted((shared_data / "json-test-suite").glob("[yn]_*.json")):
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        assert json_valid(text) == float(path.name.startswith("y_")), path.name


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_between_0_and_1_and_takes_any_text(metric: str):
    generator = random.Random(3)
    texts = ["", " ", "?", "日本語のテキスト", "\u0000\ud7ff", "a" * 3_000, *[sentence(generator) for _ in range(40)]]
    for text in texts:
        for reference in generator.sample(texts, 8):
            assert 0 <= score(metric, text, [reference, "x"]) <= 1 + 1e-9
        if text.split() and metric not in ("json_valid", "exact_match", "bleu") and any(map(str.isalnum, text)):
            assert score(metric, "word and word", ["word and word"]) == pytest.approx(1)


def test_a_metric_that_there_is_not_is_refused_with_the_nearest():
    assert require_metrics(["f1", "rouge_l", "f1"]) == ("f1", "rouge_l")
    with pytest.raises(ConfigError, match="'rouge'") as caught:
        require_metrics(["rouge"])
    assert "rouge_l" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        require_metrics(["accuracy"])
    assert all(name in caught.value.hint for name in METRICS)


# Languages


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The cat’s «mat»!", "cat’s «mat»"),
        ("fr", "L’école, l'avion et la gare.", "école avion et gare"),
        ("fr", "Le « chat » d'une amie", "chat dune amie"),
        ("de", "Das Haus der Familie, ein Garten!", "haus familie garten"),
        ("es", "¿El coche o la moto? ¡Una!", "coche o moto"),
        ("it", "L'amica, un'idea, gli amici e lo zio", "amica idea amici e zio"),
        ("nl", "Het huis en de tuin", "huis en tuin"),
        ("pt", "O carro e as casas", "carro e casas"),
        ("fr", "E\u0301cole", "école"),
    ],
)
def test_articles_and_punctuation_of_a_language_do_not_count(language: str, text: str, expected: str):
    assert normaliser(language)(text) == expected


def test_exact_match_and_f1_follow_the_language():
    assert score("exact_match", "l'avion", ["Un avion."], "fr") == 1
    assert score("exact_match", "l'avion", ["Un avion."]) == 0
    assert score("f1", "la gare", ["gare"], "fr") == 1
    assert score("f1", "la gare", ["gare"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_article_counts_only_as_a_whole_word(language: str):
    for word in ARTICLES[language].words:
        assert normaliser(language)(f"x{word} {word}x") == f"x{word} {word}x"
        assert normaliser(language)(f"{word} X {word.upper()}") == "x"


def test_scores_of_json_are_those_of_any_text():
    assert score("edit_similarity", json.dumps({"a": 1}), ['{"a": 1}']) == 1
