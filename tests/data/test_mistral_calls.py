"""Answers of Mistral models read back: text, and the tool calls in it."""

import json
from itertools import compress
from pathlib import Path

from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from oracle import SHIPPED, SHIPPED_FILES
from speakers import SEARCH, assistant, renderer_of, result, row, search, system, trained_text, user

from mistraltune.data.conversation import ask
from mistraltune.data.rendering import MistralRenderer


def test_decoding_shows_control_tokens_when_asked() -> None:
    for name in ("v3", "tekken"):
        token_ids = renderer_of(name).prompt(ask("Hi there"))
        assert renderer_of(name).decode(token_ids) == "Hi there"
        assert renderer_of(name).decode(token_ids, skip_special_tokens=False) == "<s>[INST]Hi there[/INST]"


def test_a_call_that_cannot_be_read_stays_in_the_text() -> None:
    renderer = renderer_of("tekken")
    [rendered] = renderer.render(row(user("a"), assistant("", search("abcdefghi"))))
    generated = list(compress(rendered.token_ids, rendered.loss_mask))
    assert renderer.parse(generated[:-3]) == (
        '[TOOL_CALLS][{"name": "search", "arguments": {"q": "x"}, "id": "abcdefghi',
        (),
    )


def test_nothing_after_the_end_of_sequence_is_parsed() -> None:
    renderer = renderer_of("tekken")
    [rendered] = renderer.render(row(user("a"), assistant("b")))
    generated = list(compress(rendered.token_ids, rendered.loss_mask))
    assert renderer.parse([*generated, *generated]) == ("b", ())


def test_calls_of_v11_and_later_are_rendered_and_parsed(tmp_path: Path) -> None:
    for version, writes_ids in (("v11", True), ("v13", False)):
        renderer = MistralRenderer.from_file(newer_tekken(tmp_path, version))
        calls = (search("abcdefgh1"), search("abcdefgh2", '{"n": [1, "é"]}'))
        conversation = row(
            system("s"),
            user("a"),
            assistant("Wait.", *calls),
            result("1", "abcdefgh1"),
            result("2", "abcdefgh2"),
            assistant("b"),
            tools=(SEARCH,),
        )
        [rendered] = renderer.render(conversation)
        text, parsed = renderer.parse(list(compress(rendered.token_ids, rendered.loss_mask)))
        assert text == "Wait."
        assert [call.id for call in parsed] == (["abcdefgh1", "abcdefgh2"] if writes_ids else ["", ""])
        assert [call.arguments for call in parsed] == [call.arguments for call in calls]
        [trained] = trained_text(renderer, conversation)
        ids = ("[CALL_ID]abcdefgh1", "[CALL_ID]abcdefgh2") if writes_ids else ("", "")
        assert trained == (
            f'Wait.[TOOL_CALLS]search{ids[0]}[ARGS]{{"q": "x"}}'
            f'[TOOL_CALLS]search{ids[1]}[ARGS]{{"n": [1, "é"]}}</s>b</s>'
        )


def newer_tekken(folder: Path, version: str) -> Path:
    """A tekken file of a version that mistral-common ships none of: the shipped vocabulary, more control tokens."""
    content = json.loads((SHIPPED_FILES / SHIPPED["tekken_240718"]).read_bytes())
    special = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer.DEPRECATED_SPECIAL_TOKENS
    names = [*(token["token_str"] for token in special), "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]"]
    content["special_tokens"] = [
        {"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(names)
    ]
    content["config"]["version"] = version
    content.pop("multimodal", None)
    file = folder / f"tekken_{version}.json"
    file.write_text(json.dumps(content))
    return file
