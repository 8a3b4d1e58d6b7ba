"""Conversations as token ids with loss masks, by the chat template of any transformers tokenizer."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mistraltune.data.conversation import Conversation, Message, ToolCall, ask
from mistraltune.data.rendered import Rendered, RowError, check_text
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PRIVATE_USE = range(0xF0000, 0xFFFFE)
_WRITTEN_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_OTHER_MODEL = "mend the row, or take a model whose template can hold it"


class ChatTemplateRenderer:
    """The Renderer of models that are no Mistral models: their own chat template, token for token transformers'.

    An assistant message trains from where the generation prompt ends to its end-of-turn token, that included; the
    newline that many templates write after it is not trained. Both ends are found by rendering prefixes of the
    conversation, and a row whose prefixes are none, as text or as tokens, is refused. Control tokens are the template's
    alone: where a message spells one, the text is tokenised apart from them, with `split_special_tokens=True`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take over `tokenizer`.

        Raises:
            ConfigError: It has no chat template, no special token, or is not of the `tokenizers` library.
        """
        if not tokenizer.chat_template:
            raise ConfigError("the tokenizer has no chat template", hint="take an instruct model")
        if not tokenizer.is_fast:
            raise ConfigError(f"{type(tokenizer).__name__} is not of the tokenizers library")
        self._tokenizer: Any = tokenizer
        self._control_ids = _control_ids(tokenizer)
        if not self._control_ids:
            raise ConfigError("the tokenizer has no special token, so nothing would end an answer")
        longest_first = sorted(self._control_ids, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits of the tokenizer's content, its special tokens and its chat template."""
        content = json.loads(self._tokenizer.backend_tokenizer.to_str())
        content.update(truncation=None, padding=None)  # settings of the last call, not of the tokenizer
        parts = [content, self._tokenizer.special_tokens_map, self._tokenizer.chat_template]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def bos_id(self) -> int | None:
        """The beginning-of-sequence token, if the tokenizer has one."""
        bos_id: int | None = self._tokenizer.bos_token_id
        return bos_id

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end an assistant message: the tokenizer's end of sequence and the template's end of turn."""
        ends = [] if self._tokenizer.eos_token_id is None else [int(self._tokenizer.eos_token_id)]
        try:
            [sample] = self.render(_SAMPLE)
        except RowError:  # a template may want more than a question and an answer
            return tuple(ends)
        *_, last_trained = itertools.compress(sample.token_ids, sample.loss_mask)
        return tuple(dict.fromkeys([*ends, last_trained]))

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss mask of a training row, always as one sequence.

        Raises:
            RowError: The template refuses the conversation or drops a part of it, or its prompts are no prefixes of
                it, so that a trained answer would follow something else than it does when the model is asked.
        """
        check_text(conversation)
        if not conversation.messages or conversation.messages[-1].role != "assistant":
            raise RowError(conversation, "no-answer", "a training row ends with an assistant message")
        script = self._script(conversation)
        self._check_tools(conversation, script)
        answers = {
            index: self._answer(conversation, script, index)
            for index, message in enumerate(conversation.messages)
            if message.role == "assistant"
        }
        self._check_messages(conversation, script, answers)
        tokens = self._tokenise(conversation, script)
        loss_mask = [False] * len(tokens.ids)
        for index, answer in answers.items():
            if conversation.messages[index].weight:
                start, end = self._token_range(conversation, script, tokens, answer)
                loss_mask[start:end] = [True] * (end - start)
        return [Rendered(tokens.ids, loss_mask)]

    def prompt(self, conversation: Conversation) -> list[int]:
        """Token ids after which the model writes the next assistant message.

        Raises:
            RowError: The conversation ends with an assistant message, or the template refuses or drops a part of it.
        """
        check_text(conversation)
        if not conversation.messages or conversation.messages[-1].role == "assistant":
            raise RowError(conversation, "no-question", "a prompt ends with a user message or a tool result")
        script = self._script(conversation, add_generation_prompt=True)
        self._check_tools(conversation, script)
        self._check_messages(conversation, script, answers={})
        return self._tokenise(conversation, script).ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        text: str = self._tokenizer.decode(
            list(token_ids), skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False
        )
        return text

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        """Text and tool calls of a generated completion, read up to its end-of-turn token.

        Calls are read in the form that many templates share, `<tool_call>{"name": ..., "arguments": ...}</tool_call>`;
        in other forms, and where they cannot be read, they stay in the text.
        """
        token_ids = list(itertools.takewhile(lambda token: token not in self.end_ids, token_ids))
        written = self.decode(token_ids, skip_special_tokens=False)
        try:
            calls = tuple(_read_call(found[1]) for found in _WRITTEN_CALL.finditer(written))
        except (ValueError, LookupError, TypeError, RecursionError):
            calls = ()
        if not calls:
            return self.decode(token_ids), ()
        return self._control.sub("", _WRITTEN_CALL.sub("", written)).strip(), calls

    def _script(self, conversation: Conversation, *, add_generation_prompt: bool = False) -> _Script:
        """The conversation as text in which every control token is the template's own."""
        messages = [_template_message(message) for message in conversation.messages]
        tools = list(conversation.tools)
        disguises = self._disguises([messages, tools])
        if disguises:
            messages, tools = _map_texts(
                [messages, tools], lambda text: self._control.sub(lambda found: disguises[found[0]], text)
            )
        text = self._apply(conversation, messages, tools, add_generation_prompt=add_generation_prompt)
        return _Script(messages, tools, text, {ord(char): spelled for spelled, char in disguises.items()})

    def _disguises(self, value: object) -> dict[str, str]:
        """For every control token that a text in `value` spells, a character that no text has."""
        texts = list(_texts(value))
        spelled = {found for text in texts for found in self._control.findall(text)}
        if not spelled:
            return {}
        taken = {char for text in texts for char in text}
        free = (char for char in map(chr, _PRIVATE_USE) if char not in taken)
        return dict(zip(sorted(spelled), free, strict=False))

    def _apply(
        self,
        conversation: Conversation,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]],
        *,
        add_generation_prompt: bool,
    ) -> str:
        from jinja2 import TemplateError

        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tools=tools or None, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (TemplateError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            reason = f"the chat template refuses it: {reason}"
            raise RowError(conversation, "template-refuses", reason, hint=_OTHER_MODEL) from error
        return text

    def _answer(self, conversation: Conversation, script: _Script, index: int) -> _Answer:
        """Where assistant message `index` stands in the text: from the end of its prompt to its end-of-turn token."""
        prompt = self._apply(conversation, script.messages[:index], script.tools, add_generation_prompt=True)
        closed = self._apply(conversation, script.messages[: index + 1], script.tools, add_generation_prompt=False)
        if not closed.startswith(prompt):
            reason = f"under this chat template the prompt of message {index + 1} is no prefix of the conversation"
            raise RowError(conversation, "template-prefix", reason, hint=_OTHER_MODEL)
        if not script.text.startswith(closed):
            reason = f"this chat template changes message {index + 1}, or one before it, when another follows"
            raise RowError(conversation, "template-prefix", reason, hint=_OTHER_MODEL)
        ends = [found.end() for found in self._control.finditer(closed, len(prompt))]
        if not ends or closed[ends[-1] :].strip():
            reason = f"this chat template ends message {index + 1} with no special token"
            raise RowError(conversation, "no-end", reason, hint=_OTHER_MODEL)
        return _Answer(start=len(prompt), end=ends[-1])

    def _check_tools(self, conversation: Conversation, script: _Script) -> None:
        """Refuse a row whose tools the template leaves out."""
        if not script.tools:
            return
        with_tools, without = (
            self._apply(conversation, script.messages, tools, add_generation_prompt=False)
            for tools in (script.tools, [])
        )
        names = [str(tool.get("function", tool).get("name", "")) for tool in script.tools]
        if with_tools == without or not all(name in with_tools for name in names):
            raise RowError(conversation, "template-drops", "the chat template leaves out the tools", hint=_OTHER_MODEL)

    def _check_messages(self, conversation: Conversation, script: _Script, answers: dict[int, _Answer]) -> None:
        """Refuse a row of which the template leaves out a text or a tool call; an answer is looked for in its place."""
        for index, message in enumerate(script.messages):
            place = slice(answers[index].start, answers[index].end) if index in answers else slice(None)
            missing = _missing_part(message, script.text[place])
            if missing:
                reason = f"the chat template leaves out {missing} of message {index + 1} ({message['role']})"
                raise RowError(conversation, "template-drops", reason, hint=_OTHER_MODEL)

    def _tokenise(self, conversation: Conversation, script: _Script) -> _Tokens:
        """The script as tokens: in one go, or, where a message spells a control token, text apart from control tokens.

        Raises:
            RowError: The tokenizer has no token for a character, reads text alone unlike text between control tokens,
                or would double the beginning-of-sequence token.
        """
        plain = script.text.translate(dict.fromkeys(script.disguised, " "))
        runs = self._split(self._encode(plain))
        texts = self._control.split(plain)  # text, control token, text, ..., text
        if [self._control_ids[text] for text in texts[1::2]] != [token for run in runs[1::2] for token in run]:
            reason = "the tokenizer cannot write a character, or writes a special token that the template does not have"
            raise RowError(conversation, "tokenizer-refuses", reason, hint=_OTHER_MODEL)
        if script.disguised:
            runs[::2] = self._encode_spelled(conversation, script, texts[::2], runs[::2])
            texts = self._control.split(script.text)
        tokens = _Tokens(texts, runs)
        if self.bos_id is not None and tokens.ids[:2] == [self.bos_id] * 2:
            reason = "the beginning-of-sequence token would be doubled"
            raise RowError(conversation, "doubled-bos", reason, hint=_OTHER_MODEL)
        return tokens

    def _encode_spelled(
        self, conversation: Conversation, script: _Script, plain: list[str], plain_runs: list[list[int]]
    ) -> list[list[int]]:
        """The script's runs of text with their control tokens spelled out as text.

        Args:
            conversation: The row.
            script: Its script.
            plain: The runs of text with a space for each of those control tokens.
            plain_runs: Their tokens, as the tokenizer reads them in their place.

        Raises:
            RowError: The tokenizer reads a text alone unlike the same text in its place, so that training and
                inference on this row would not look like those on others.
        """
        spelled = [self._encode_apart(script.spell(text)) for text in self._control.split(script.text)[::2]]
        has_control = any(len(self._split(run)) > 1 for run in spelled)
        if has_control or len(spelled) != len(plain) or [self._encode_apart(text) for text in plain] != plain_runs:
            reason = "a message spells a control token, and this tokenizer cannot keep its text apart from those"
            raise RowError(conversation, "control-token", reason, hint="leave the control token out")
        return spelled

    def _encode(self, text: str) -> list[int]:
        token_ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return token_ids

    def _encode_apart(self, text: str) -> list[int]:
        """`text` as plain text, whatever it spells."""
        token_ids: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )["input_ids"]
        return token_ids

    def _split(self, token_ids: Sequence[int]) -> list[list[int]]:
        """Runs of text tokens with the control tokens between them: text, control token, text, ..., text."""
        control_ids = set(self._control_ids.values())
        runs: list[list[int]] = [[]]
        for token in token_ids:
            if token in control_ids:
                runs += [[token], []]
            else:
                runs[-1].append(token)
        return runs

    def _token_range(
        self, conversation: Conversation, script: _Script, tokens: _Tokens, answer: _Answer
    ) -> tuple[int, int]:
        """First token of an answer, and the one after its end-of-turn token.

        An answer begins amid a run of text, behind what the template writes between a control token and an answer. The
        run's first tokens must be the prompt's last, or the model would train on a prompt that it is never given.
        """
        text_starts, token_starts = tokens.text_starts, tokens.token_starts
        run = bisect_right(text_starts, answer.start) - 1
        run -= run % 2
        head = tokens.texts[run][: answer.start - text_starts[run]]
        if script.disguised:
            prompt_ids = self._encode_apart(script.spell(head))
        else:
            prompt_ids = self._encode(tokens.texts[run - 1] + head)[1:] if run else self._encode(head)
        if tokens.runs[run][: len(prompt_ids)] != prompt_ids:
            reason = "an answer's first characters share a token with the prompt's last ones"
            raise RowError(conversation, "template-prefix", reason, hint="let the answer begin without white space")
        return token_starts[run] + len(prompt_ids), token_starts[bisect_left(text_starts, answer.end)]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Where an assistant message stands in a script, in characters, its end-of-turn token included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Script:
    """A conversation as its template renders it.

    Attributes:
        messages: What the template was given, control tokens that a message spells disguised as single characters.
        tools: Likewise.
        text: What the template made of them.
        disguised: What each of those characters stands for, by code point; mostly empty.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    text: str
    disguised: dict[int, str]

    def spell(self, text: str) -> str:
        """`text` with the disguised control tokens spelled out."""
        return text.translate(self.disguised)


class _Tokens:
    """A tokenised script, run by run.

    Attributes:
        texts: The script, split at its control tokens: text, control token, text, ..., text.
        runs: The tokens of each of them.
        ids: All tokens.
        text_starts: Where each of `texts` begins, in characters.
        token_starts: Where each of `runs` begins, in tokens.
    """

    def __init__(self, texts: list[str], runs: list[list[int]]) -> None:
        self.texts = texts
        self.runs = runs
        self.ids = list(itertools.chain.from_iterable(runs))
        self.text_starts = list(itertools.accumulate(map(len, texts[:-1]), initial=0))
        self.token_starts = list(itertools.accumulate(map(len, runs[:-1]), initial=0))


def _control_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The special tokens, by their text. Other added tokens, such as `<think>`, are text that a message may hold."""
    added = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in tokenizer.all_special_tokens}
    return added | named


def _template_message(message: Message) -> dict[str, Any]:
    """The message in the form that chat templates read, tool-call arguments parsed."""
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        fields["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": _parsed(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        fields["tool_call_id"] = message.tool_call_id
    if message.name:
        fields["name"] = message.name
    return fields


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """JSON-like `value` with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _map_texts(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_texts(item, change) for item in value]
    return value


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON-like value, its keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain(map(str, value), *map(_texts, value.values()))
    elif isinstance(value, (list, tuple)):
        yield from itertools.chain.from_iterable(map(_texts, value))


def _missing_part(message: dict[str, Any], rendered: str) -> str:
    """What of `message` does not stand in `rendered`: "the text", "a tool call", or nothing."""
    content = message["content"].strip()  # many templates strip
    if not _stands_in(content, rendered):
        return "the text"
    rest = rendered.replace(content, "", 1) if content else rendered
    for call in message.get("tool_calls", ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        if not all(
            _stands_in(text, rest) for text in (name, *_texts(arguments), *map(json.dumps, _numbers(arguments)))
        ):
            return "a tool call"
    return ""


def _stands_in(text: str, rendered: str) -> bool:
    """Whether `text` stands in `rendered` as it is or as JSON."""
    forms = (text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])
    return any(form in rendered for form in forms)


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, (dict, list)):
        yield from itertools.chain.from_iterable(map(_numbers, value.values() if isinstance(value, dict) else value))


def _read_call(written: str) -> ToolCall:
    call = json.loads(written)
    arguments = call["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=str(call.get("id", "")), name=call["name"], arguments=text)


_SAMPLE = Conversation(messages=(*ask("a").messages, Message(role="assistant", content="b")))
