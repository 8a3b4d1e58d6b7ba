"""The renderer of Mistral tokenizers: what is trained, what is refused, what is parsed."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import SHIPPED, SHIPPED_FILES, oracle
from speakers import SEARCH, assistant, renderer_of, result, row, search, system, trained_text, user

from mistraltune.data.checking import parse_row
from mistraltune.data.conversation import Conversation, Message
from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.converting import convert_file
from mistraltune.data.rendered import RowError, turn_starts
from mistraltune.data.rendering import TOKENIZER_NAMES, MistralRenderer
from mistraltune.errors import ConfigError

INSTRUCT_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "instruct"
WITH_TOOLS = ("v3", "v7", "v7m1", "tekken", "tekken_240718")
CONTROL_LIKE = ["</s>", "<s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[/TOOL_RESULTS]", "[SYSTEM_PROMPT]", "<|im_end|>"]
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.sampled_from([*CONTROL_LIKE, " ", "\n\n", "  ", "🤷🏽‍♀️", "日本", "e\u0301"]),
    ),
    max_size=4,
).map("".join)
ANSWERS = TEXTS.filter(lambda text: text.rstrip(" "))
CALL_IDS = st.text("abcXYZ019", min_size=9, max_size=9)
ARGUMENTS = st.dictionaries(st.text("abc", max_size=3), TEXTS | st.integers(-9, 9) | st.booleans(), max_size=2).map(
    lambda value: json.dumps(value, ensure_ascii=False).replace("\u2581", "_")
)


@st.composite
def chats(draw: st.DrawFn) -> Conversation:
    messages = [system(draw(TEXTS)) for _ in range(draw(st.integers(0, 2)))]
    messages += [assistant(draw(ANSWERS))] * draw(st.sampled_from([0, 0, 0, 1]))
    for _ in range(draw(st.integers(1, 4))):
        messages += [user(draw(TEXTS)) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
        messages += [system(draw(TEXTS))] * draw(st.sampled_from([0, 0, 0, 1]))
        messages += [
            assistant(draw(ANSWERS), weight=draw(st.integers(0, 1))) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))
        ]
    return Conversation(tuple(messages))


@st.composite
def tool_chats(draw: st.DrawFn) -> Conversation:
    messages = [system(draw(TEXTS))] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 3))):
        messages.append(user(draw(TEXTS)))
        for _ in range(draw(st.integers(0, 2))):
            ids = draw(st.lists(CALL_IDS, min_size=1, max_size=3, unique=True))
            calls = [search(call_id, draw(ARGUMENTS)) for call_id in ids]
            messages.append(assistant("", *calls, weight=draw(st.integers(0, 1))))
            messages += [result(draw(TEXTS), call_id) for call_id in ids]
        if messages[-1].role == "user" or draw(st.booleans()):
            messages.append(assistant(draw(ANSWERS), weight=draw(st.integers(0, 1))))
    if messages[-1].role != "assistant":
        messages.append(assistant(draw(ANSWERS)))
    return Conversation(tuple(messages), tools=(SEARCH,))


def expected_turns(conversation: Conversation) -> list[tuple[int, int]]:
    """(first message, one past the last answer) of the turns that train something; else of the last."""
    messages = conversation.messages
    starts = turn_starts(messages)
    turns = []
    for start, stop in zip(starts, [*starts[1:], len(messages)], strict=True):
        spoken = [index for index in range(start, stop) if messages[index].role == "assistant"]
        turns.append((start, spoken[-1] + 1, any(messages[index].weight for index in spoken)))
    return [turn[:2] for turn in turns if turn[2]] or [turns[-1][:2]]


FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.mark.parametrize("name", TOKENIZER_NAMES)
@FEW
@given(conversation=chats())
def test_a_chat_trains_its_assistant_messages_and_nothing_else(name: str, conversation: Conversation) -> None:
    [rendered] = renderer_of(name).render(conversation)
    token_ids, mask = oracle(name, conversation, len(conversation.messages), 0)
    assert rendered.token_ids == token_ids
    assert rendered.loss_mask == mask


@pytest.mark.parametrize("name", WITH_TOOLS)
@FEW
@given(conversation=tool_chats())
def test_a_row_with_tools_trains_each_turn_in_a_sequence_of_its_own(name: str, conversation: Conversation) -> None:
    rendered = [(sequence.token_ids, sequence.loss_mask) for sequence in renderer_of(name).render(conversation)]
    assert rendered == [oracle(name, conversation, end, start) for start, end in expected_turns(conversation)]


@pytest.mark.parametrize("name", ["tekken", "tekken_240718"])
@FEW
@given(conversation=chats())
def test_trained_text_is_what_the_assistant_says(name: str, conversation: Conversation) -> None:
    runs = groupby(conversation.messages, key=lambda message: (message.role, message.weight))
    said = [
        "\n\n".join(message.content for message in run).rstrip(" ") + "</s>"
        for (role, weight), run in runs
        if role == "assistant" and weight
    ]
    assert trained_text(renderer_of(name), conversation) == ["".join(said)]


@pytest.mark.parametrize("name", TOKENIZER_NAMES)
@FEW
@given(conversation=chats())
def test_the_prompt_of_the_last_answer_begins_the_sequence(name: str, conversation: Conversation) -> None:
    if conversation.messages[-2].role == "assistant":
        return  # neighbouring answers are merged, so the last has no prompt of its own
    prompt = renderer_of(name).prompt(conversation.prompt)
    [rendered] = renderer_of(name).render(conversation)
    assert rendered.token_ids[: len(prompt)] == prompt
    assert rendered.loss_mask[len(prompt) :] == [bool(conversation.messages[-1].weight)] * (
        len(rendered.token_ids) - len(prompt)
    )


@pytest.mark.parametrize("name", WITH_TOOLS)
@FEW
@given(conversation=tool_chats())
def test_a_generated_answer_parses_to_the_message_it_was_rendered_from(name: str, conversation: Conversation) -> None:
    last = replace(conversation.messages[-1], weight=1)
    conversation = replace(conversation, messages=(*conversation.messages[:-1], last))
    [*_, rendered] = renderer_of(name).render(conversation)
    prompt = renderer_of(name).prompt(conversation.prompt)
    text, calls = renderer_of(name).parse(rendered.token_ids[len(prompt) :])
    assert text == last.content.rstrip(" ").replace("\u2581", " " if name.startswith("v") else "\u2581")
    assert [(call.id, call.name) for call in calls] == [(call.id, call.name) for call in last.tool_calls]
    assert [json.loads(call.arguments) for call in calls] == [json.loads(call.arguments) for call in last.tool_calls]


# What is refused


def test_v1_refuses_tool_calls_and_names_the_row() -> None:
    conversation = row(user("a"), assistant("", search("abcdefghi")), result("1", "abcdefghi"), assistant("b"))
    with pytest.raises(RowError, match=r"train\.jsonl:7: the tokenizer refuses it: Tools not implemented") as caught:
        renderer_of("v1").render(conversation)
    assert caught.value.rule == "tokenizer-refuses"


def test_v1_refuses_to_drop_the_tools_of_a_row_without_calls() -> None:
    with pytest.raises(RowError, match="the tools"):
        renderer_of("v1").render(row(user("a"), assistant("b"), tools=(SEARCH,)))


def test_v2_refuses_to_drop_the_tool_calls_of_an_earlier_turn() -> None:
    conversation = row(
        user("a"),
        assistant("", search("abcdefghi")),
        result("1", "abcdefghi"),
        assistant("b"),
        user("c"),
        assistant("d"),
    )
    with pytest.raises(RowError, match=r"train\.jsonl:7: tokenizer v2 would silently drop or change") as caught:
        renderer_of("v2").render(conversation)
    assert caught.value.rule == "tokenizer-drops"


def test_v2_refuses_such_a_prompt_too() -> None:
    conversation = row(
        user("a"), assistant("", search("abcdefghi")), result("1", "abcdefghi"), assistant("b"), user("c")
    )
    with pytest.raises(RowError, match="tokenizer v2 would silently drop"):
        renderer_of("v2").prompt(conversation)


def test_v2_refuses_two_results_of_one_turn() -> None:
    conversation = row(
        user("a"),
        assistant("", search("abcdefgh1"), search("abcdefgh2")),
        result("1", "abcdefgh1"),
        result("2", "abcdefgh2"),
        assistant("b"),
    )
    with pytest.raises(RowError, match="does not support multiple tool results"):
        renderer_of("v2").render(conversation)


def test_v2_renders_one_turn_with_tools() -> None:
    conversation = row(
        user("a"), assistant("", search("abcdefghi")), result("1", "abcdefghi"), assistant("b"), tools=(SEARCH,)
    )
    [text] = trained_text(renderer_of("v2"), conversation)
    assert text == '[TOOL_CALLS][{"name": "search", "arguments": {"q": "x"}}]</s>b</s>'


@pytest.mark.parametrize("name", ["v2", "v3", "tekken"])
def test_text_beside_a_tool_call_is_refused_before_v7(name: str) -> None:
    with pytest.raises(RowError, match="either content or tool_calls"):
        renderer_of(name).render(row(user("a"), assistant("b", search("abcdefghi"))))


@pytest.mark.parametrize("name", ["v2", "v3", "v7", "tekken"])
def test_an_answer_of_spaces_is_refused_because_nothing_of_it_is_left(name: str) -> None:
    with pytest.raises(RowError, match="nothing but spaces"):
        renderer_of(name).render(row(user("a"), assistant("   ")))


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RowError, match=r"train\.jsonl:7: message 2 \(assistant\) holds half of a surrogate pair"):
        renderer_of("tekken").render(row(user("a"), assistant("b\ud83e")))


@pytest.mark.parametrize("arguments", ['{"x": 1e999}', '{"x": NaN}', '{"x": 1, "x": 2}'])
def test_arguments_that_the_tokenizer_would_change_are_refused(arguments: str) -> None:
    with pytest.raises(RowError, match="would silently drop or change a tool call"):
        renderer_of("tekken").render(row(user("a"), assistant("", search("abcdefghi", arguments))))


def test_arguments_nested_beyond_reason_are_refused() -> None:
    arguments = '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(RowError, match=r"train\.jsonl:7: the tokenizer refuses it"):
        renderer_of("tekken").render(row(user("a"), assistant("", search("abcdefghi", arguments))))


def test_a_tool_field_that_the_tokenizer_would_drop_is_refused() -> None:
    tool = {"type": "function", "function": {**SEARCH["function"], "returns": {"type": "string"}}}
    with pytest.raises(RowError, match="fields that the tokenizer drops: returns"):
        renderer_of("v3").render(row(user("a"), assistant("b"), tools=(tool,)))


@pytest.mark.parametrize("definition", [{}, {"type": "function"}, {"type": "function", "function": {}}])
def test_a_tool_without_a_function_is_refused(definition: dict) -> None:
    with pytest.raises(RowError, match=r"train\.jsonl:7: the tokenizer refuses it"):
        renderer_of("v3").render(row(user("a"), assistant("b"), tools=(definition,)))


@pytest.mark.parametrize("messages", [(), (user("a"),), (user("a"), assistant("b"), user("c"))])
def test_a_training_row_must_end_with_an_answer(messages: tuple[Message, ...]) -> None:
    for tools in ((), (SEARCH,)):
        with pytest.raises(RowError, match="ends with an assistant message"):
            renderer_of("v3").render(row(*messages, tools=tools))


def test_a_prompt_must_not_end_with_an_answer() -> None:
    with pytest.raises(RowError, match=r"train\.jsonl:7: the tokenizer refuses it: Expected last role User or Tool"):
        renderer_of("v3").prompt(row(user("a"), assistant("b")))


def test_a_call_without_id_may_only_be_the_last_message() -> None:
    [text] = trained_text(renderer_of("v3"), row(user("a"), assistant("", search(""))))
    assert text == '[TOOL_CALLS][{"name": "search", "arguments": {"q": "x"}}]</s>'
    with pytest.raises(RowError, match="Tool call id"):
        renderer_of("v3").render(row(user("a"), assistant("", search("")), result("1", "abcdefghi"), assistant("b")))


# What is trained


def test_a_row_of_untrained_turns_renders_its_last_turn_untrained() -> None:
    conversation = row(user("a"), assistant("b", weight=0), user("c"), assistant("d", weight=0), tools=(SEARCH,))
    [rendered] = renderer_of("v3").render(conversation)
    assert not any(rendered.loss_mask)
    assert "d" in renderer_of("v3").decode(rendered.token_ids)


def test_a_user_who_speaks_after_a_tool_result_is_not_trained() -> None:
    conversation = row(
        user("a"),
        assistant("", search("abcdefghi"), weight=0),
        result("1", "abcdefghi"),
        user("secret"),
        assistant("b"),
    )
    assert trained_text(renderer_of("v3"), conversation) == ["b</s>"]


def test_a_system_message_after_the_user_is_not_trained() -> None:
    conversation = row(user("a"), system("secret"), assistant("b"))
    assert trained_text(renderer_of("v7"), conversation) == ["b</s>"]


def test_turns_begin_at_user_messages_that_follow_an_answer() -> None:
    messages = [system("s"), user("a"), system("s"), user("b"), assistant("c"), user("d"), assistant("e")]
    assert turn_starts(messages) == [1, 5]
    assert turn_starts([system("s"), assistant("a"), user("b"), assistant("c")]) == [1, 2]
    assert turn_starts([system("s")]) == []


# Which tokenizer


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="no tokenizer 'v9'") as caught:
        MistralRenderer.from_name("v9")
    assert all(name in caught.value.hint for name in TOKENIZER_NAMES)


def test_a_model_directorys_file_renders_like_the_shipped_tokenizer(tmp_path: Path) -> None:
    for name, file_name in (("v3", "tokenizer.model.v3"), ("tekken", "tekken.json")):
        file = tmp_path / file_name
        file.write_bytes((SHIPPED_FILES / SHIPPED[name]).read_bytes())
        own = MistralRenderer.from_file(file)
        conversation = row(user("a"), assistant("b"))
        assert own.render(conversation) == renderer_of(name).render(conversation)
        assert own.fingerprint == renderer_of(name).fingerprint


def test_fingerprints_tell_tokenizers_apart() -> None:
    fingerprints = {renderer_of(name).fingerprint for name in TOKENIZER_NAMES if name != "v7m1"}  # v7m1 is v7's file
    assert len(fingerprints) == len(TOKENIZER_NAMES) - 1


@pytest.mark.parametrize(
    "name", ["tokenizer.model", "tekken.json", "tokenizer.model.v3", "tokenizer.model.v99", "x.json"]
)
def test_a_file_that_is_no_versioned_tokenizer_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with pytest.raises(ConfigError, match="no tokenizer file"):
        MistralRenderer.from_file(file)
    file.write_bytes(b"{}")
    with pytest.raises(ConfigError, match=r"does not tell its version|is no tokenizer"):
        MistralRenderer.from_file(file)


def test_importing_the_module_does_not_import_mistral_common() -> None:
    code = "import sys, mistraltune.data.rendering; print('mistral_common' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# Real data


@pytest.mark.skipif(not INSTRUCT_DATA.is_dir(), reason="the shared test data are not beside this checkout")
@pytest.mark.parametrize(("file", "num_rows"), [("alpaca_en_demo.json", 999), ("glaive_toolcall_en_demo.json", 300)])
def test_every_row_of_the_instruct_data_renders_with_tekken(tmp_path: Path, file: str, num_rows: int) -> None:
    converted = tmp_path / "rows.jsonl"
    convert_file(INSTRUCT_DATA / file, converted)
    conversations = ConversationFile.open(converted)
    renderer = renderer_of("tekken")
    assert len(conversations) == num_rows
    for conversation in conversations:
        sequences = renderer.render(conversation)
        prompt = renderer.prompt(conversation.prompt)
        assert sequences[-1].token_ids[: len(prompt)] == prompt
        assert len(sequences) == (len(turn_starts(conversation.messages)) if conversation.tools else 1)
        said = [message.content.rstrip(" ") for message in conversation.messages if message.role == "assistant"]
        trained = "".join(trained_text(renderer, conversation))
        assert trained.count("</s>") == len(said)
        assert all(text in trained for text in said)


def test_only_the_completion_of_a_prompt_is_trained_whatever_stands_in_the_prompt():
    prompt = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    row = {"prompt": prompt, "completion": [{"role": "assistant", "content": "four"}]}
    renderer = MistralRenderer.from_name("tekken")
    (sequence,) = renderer.render(parse_row(row))
    trained = [token for token, is_trained in zip(sequence.token_ids, sequence.loss_mask, strict=True) if is_trained]
    assert renderer.decode(trained, skip_special_tokens=False) == "four</s>"
