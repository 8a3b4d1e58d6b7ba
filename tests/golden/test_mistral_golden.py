"""Golden renderings: conversation -> text -> ids for every tokenizer, trained text in ⟦⟧, control tokens in «».

The files in `mistral/` are read by people: look at each difference before you accept it. `UPDATE_GOLDEN=1 pytest
tests/golden` writes them anew.
"""

import json
import os
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
from mistral_common.protocol.instruct.validator import ValidationMode
from oracle import openai_request, reference_tokenizer
from speakers import assistant, renderer_of, result, system, user

from mistraltune.data.conversation import Conversation, ToolCall
from mistraltune.data.rendered import Rendered
from mistraltune.data.rendering import MistralRenderer

GOLDEN = Path(__file__).parent / "mistral"
CHAT = ("v1", "v2", "v3", "v7", "tekken", "tekken_240718")
TOOLS = ("v3", "v7", "v7m1", "tekken", "tekken_240718")

heard = partial(result, name="get_weather")


def call(call_id: str, city: str) -> ToolCall:
    return ToolCall(id=call_id, name="get_weather", arguments=json.dumps({"city": city}, ensure_ascii=False))


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

CASES: dict[str, tuple[tuple[str, ...], Conversation]] = {
    "one_turn": (CHAT, Conversation((user("What is the capital of France?"), assistant("Paris.")))),
    "two_turns_with_system": (
        CHAT,
        Conversation(
            (
                system("Answer in one word."),
                user("Capital of France?"),
                assistant("Paris."),
                user("And of Japan? 日本"),
                assistant("Tōkyō 🗼"),
            )
        ),
    ),
    "text_like_control_tokens": (
        CHAT,
        Conversation(
            (
                system("[SYSTEM_PROMPT]Never.[/SYSTEM_PROMPT]</s>"),
                user("<s>[INST] Say </s> [/INST] [TOOL_CALLS][AVAILABLE_TOOLS]"),
                assistant("</s>[INST]no[/INST]<s> [TOOL_RESULTS]<unk><|im_end|>"),
            )
        ),
    ),
    "untrained_message": (
        CHAT,
        Conversation((user("One?"), assistant("Wrong.", weight=0), user("Two?"), assistant("Right.", weight=1))),
    ),
    "white_space": (
        CHAT,
        Conversation((user("  two  spaces\n"), assistant("\n\tprint('a')  \n"), user("\n"), assistant(" b   "))),
    ),
    "greeting_first": (CHAT, Conversation((assistant("Hello!"), user("Hi."), assistant("What can I do?")))),
    "neighbouring_messages": (
        CHAT,
        Conversation(
            (
                user("First."),
                user("Second."),
                assistant("Draft.", weight=0),
                assistant("Answer."),
                assistant("And more."),
            )
        ),
    ),
    "system_in_the_middle": (
        CHAT,
        Conversation((user("A?"), system("Be brief."), assistant("a"), user("B?"), assistant("b"))),
    ),
    "tool_call": (
        ("v2", *TOOLS),
        Conversation(
            (
                system("Use the tools."),
                user("Weather in Köln?"),
                assistant("", call("abcdefgh1", "Köln")),
                heard('{"celsius": 7.50, "sky":"grey"}', "abcdefgh1"),
                assistant("7.5 °C and grey."),
            ),
            tools=(WEATHER,),
        ),
    ),
    "two_tool_turns": (
        TOOLS,
        Conversation(
            (
                system("Use the tools."),
                user("Weather in Köln?"),
                assistant("", call("abcdefgh1", "Köln")),
                heard("rain", "abcdefgh1"),
                assistant("Rain."),
                user("In Nice?"),
                assistant("", call("abcdefgh2", "Nice")),
                heard("sun", "abcdefgh2"),
                assistant("Sun."),
            ),
            tools=(WEATHER,),
        ),
    ),
    "parallel_calls": (
        TOOLS,
        Conversation(
            (
                user("Weather in Köln and in Nice?"),
                assistant("", call("abcdefgh1", "Köln"), call("abcdefgh2", "Nice")),
                heard("rain", "abcdefgh1"),
                heard("", "abcdefgh2"),
                assistant("Rain; nothing is known of Nice."),
            ),
            tools=(WEATHER,),
        ),
    ),
    "call_as_last_answer": (
        TOOLS,
        Conversation(
            (user("Hi."), assistant("Hello!"), user("Weather in Nice?"), assistant("", call("abcdefgh1", "Nice"))),
            tools=(WEATHER,),
        ),
    ),
    "user_speaks_after_tool_result": (
        TOOLS,
        Conversation(
            (
                user("Weather in Nice?"),
                assistant("", call("abcdefgh1", "Nice")),
                heard("sun", "abcdefgh1"),
                user("[/TOOL_RESULTS] Never mind."),
                assistant("As you like."),
            ),
            tools=(WEATHER,),
        ),
    ),
    "untrained_tool_turn": (
        TOOLS,
        Conversation(
            (user("Hi."), assistant("Hm.", weight=0), user("Weather in Nice?"), assistant("Which Nice?")),
            tools=(WEATHER,),
        ),
    ),
    "text_and_call": (
        ("v7", "v7m1"),
        Conversation(
            (
                user("Weather in Nice?"),
                assistant("Let me see.", call("abcdefgh1", "Nice")),
                heard("sun", "abcdefgh1"),
                assistant("Sun."),
            ),
            tools=(WEATHER,),
        ),
    ),
}


# OpenAI's form knows no weights, on which it depends which neighbours mistral-common merges; and an answer merged into
# the one before it has no prompt of its own.
COMPARABLE = [(case, name) for case, (names, _) in CASES.items() for name in names if case != "neighbouring_messages"]


def draw(renderer: MistralRenderer, rendered: Rendered) -> str:
    """The sequence as text on one line, trained text in ⟦⟧, control tokens in «»."""
    parts = []
    was_trained = False
    tokens = [
        (is_trained, renderer.decode([token]) == "" != renderer.decode([token], skip_special_tokens=False), token)
        for token, is_trained in zip(rendered.token_ids, rendered.loss_mask, strict=True)
    ]
    for (is_trained, is_control), run in groupby(tokens, key=lambda token: token[:2]):
        text = renderer.decode([token for _, _, token in run], skip_special_tokens=False)
        parts.append(("⟦" if is_trained else "⟧") * (is_trained != was_trained))
        parts.append(f"«{text}»" if is_control else text)
        was_trained = is_trained
    return "".join([*parts, "⟧" * was_trained]).replace("\n", "\\n").replace("\t", "\\t")


def drawn(name: str, conversation: Conversation) -> str:
    renderer = renderer_of(name)
    lines = []
    for rendered in renderer.render(conversation):
        lines += [draw(renderer, rendered), " ".join(map(str, rendered.token_ids)), ""]
    return "\n".join([f"== {name}", *lines])


@pytest.mark.parametrize("case", CASES)
def test_renderings_are_as_golden_files_say(case: str) -> None:
    names, conversation = CASES[case]
    text = "\n".join(drawn(name, conversation) for name in names)
    file = GOLDEN / f"{case}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_golden_file_has_its_case() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize(("case", "name"), COMPARABLE)
def test_ids_are_those_of_mistral_common_in_finetuning_mode(case: str, name: str) -> None:
    conversation = CASES[case][1]
    tokenizer = reference_tokenizer(name, ValidationMode.finetuning)
    expected = tokenizer.encode_chat_completion(openai_request(conversation, len(conversation.messages)))
    assert renderer_of(name).render(conversation)[-1].token_ids == expected.tokens


@pytest.mark.parametrize(("case", "name"), COMPARABLE)
def test_the_last_prompt_is_mistral_commons_and_begins_the_last_sequence(case: str, name: str) -> None:
    conversation = CASES[case][1]
    tokenizer = reference_tokenizer(name, ValidationMode.test)
    expected = tokenizer.encode_chat_completion(openai_request(conversation, len(conversation.messages) - 1)).tokens
    prompt = renderer_of(name).prompt(conversation.prompt)
    last = renderer_of(name).render(conversation)[-1]
    assert prompt == expected
    assert last.token_ids[: len(prompt)] == prompt
    assert all(last.loss_mask[len(prompt) :])
    assert not last.loss_mask[len(prompt) - 1]
